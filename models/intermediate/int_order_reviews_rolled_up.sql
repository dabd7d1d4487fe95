{{ config(materialized='windowed', window_by='order_id') }}

with reviews as (

    select * from {{ ref('int_reviews') }}
    {{ where_order_in_window() }}

),

orders as (

    select order_id from {{ ref('int_orders') }}

),

rolled_up as (

    select
        reviews.order_id,
        count(*) as review_count,
        min(reviews.review_id) as first_review_id,
        min(reviews.review_score) as first_review_score,
        max(reviews.answered_at) as answered_at
    from reviews
    inner join orders on reviews.order_id = orders.order_id
    group by 1

),

reviews_of_several as (

    select
        reviews.order_id,
        reviews.review_id,
        reviews.review_score,
        coalesce(reviews.answered_at, cast('1900-01-01' as timestamp)) as answered_or_never_at
    from reviews
    inner join rolled_up on reviews.order_id = rolled_up.order_id
    where rolled_up.review_count > 1

),

-- The latest answer counts; a review without an answer stamp only when the order has no other. Hardly any order has
-- several reviews, and only those are compared.
latest_reviews as (

    select
        order_id,
        {{ last_by('review_id', ['answered_or_never_at', 'review_id']) }} as review_id,
        {{ last_by('review_score', ['answered_or_never_at', 'review_id']) }} as review_score
    from reviews_of_several
    group by 1

),

final as (

    select
        rolled_up.order_id,
        rolled_up.review_count,
        case
            when rolled_up.review_count = 1 then rolled_up.first_review_id
            else latest_reviews.review_id
        end as review_id,
        case
            when rolled_up.review_count = 1 then rolled_up.first_review_score
            else latest_reviews.review_score
        end as review_score,
        rolled_up.answered_at
    from rolled_up
    left join latest_reviews on rolled_up.order_id = latest_reviews.order_id

)

select * from final
