with

snapshots as (

    select * from {{ ref('int_churn_snapshots') }}

),

reviews as (

    select * from {{ ref('fct_reviews') }}

),

orders as (

    select * from {{ ref('fct_orders') }}

),

-- A review exists from the moment it is answered.
stamped_reviews as (

    select
        reviews.order_id,
        reviews.review_id,
        reviews.review_score,
        reviews.has_comment,
        orders.customer_id,
        coalesce(reviews.review_answered_at, reviews.review_created_at, orders.purchased_at) as known_at
    from reviews
    inner join orders on reviews.order_id = orders.order_id
    where orders.is_valid_order

),

numbered_reviews as (

    select
        order_id,
        customer_id,
        review_score,
        has_comment,
        cast(known_at as date) as known_date,
        row_number() over (partition by customer_id order by known_at, review_id, order_id) as review_number
    from stamped_reviews

),

final as (

    select
        snapshots.customer_id,
        snapshots.cutoff_number,
        count(numbered_reviews.review_score) as review_count,
        sum(numbered_reviews.review_score) as total_review_score,
        {{ last_by('numbered_reviews.review_score', ['numbered_reviews.review_number']) }} as last_review_score,
        sum(case when numbered_reviews.has_comment then 1 else 0 end) as comment_count,
        sum(case when numbered_reviews.order_id = snapshots.order_id then 1 else 0 end) as last_order_review_count
    from snapshots
    inner join numbered_reviews
        on
            snapshots.customer_id = numbered_reviews.customer_id
            and snapshots.cutoff_date > numbered_reviews.known_date
    group by snapshots.customer_id, snapshots.cutoff_number

)

select * from final
