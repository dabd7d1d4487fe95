-- Cohort, month and the four dimensions of the first order: a customer's dimensions never change, so customers add up
-- over them, and every cohort table is a sum over this one.
with customer_months as (

    select * from {{ ref('int_customer_months') }}

),

customers as (

    select * from {{ ref('dim_customers') }}

),

calendar as (

    select * from {{ ref('int_shop_calendar') }}

),

activity as (

    select
        {{ month_of('customers.first_valid_order_at') }} as cohort_month,
        customer_months.order_month,
        coalesce(customers.first_order_state, 'unknown') as first_order_state,
        coalesce(customers.first_order_region, 'unknown') as first_order_region,
        coalesce(customers.first_order_category, 'unknown') as first_order_category,
        coalesce(customers.first_order_payment_type, 'unknown') as first_order_payment_type,
        customer_months.orders,
        customer_months.revenue
    from customer_months
    inner join customers on customer_months.customer_id = customers.customer_id
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
