with calendar as (

    select * from {{ ref('int_shop_calendar') }}

),

-- Whole months, so that a month's days can be counted here.
days as (

    select
        {{ date_spine(
            'first_order_month', add_days(add_months(month_of('as_of_date'), 1), -1)
        ) }} as date_day
    from calendar

),

final as (

    select
        days.date_day,
        cast(extract(year from days.date_day) as integer) as year_number,
        cast(extract(quarter from days.date_day) as integer) as quarter_number,
        cast(extract(month from days.date_day) as integer) as month_number,
        {{ month_of('days.date_day') }} as month_start_date,
        cast({{ iso_weekday('days.date_day') }} as integer) as weekday_number,
        cast({{ weekday_name(iso_weekday('days.date_day')) }} as string) as weekday_name,
        cast({{ iso_weekday('days.date_day') }} >= 6 as boolean) as is_weekend,
        cast(
            coalesce({{ month_of('days.date_day') }} <= calendar.last_complete_month, false) as boolean
        ) as is_complete_month,
        cast(days.date_day < calendar.as_of_date as boolean) as is_before_as_of_date
    from days
    cross join calendar

)

select * from final
