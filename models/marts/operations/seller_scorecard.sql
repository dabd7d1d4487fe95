with orders as (

    select * from {{ ref('fct_orders') }}

),

order_items as (

    select * from {{ ref('int_order_items_rolled_up') }}

),

sellers as (

    select * from {{ ref('dim_sellers') }}

),

seller_classes as (

    select * from {{ ref('seller_abc') }}

),

-- Delivery and review of an order belong to a seller only when no other seller had a part in it.
single_seller_orders as (

    select
        order_items.only_seller_id as seller_id,
        orders.*
    from orders
    inner join order_items on orders.order_id = order_items.order_id
    where orders.is_valid_order and order_items.only_seller_id is not null

),

-- As if every seller started with so many reviews of the overall mean: two five-star reviews do not make the best.
credit as (

    select
        {{ var('seller_score_prior_reviews') }} as reviews,
        {{ ratio('sum(review_score)', 'count(review_score)') }} as score
    from single_seller_orders

),

performance as (

    select
        seller_id,
        count(*) as orders,
        sum(item_count) as items,
        sum(item_value) as revenue,
        min(order_date) as first_order_date,
        max(order_date) as last_order_date,
        count(delivery_days) as delivered_orders,
        count(is_late) as promised_orders,
        sum(delivery_days) as delivery_days_sum,
        {{ late_orders() }} as late_orders,
        count(review_score) as reviewed_orders,
        coalesce(sum(review_score), 0) as score_sum
    from single_seller_orders
    group by 1

),

shrunk as (

    select
        performance.*,
        {{ ratio(
            'performance.score_sum + credit.reviews * credit.score', 'performance.reviewed_orders + credit.reviews'
        ) }} as shrunk_review_score
    from performance
    cross join credit

),

final as (

    select
        shrunk.seller_id,
        cast(sellers.city as string) as seller_city,
        cast(coalesce(sellers.state, 'unknown') as string) as seller_state,
        cast(coalesce(sellers.region, 'unknown') as string) as seller_region,
        seller_classes.abc_class,
        shrunk.orders,
        cast(shrunk.items as bigint) as items,
        cast(shrunk.revenue as decimal(18, 2)) as revenue,
        shrunk.first_order_date,
        shrunk.last_order_date,
        shrunk.delivered_orders,
        {{ ratio('shrunk.delivery_days_sum', 'shrunk.delivered_orders') }} as mean_delivery_days,
        cast(shrunk.late_orders as bigint) as late_orders,
        {{ ratio('shrunk.late_orders', 'shrunk.promised_orders') }} as late_share,
        shrunk.reviewed_orders,
        cast(shrunk.score_sum as bigint) as score_sum,
        {{ ratio('shrunk.score_sum', 'shrunk.reviewed_orders') }} as mean_review_score,
        shrunk.shrunk_review_score
    from shrunk
    left join sellers on shrunk.seller_id = sellers.seller_id
    left join seller_classes on shrunk.seller_id = seller_classes.seller_id

)

select * from final
