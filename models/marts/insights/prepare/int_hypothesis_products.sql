{% set follow_up_days = var('hypothesis_follow_up_days') %}

with order_items as (

    select * from {{ ref('fct_order_items') }}
    where is_valid_order

),

products as (

    select * from {{ ref('dim_products') }}

),

calendar as (

    select * from {{ ref('int_shop_calendar') }}

),

product_orders as (

    select
        product_id,
        order_id,
        min(order_date) as order_date
    from order_items
    group by 1, 2

),

first_sales as (

    select
        product_id,
        min(order_date) as first_sale_date
    from product_orders
    group by 1

),

early_orders as (

    select
        first_sales.product_id,
        first_sales.first_sale_date,
        count(*) as orders_in_follow_up
    from first_sales
    inner join product_orders on first_sales.product_id = product_orders.product_id
    where {{ days_between('first_sales.first_sale_date', 'product_orders.order_date') }} < {{ follow_up_days }}
    group by 1, 2

),

final as (

    select
        products.product_id,
        products.photo_count,
        products.description_length,
        early_orders.first_sale_date,
        coalesce(
            {{ days_between('early_orders.first_sale_date', add_months('calendar.last_complete_month', 1)) }}
            >= {{ follow_up_days }},
            false
        ) as has_follow_up,
        early_orders.orders_in_follow_up
    from products
    inner join early_orders on products.product_id = early_orders.product_id
    cross join calendar

)

select * from final
