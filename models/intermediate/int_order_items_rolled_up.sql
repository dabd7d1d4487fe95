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

    select
        all_order_items.order_id,
        all_order_items.product_id,
        all_order_items.seller_id,
        all_order_items.price,
        all_order_items.freight_value,
        coalesce(products.product_category, 'unknown') as product_category
    from all_order_items
    inner join orders on all_order_items.order_id = orders.order_id
    left join products on all_order_items.product_id = products.product_id

),

rolled_up as (

    select
        order_id,
        count(*) as item_count,
        min(seller_id) as first_seller_id,
        min(product_category) as first_category,
        sum(price) as item_value,
        sum(freight_value) as freight_value
    from order_items
    group by 1

),

-- Most orders have one line, which is the answer to all that follows; only the others are counted and compared.
items_of_several as (

    select order_items.*
    from order_items
    inner join rolled_up on order_items.order_id = rolled_up.order_id
    where rolled_up.item_count > 1

),

differences as (

    select
        order_id,
        count(distinct product_id) as product_count,
        count(distinct seller_id) as seller_count
    from items_of_several
    group by 1

),

order_categories as (

    select
        order_id,
        product_category,
        sum(price) as item_value
    from items_of_several
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

final as (

    select
        rolled_up.order_id,
        rolled_up.item_count,
        coalesce(differences.product_count, 1) as product_count,
        coalesce(
            differences.seller_count, case when rolled_up.first_seller_id is null then 0 else 1 end
        ) as seller_count,
        case when coalesce(differences.seller_count, 1) = 1 then rolled_up.first_seller_id end as only_seller_id,
        rolled_up.item_value,
        rolled_up.freight_value,
        coalesce(main_categories.main_category, rolled_up.first_category) as main_category
    from rolled_up
    left join differences on rolled_up.order_id = differences.order_id
    left join main_categories on rolled_up.order_id = main_categories.order_id

)

select * from final
