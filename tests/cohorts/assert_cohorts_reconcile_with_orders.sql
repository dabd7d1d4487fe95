-- Every valid order of the complete months is in exactly one cell, every person who began in them in one cohort; the
-- grid is dense, and observed exactly as far as complete months reach.
with cohorts as (

    select * from {{ ref('cohort_retention') }}

),

calendar as (

    select * from {{ ref('int_shop_calendar') }}

),

found as (

    select
        sum(case when months_since_first_order = 0 then cohort_size else 0 end) as customers,
        sum(orders) as orders,
        sum(revenue) as revenue,
        count(*) as cells,
        count(distinct cohort_month) * count(distinct months_since_first_order) as grid_cells
    from cohorts

),

expected as (

    select
        count(distinct orders.customer_id) as customers,
        count(*) as orders,
        sum(orders.payment_value) as revenue
    from {{ ref('fct_orders') }} as orders
    inner join calendar on orders.order_month <= calendar.last_complete_month
    where orders.is_valid_order and orders.customer_id is not null

),

misjudged as (

    select cohorts.cohort_month
    from cohorts
    cross join calendar
    where
        ({{ add_months('cohorts.cohort_month', 'cohorts.months_since_first_order') }} <= calendar.last_complete_month)
        <> cohorts.is_observable

),

final as (

    select 'customers, orders or revenue differ from the orders' as problem
    from found
    cross join expected
    where
        coalesce(found.customers, 0) <> expected.customers
        or coalesce(found.orders, 0) <> expected.orders
        or coalesce(found.revenue, 0) <> coalesce(expected.revenue, 0)

    union all

    select 'the grid has holes' as problem
    from found
    where cells <> grid_cells

    union all

    select concat('observed too early or late: cohort ', cohort_month) as problem
    from misjudged

)

select * from final
