{{ config(materialized='windowed', window_by='purchased_at') }}

with order_items as (

    select * from {{ ref('stg_olist__order_items') }}

),

orders as (

    select * from {{ ref('int_orders') }}
    {{ where_in_window('purchased_at') }}

),

products as (

    select * from {{ ref('int_products') }}

),

final as (

    select
        order_items.order_id,
        order_items.order_item_number,
        orders.customer_id,
        order_items.product_id,
        order_items.seller_id,
        cast(coalesce(products.product_category, 'unknown') as string) as product_category,
        orders.order_status,
        orders.is_valid_order,
        orders.purchased_at,
        cast(orders.purchased_at as date) as order_date,
        {{ month_of('orders.purchased_at') }} as order_month,
        order_items.shipping_limit_at,
        cast(orders.state as string) as customer_state,
        cast(order_items.quantity as integer) as quantity,
        cast(order_items.price as decimal(18, 2)) as price,
        cast(order_items.freight_value as decimal(18, 2)) as freight_value
    from order_items
    inner join orders on order_items.order_id = orders.order_id
    left join products on order_items.product_id = products.product_id

)

select * from final
