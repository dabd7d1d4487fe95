-- One row per month end from the first valid order on. Count, first, last and the sum of the months pin the series down
-- at the price of one grouping by customer, where a distinct over the whole table would hold it in memory.
with segment_history as (

    select
        customer_id,
        {{ months_between("cast('2000-01-01' as date)", 'month_end') }} as month_number
    from {{ ref('segment_history') }}

),

histories as (

    select
        customer_id,
        count(*) as months,
        min(month_number) as first_month,
        max(month_number) as last_month,
        sum(month_number) as month_sum
    from segment_history
    group by customer_id

),

calendar as (

    select * from {{ ref('int_shop_calendar') }}

),

expected as (

    select
        customers.customer_id,
        {{ months_between("cast('2000-01-01' as date)", 'customers.first_valid_order_at') }} as first_month,
        {{ months_between("cast('2000-01-01' as date)", 'calendar.last_complete_month') }} as last_month
    from {{ ref('dim_customers') }} as customers
    inner join calendar
        on {{ month_of('customers.first_valid_order_at') }} <= calendar.last_complete_month

),

final as (

    select
        coalesce(expected.customer_id, histories.customer_id) as customer_id,
        histories.months,
        expected.first_month,
        expected.last_month
    from expected
    full outer join histories on expected.customer_id = histories.customer_id
    where
        histories.customer_id is null
        or expected.customer_id is null
        or histories.first_month <> expected.first_month
        or histories.last_month <> expected.last_month
        or histories.months <> expected.last_month - expected.first_month + 1
        or 2 * histories.month_sum <> histories.months * (expected.first_month + expected.last_month)

)

select * from final
