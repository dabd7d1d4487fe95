{% set follow_up_days = var('hypothesis_follow_up_days') %}
{% set review_days = var('hypothesis_review_days') %}

with orders as (

    select * from {{ ref('fct_orders') }}
    where is_valid_order and customer_id is not null

),

reviews as (

    select * from {{ ref('fct_reviews') }}

),

calendar as (

    select * from {{ ref('int_shop_calendar') }}

),

-- People are followed to the end of the last complete month: orders missing after it are not people staying away.
observation as (

    select {{ add_months('last_complete_month', 1) }} as observed_until
    from calendar

),

order_reviews as (

    select
        order_id,
        min(coalesce(review_answered_at, review_created_at)) as reviewed_at
    from reviews
    group by 1

),

reviewed_orders as (

    select
        orders.*,
        observation.observed_until,
        {{ days_between('orders.order_date', 'observation.observed_until') }} >= {{ review_days }} as is_mature,
        coalesce({{ days_between('orders.purchased_at', 'order_reviews.reviewed_at') }} < {{ review_days }}, false)
            as is_reviewed
    from orders
    cross join observation
    left join order_reviews on orders.order_id = order_reviews.order_id

),

first_orders as (

    select
        *,
        {{ ratio('item_value', 'item_count') }} as mean_item_price,
        {{ days_between('order_date', 'observed_until') }} >= {{ follow_up_days }} as has_follow_up,
        {{ days_between('delivered_at', 'observed_until') }} >= {{ follow_up_days }} as has_delivery_follow_up
    from reviewed_orders
    where customer_order_number = 1

),

later_orders as (

    select
        later.customer_id,
        later.is_mature,
        later.is_reviewed,
        later.order_date,
        later.customer_occasion_number > 1 as is_return,
        {{ days_between('first_orders.order_date', 'later.order_date') }} as days_since_first_order,
        later.purchased_at > first_orders.delivered_at
        and {{ days_between('first_orders.delivered_at', 'later.purchased_at') }} < {{ follow_up_days }}
            as is_after_delivery
    from reviewed_orders as later
    inner join first_orders on later.customer_id = first_orders.customer_id
    where later.customer_order_number > 1

),

-- Returning is another shopping occasion; a further order of the first day is an order that may be reviewed, and no
-- return.
returns as (

    select
        customer_id,
        max(case when is_return and days_since_first_order < {{ follow_up_days }} then 1 else 0 end) as is_back,
        max(
            case
                when
                    is_return
                    and days_since_first_order >= {{ review_days }}
                    and days_since_first_order < {{ follow_up_days }}
                    then 1
                else 0
            end
        ) as is_back_after_review,
        max(case when is_return and is_after_delivery then 1 else 0 end) as is_back_after_delivery,
        count(distinct case when is_mature and is_return then order_date end) as mature_returns,
        sum(case when is_mature then 1 else 0 end) as mature_orders,
        sum(case when is_mature and is_reviewed then 1 else 0 end) as reviewed_orders
    from later_orders
    group by 1

),

cities as (

    select
        customer_state,
        customer_city,
        count(*) as customers,
        rank() over (order by count(*) desc) as size_rank
    from first_orders
    where customer_city is not null
    group by 1, 2

),

final as (

    select
        first_orders.customer_id,
        first_orders.order_date as first_order_date,
        {{ iso_weekday('first_orders.order_date') }} as first_order_weekday,
        first_orders.customer_state as state,
        first_orders.customer_city as city,
        cities.size_rank <= {{ var('hypothesis_largest_cities') }} as is_largest_city,
        first_orders.mean_item_price,
        first_orders.delivery_days,
        first_orders.is_reviewed,
        coalesce(first_orders.has_follow_up, false) as has_follow_up,
        coalesce(first_orders.has_delivery_follow_up, false) as has_delivery_follow_up,
        coalesce(returns.is_back, 0) > 0 as is_back,
        coalesce(returns.is_back_after_review, 0) > 0 as is_back_after_review,
        coalesce(returns.is_back_after_delivery, 0) > 0 as is_back_after_delivery,
        case when first_orders.is_mature then 1 else 0 end + coalesce(returns.mature_returns, 0) as mature_occasions,
        case when first_orders.is_mature then 1 else 0 end + coalesce(returns.mature_orders, 0) as mature_orders,
        case when first_orders.is_mature and first_orders.is_reviewed then 1 else 0 end
        + coalesce(returns.reviewed_orders, 0) as reviewed_orders
    from first_orders
    left join returns on first_orders.customer_id = returns.customer_id
    left join cities
        on first_orders.customer_state = cities.customer_state and first_orders.customer_city = cities.customer_city

)

select * from final
