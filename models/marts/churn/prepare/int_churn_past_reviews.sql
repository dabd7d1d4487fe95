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
        orders.order_date,
        coalesce(reviews.review_answered_at, reviews.review_created_at, orders.purchased_at) as known_at
    from reviews
    inner join orders on reviews.order_id = orders.order_id
    where orders.is_valid_order

),

review_counts as (

    select
        customer_id,
        count(*) as reviews
    from stamped_reviews
    group by customer_id

),

-- Most people have one review, which is the first; only those of the others are put in order.
reviews_of_several as (

    select
        stamped_reviews.review_id,
        stamped_reviews.order_id,
        row_number() over (
            partition by stamped_reviews.customer_id
            order by stamped_reviews.known_at, stamped_reviews.review_id, stamped_reviews.order_id
        ) as review_number
    from stamped_reviews
    inner join review_counts on stamped_reviews.customer_id = review_counts.customer_id
    where review_counts.reviews > 1

),

numbered_reviews as (

    select
        stamped_reviews.customer_id,
        stamped_reviews.order_date,
        stamped_reviews.review_score,
        stamped_reviews.has_comment,
        cast(stamped_reviews.known_at as date) as known_date,
        coalesce(reviews_of_several.review_number, 1) as review_number
    from stamped_reviews
    left join reviews_of_several
        on
            stamped_reviews.review_id = reviews_of_several.review_id
            and stamped_reviews.order_id = reviews_of_several.order_id

),

final as (

    select
        snapshots.customer_id,
        snapshots.cutoff_number,
        count(numbered_reviews.review_score) as review_count,
        sum(numbered_reviews.review_score) as total_review_score,
        {{ last_by('numbered_reviews.review_score', ['numbered_reviews.review_number']) }} as last_review_score,
        sum(case when numbered_reviews.has_comment then 1 else 0 end) as comment_count,
        sum(case when numbered_reviews.order_date = snapshots.order_date then 1 else 0 end) as last_order_review_count
    from snapshots
    inner join numbered_reviews
        on
            snapshots.customer_id = numbered_reviews.customer_id
            and snapshots.cutoff_date > numbered_reviews.known_date
    group by snapshots.customer_id, snapshots.cutoff_number

)

select * from final
