-- Set back, the warehouse knows nothing of what was stamped later. By default nothing is hidden.
with calendar as (

    select hidden_from from {{ ref('int_shop_calendar') }}

),

stamps as (

    select
        order_id,
        greatest(
            purchased_at,
            coalesce(approved_at, purchased_at),
            coalesce(shipped_at, purchased_at),
            coalesce(delivered_at, purchased_at),
            coalesce(review_answered_at, purchased_at)
        ) as latest_stamp
    from {{ ref('fct_orders') }}
    union all
    select
        order_id,
        coalesce(review_answered_at, review_created_at) as latest_stamp
    from {{ ref('fct_reviews') }}

)

select stamps.*
from stamps
inner join calendar on stamps.latest_stamp >= calendar.hidden_from
