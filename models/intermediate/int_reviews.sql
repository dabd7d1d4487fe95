{{ config(materialized='view') }}

with order_reviews as (

    select * from {{ ref('stg_olist__order_reviews') }}

),

calendar as (

    select hidden_from from {{ ref('int_shop_calendar') }}

),

-- A score is known once the customer has answered; a review without any stamp is as old as its order.
final as (

    select
        order_reviews.review_id,
        order_reviews.order_id,
        order_reviews.review_score,
        {{ nothing_if_blank('order_reviews.comment_title') }} as comment_title,
        {{ nothing_if_blank('order_reviews.comment_message') }} as comment_message,
        order_reviews.created_at,
        order_reviews.answered_at
    from order_reviews
    cross join calendar
    where
        coalesce(order_reviews.answered_at, order_reviews.created_at) is null
        or coalesce(order_reviews.answered_at, order_reviews.created_at) < calendar.hidden_from

)

select * from final
