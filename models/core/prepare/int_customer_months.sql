{{ config(materialized='windowed', window_by='order_month') }}

-- What cohorts, history and timelines share: people hardly ever order twice in a month, so this is the last big
-- grouping they need. A month's occasions are the days on which something was ordered.
with orders as (

    select * from {{ ref('fct_orders') }}
    {{ where_in_window('order_month') }}

),

final as (

    select
        customer_id,
        order_month,
        count(*) as orders,
        max(customer_occasion_number) - min(customer_occasion_number) + 1 as occasions,
        sum(payment_value) as revenue,
        max(order_date) as last_order_date
    from orders
    where is_valid_order and customer_id is not null
    group by customer_id, order_month

)

select * from final
