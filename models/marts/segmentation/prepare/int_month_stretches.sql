{{ config(materialized='view') }}

-- The complete months within every stretch a standing may be valid for, so that a standing finds its months by
-- equality.
with calendar as (

    select * from {{ ref('int_shop_calendar') }}

),

months as (

    select {{ month_spine('first_order_month', 'last_complete_month') }} as order_month
    from calendar

),

final as (

    select
        first_months.order_month as valid_from_month,
        {{ add_months('last_months.order_month', 1) }} as valid_until_month,
        months.order_month,
        last_day(months.order_month) as month_end
    from months as first_months
    inner join months as last_months on first_months.order_month <= last_months.order_month
    inner join months on months.order_month between first_months.order_month and last_months.order_month

)

select * from final
