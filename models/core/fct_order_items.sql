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
        cast(order_items.order_id as string) as order_id,
        cast(order_items.order_item_number as integer) as order_item_number,
        cast(orders.customer_id as string) as customer_id,
        cast(order_items.product_id as string) as product_id,
        cast(order_items.seller_id as string) as seller_id,
        cast(coalesce(products.product_category, 'unknown') as string) as product_category,
        cast(orders.order_status as string) as order_status,
        cast(orders.is_valid_order as boolean) as is_valid_order,
        cast(orders.purchased_at as timestamp) as purchased_at,
        cast(orders.purchased_at as date) as order_date,
        {{ month_of('orders.purchased_at') }} as order_month,
        cast(order_items.shipping_limit_at as timestamp) as shipping_limit_at,
        cast(orders.state as string) as customer_state,
        cast(order_items.price as decimal(18, 2)) as price,
        cast(order_items.freight_value as decimal(18, 2)) as freight_value
    from order_items
    inner join orders on order_items.order_id = orders.order_id
    left join products on order_items.product_id = products.product_id

)

select * from final
