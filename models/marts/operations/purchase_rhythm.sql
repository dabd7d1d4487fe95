with orders as (

    select * from {{ ref('fct_orders') }}

),

-- All 168 hours of the week: an hour without an order is a zero, not a hole in the heat map.
hours_of_the_week as (

    select
        weekdays.weekday_number,
        hours.hour_of_day
    from ({{ integer_rows(1, 7) }}) as weekdays (weekday_number)
    cross join ({{ integer_rows(0, 23) }}) as hours (hour_of_day)

),

hourly as (

    select
        {{ iso_weekday('order_date') }} as weekday_number,
        cast(extract(hour from purchased_at) as integer) as hour_of_day,
        count(*) as orders,
        sum(payment_value) as revenue
    from orders
    where is_valid_order
    group by 1, 2

),

total as (

    select
        sum(orders) as orders,
        count(distinct hour_of_day) as hours
    from hourly

),

final as (

    select
        hours_of_the_week.weekday_number,
        cast({{ weekday_name('hours_of_the_week.weekday_number') }} as string) as weekday_name,
        hours_of_the_week.hour_of_day,
        cast(coalesce(hourly.orders, 0) as bigint) as orders,
        {{ ratio('coalesce(hourly.orders, 0)', 'total.orders') }} as order_share,
        cast(coalesce(hourly.revenue, 0) as decimal(18, 2)) as revenue
    from hours_of_the_week
    cross join total
    left join hourly
        on
            hours_of_the_week.weekday_number = hourly.weekday_number
            and hours_of_the_week.hour_of_day = hourly.hour_of_day
    -- stamps that are days tell no hour
    where total.hours > 1

)

select * from final
