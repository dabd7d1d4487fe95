{{ config(materialized='windowed', window_by='order_id') }}

with reviews as (

    select * from {{ ref('int_reviews') }}
    {{ where_order_in_window() }}

),

-- Latest answer first; a review without an answer stamp counts only when the order has no other.
ranked as (

    select
        order_id,
        review_id,
        review_score,
        answered_at,
        coalesce(answered_at, cast('1900-01-01' as timestamp)) as answered_or_never_at
    from reviews

),

final as (

    select
        order_id,
        count(*) as review_count,
        {{ last_by('review_id', ['answered_or_never_at', 'review_id']) }} as review_id,
        {{ last_by('review_score', ['answered_or_never_at', 'review_id']) }} as review_score,
        max(answered_at) as answered_at
    from ranked
    group by 1

)

select * from final
