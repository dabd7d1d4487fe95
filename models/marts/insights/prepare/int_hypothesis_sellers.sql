with orders as (

    select * from {{ ref('fct_orders') }}

),

order_items as (

    select * from {{ ref('int_order_items_rolled_up') }}

),

sellers as (

    select * from {{ ref('dim_sellers') }}

),

-- A score can be laid at one seller's door only when the order had no other.
scores as (

    select
        order_items.only_seller_id as seller_id,
        count(*) as scored_orders,
        {{ ratio('sum(order_items.item_count)', 'count(*)') }} as items_per_order,
        {{ ratio('sum(orders.review_score)', 'count(*)') }} as mean_score
    from orders
    inner join order_items on orders.order_id = order_items.order_id
    where orders.is_valid_order and orders.review_score is not null and order_items.only_seller_id is not null
    group by 1

),

final as (

    select
        sellers.seller_id,
        sellers.state,
        scores.scored_orders,
        scores.items_per_order,
        scores.mean_score
    from sellers
    inner join scores on sellers.seller_id = scores.seller_id

)

select * from final
