{{ config(materialized='windowed', window_by='order_month') }}

with reviews as (

    select * from {{ ref('int_reviews') }}

),

orders as (

    select * from {{ ref('int_orders') }}
    {{ where_in_window('purchased_at') }}

),

order_reviews as (

    select * from {{ ref('int_order_reviews_rolled_up') }}

),

final as (

    select
        reviews.review_id,
        reviews.order_id,
        orders.customer_id,
        reviews.review_score,
        cast(reviews.review_id = order_reviews.review_id as boolean) as is_order_score,
        reviews.comment_title,
        reviews.comment_message,
        cast(coalesce(reviews.comment_title, reviews.comment_message) is not null as boolean) as has_comment,
        cast(reviews.created_at as timestamp) as review_created_at,
        cast(reviews.answered_at as timestamp) as review_answered_at,
        orders.is_valid_order,
        cast(orders.purchased_at as date) as order_date,
        {{ month_of('orders.purchased_at') }} as order_month,
        cast(orders.state as string) as customer_state
    from reviews
    inner join orders on reviews.order_id = orders.order_id
    inner join order_reviews on reviews.order_id = order_reviews.order_id

)

select * from final
