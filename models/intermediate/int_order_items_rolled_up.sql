{{ config(materialized='windowed', window_by='order_id') }}

with all_order_items as (

    select * from {{ ref('stg_olist__order_items') }}
    {{ where_order_in_window() }}

),

orders as (

    select order_id from {{ ref('int_orders') }}

),

products as (

    select * from {{ ref('int_products') }}

),

order_items as (

    select all_order_items.*
    from all_order_items
    inner join orders on all_order_items.order_id = orders.order_id

),

order_categories as (

    select
        order_items.order_id,
        coalesce(products.product_category, 'unknown') as product_category,
        sum(order_items.price) as item_value
    from order_items
    left join products on order_items.product_id = products.product_id
    group by 1, 2

),

-- The category worth most in the order; of equals, the first in the alphabet.
main_categories as (

    select
        order_id,
        {{ first_by('product_category', ['-item_value', 'product_category']) }} as main_category
    from order_categories
    group by 1

),

rolled_up as (

    select
        order_id,
        count(*) as item_count,
        count(distinct product_id) as product_count,
        count(distinct seller_id) as seller_count,
        min(seller_id) as first_seller_id,
        sum(price) as item_value,
        sum(freight_value) as freight_value
    from order_items
    group by 1

),

final as (

    select
        rolled_up.order_id,
        rolled_up.item_count,
        rolled_up.product_count,
        rolled_up.seller_count,
        case when rolled_up.seller_count = 1 then rolled_up.first_seller_id end as only_seller_id,
        rolled_up.item_value,
        rolled_up.freight_value,
        main_categories.main_category
    from rolled_up
    inner join main_categories on rolled_up.order_id = main_categories.order_id

)

select * from final
