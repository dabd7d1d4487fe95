-- Cohort, month and the four dimensions of the first order: a customer's dimensions never change, so customers add up
-- over them, and every cohort table is a sum over this one.
with customer_months as (

    select * from {{ ref('int_customer_months') }}

),

first_orders as (

    select
        customer_id,
        order_month as cohort_month,
        customer_state as first_order_state,
        customer_region as first_order_region,
        coalesce(main_category, 'unknown') as first_order_category,
        coalesce(payment_type, 'unknown') as first_order_payment_type
    from {{ ref('fct_orders') }}
    where customer_order_number = 1

),

calendar as (

    select * from {{ ref('int_shop_calendar') }}

),

activity as (

    select
        first_orders.cohort_month,
        customer_months.order_month,
        first_orders.first_order_state,
        first_orders.first_order_region,
        first_orders.first_order_category,
        first_orders.first_order_payment_type,
        customer_months.orders,
        customer_months.revenue
    from customer_months
    inner join first_orders on customer_months.customer_id = first_orders.customer_id
    inner join calendar on customer_months.order_month <= calendar.last_complete_month

),

final as (

    select
        cohort_month,
        {{ months_between('cohort_month', 'order_month') }} as months_since_first_order,
        first_order_state,
        first_order_region,
        first_order_category,
        first_order_payment_type,
        count(*) as active_customers,
        sum(orders) as orders,
        sum(revenue) as revenue
    from activity
    group by
        cohort_month,
        order_month,
        first_order_state,
        first_order_region,
        first_order_category,
        first_order_payment_type

)

select * from final
