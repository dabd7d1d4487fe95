with calendar as (

    select * from {{ ref('int_shop_calendar') }}

),

settings as (

    select definitions.*
    from ({{ parameter_rows() }}) as definitions (name, value, unit, description)

),

-- Where a day can be set by hand or follow from the data, the day in force is what counts.
days_in_force as (

    select
        'as_of_date' as name,
        cast(as_of_date as string) as value,
        'date' as unit,
        'Orders placed on or after this day are left out; by default the day after the data ends.' as description
    from calendar
    union all
    select
        'last_complete_month' as name,
        cast(last_complete_month as string) as value,
        'month' as unit,
        'Trends, cohorts and monthly variability stop with this month.' as description
    from calendar

),

all_parameters as (

    select * from settings
    union all
    select * from days_in_force

),

final as (

    select
        name,
        value,
        unit,
        description
    from all_parameters

)

select * from final
