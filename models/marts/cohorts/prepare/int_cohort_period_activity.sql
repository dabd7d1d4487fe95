-- The same as int_cohort_activity by 30-day periods since each customer's own first occasion. Only the few who came
-- back are grouped by person.
with orders as (

    select * from {{ ref('fct_orders') }}
    where is_valid_order and customer_id is not null

),

calendar as (

    select * from {{ ref('int_shop_calendar') }}

),

first_orders as (

    select
        orders.customer_id,
        orders.order_date as first_order_date,
        orders.order_month as cohort_month,
        orders.customer_state as first_order_state,
        orders.customer_region as first_order_region,
        coalesce(orders.main_category, 'unknown') as first_order_category,
        coalesce(orders.payment_type, 'unknown') as first_order_payment_type
    from orders
    inner join calendar on orders.order_month <= calendar.last_complete_month
    where orders.customer_order_number = 1

),

first_occasions as (

    select
        customer_id,
        -1 as periods_since_first_occasion,
        count(*) as orders,
        sum(payment_value) as revenue
    from orders
    where customer_occasion_number = 1
    group by customer_id

),

-- Days 1 to 30 are period 0, days 31 to 60 period 1.
later_occasions as (

    select
        orders.customer_id,
        cast(
            floor(({{ days_between('first_orders.first_order_date', 'orders.order_date') }} - 1) / 30.0) as integer
        ) as periods_since_first_occasion,
        count(*) as orders,
        sum(orders.payment_value) as revenue
    from orders
    inner join first_orders on orders.customer_id = first_orders.customer_id
    where orders.customer_occasion_number > 1
    group by orders.customer_id, periods_since_first_occasion

),

customer_periods as (

    select * from first_occasions
    union all
    select * from later_occasions

),

final as (

    select
        first_orders.cohort_month,
        customer_periods.periods_since_first_occasion,
        first_orders.first_order_state,
        first_orders.first_order_region,
        first_orders.first_order_category,
        first_orders.first_order_payment_type,
        count(*) as active_customers,
        sum(customer_periods.orders) as orders,
        sum(customer_periods.revenue) as revenue
    from customer_periods
    inner join first_orders on customer_periods.customer_id = first_orders.customer_id
    group by
        first_orders.cohort_month,
        customer_periods.periods_since_first_occasion,
        first_orders.first_order_state,
        first_orders.first_order_region,
        first_orders.first_order_category,
        first_orders.first_order_payment_type

)

select * from final
