{%- set horizon_days = var('churn_horizon_days') -%}
{%- set gap_days_sd -%}
    -- Equal gaps may come out a hair below zero.
    sqrt(greatest(
        (
            cast(last_orders.running_squared_gap as double)
            - {{ ratio(
                days_between('last_orders.first_order_date', 'last_orders.order_date') ~ ' * '
                ~ days_between('last_orders.first_order_date', 'last_orders.order_date'),
                'snapshots.customer_occasion_number - 1',
            ) }}
        ) / (snapshots.customer_occasion_number - 2),
        0
    ))
{%- endset -%}
{%- set recency_to_mean_gap -%}
    cast({{ days_between('last_orders.order_date', 'snapshots.cutoff_date') }} as double)
    * (snapshots.customer_occasion_number - 1)
    / {{ days_between('last_orders.first_order_date', 'last_orders.order_date') }}
{%- endset -%}
{%- set spend_trend -%}
    cast(last_orders.payment_value as double) * (snapshots.customer_occasion_number - 1)
    / nullif(cast(last_orders.running_payment - last_orders.payment_value as double), 0)
{%- endset -%}

with

orders as (

    select
        *,
        cast(delivered_at as date) as delivered_date
    from {{ ref('fct_orders') }}

),

order_history as (

    select * from {{ ref('int_churn_order_history') }}

),

snapshots as (

    select * from {{ ref('int_churn_snapshots') }}

),

past_reviews as (

    select * from {{ ref('int_churn_past_reviews') }}

),

-- A first occasion and a largest one other than the last exist only for those who came more than once.
earlier_orders as (

    select
        customer_id,
        customer_occasion_number,
        payment_value,
        payment_type,
        main_category
    from order_history
    where next_order_date is not null

),

-- Deliveries count from the day they happened, whatever the order's status is now. A single order needs no sum.
past_deliveries as (

    select
        snapshots.customer_id,
        snapshots.cutoff_number,
        sum(case when orders.is_valid_order then 0 else 1 end) as canceled_order_count,
        sum(
            case
                when not orders.is_valid_order then 0
                when orders.delivered_date < snapshots.cutoff_date then 0
                else 1
            end
        ) as open_delivery_count,
        count(
            case when orders.delivered_date < snapshots.cutoff_date then orders.delivery_days end
        ) as delivered_order_count,
        sum(
            case when orders.delivered_date < snapshots.cutoff_date then orders.delivery_days end
        ) as total_delivery_days,
        sum(
            case when orders.delivered_date < snapshots.cutoff_date then orders.delay_days end
        ) as total_delay_days,
        count(
            case when orders.delivered_date < snapshots.cutoff_date then orders.is_late end
        ) as promised_order_count,
        sum(
            case when orders.delivered_date < snapshots.cutoff_date and orders.is_late then 1 else 0 end
        ) as late_order_count
    from snapshots
    inner join orders
        on
            snapshots.customer_id = orders.customer_id
            and snapshots.cutoff_date > orders.order_date
    where snapshots.has_other_orders
    group by snapshots.customer_id, snapshots.cutoff_number

),

-- Of a single occasion its age tells it.
recent_occasions as (

    select
        snapshots.customer_id,
        snapshots.cutoff_number,
        count(*) as occasions_365_days,
        sum(
            case when {{ days_between('order_history.order_date', 'snapshots.cutoff_date') }} <= 90 then 1 else 0 end
        ) as occasions_90_days
    from snapshots
    inner join order_history
        on
            snapshots.customer_id = order_history.customer_id
            and snapshots.cutoff_date > order_history.order_date
    where
        snapshots.customer_occasion_number > 1
        and {{ days_between('order_history.order_date', 'snapshots.cutoff_date') }} <= 365
    group by snapshots.customer_id, snapshots.cutoff_number

),

-- Only for closed windows: what happened after the cut-off, to learn from and to be judged by.
outcomes as (

    select
        snapshots.customer_id,
        snapshots.cutoff_number,
        count(distinct orders.order_date) as orders_in_window,
        sum(orders.payment_value) as revenue_in_window
    from snapshots
    inner join orders
        on
            snapshots.customer_id = orders.customer_id
            and orders.is_valid_order
            and snapshots.cutoff_date <= orders.order_date
            and snapshots.window_end_date > orders.order_date
    where
        snapshots.is_window_closed
        and snapshots.next_order_date < snapshots.window_end_date
    group by snapshots.customer_id, snapshots.cutoff_number

),

final as (

    select
        snapshots.customer_id,
        snapshots.cutoff_date,
        snapshots.as_of_date,
        cast({{ horizon_days }} as integer) as horizon_days,
        cast({{ days_between('last_orders.order_date', 'snapshots.cutoff_date') }} as integer) as recency_days,
        cast({{ days_between('last_orders.first_order_date', 'snapshots.cutoff_date') }} as integer) as tenure_days,
        cast(snapshots.customer_occasion_number as integer) as order_count,
        {%- for days in [90, 365] %}
            cast(
                case
                    when snapshots.customer_occasion_number > 1
                        then coalesce(recent_occasions.occasions_{{ days }}_days, 0)
                    when {{ days_between('last_orders.order_date', 'snapshots.cutoff_date') }} <= {{ days }} then 1
                    else 0
                end as integer
            ) as order_count_{{ days }}_days,
        {%- endfor %}
        {{ ratio(
            days_between('last_orders.first_order_date', 'last_orders.order_date'),
            'snapshots.customer_occasion_number - 1',
        ) }} as mean_gap_days,
        case
            when snapshots.customer_occasion_number > 2
                then {{ rounded(gap_days_sd, 6) }}
        end as gap_days_sd,
        cast(last_orders.gap_days as integer) as last_gap_days,
        case
            when last_orders.first_order_date < last_orders.order_date
                then {{ rounded(recency_to_mean_gap, 9) }}
        end as recency_to_mean_gap,
        cast(last_orders.running_payment as decimal(18, 2)) as monetary_total,
        {{ ratio('last_orders.running_payment', 'snapshots.customer_occasion_number') }} as monetary_mean,
        cast(last_orders.payment_value as decimal(18, 2)) as last_order_payment,
        cast(last_orders.largest_payment as decimal(18, 2)) as largest_order_payment,
        cast(coalesce(first_orders.payment_value, last_orders.payment_value) as decimal(18, 2)) as first_order_payment,
        case
            when snapshots.customer_occasion_number > 1
                then {{ rounded(spend_trend, 9) }}
        end as spend_trend,
        {{ ratio('last_orders.running_items', 'snapshots.customer_occasion_number') }} as items_per_order,
        cast(last_orders.item_count as integer) as last_order_items,
        {{ ratio('last_orders.running_freight', 'last_orders.running_order_value') }} as freight_share,
        last_orders.main_category as last_category,
        coalesce(first_orders.main_category, last_orders.main_category) as first_category,
        coalesce(largest_orders.main_category, last_orders.main_category) as main_category,
        cast(last_orders.category_count as integer) as category_count,
        last_orders.payment_type as last_payment_type,
        coalesce(first_orders.payment_type, last_orders.payment_type) as first_payment_type,
        cast(last_orders.max_installments as integer) as last_installments,
        last_orders.customer_state,
        last_orders.customer_region,
        cast(
            case
                when last_orders.delivered_date < snapshots.cutoff_date then last_orders.delivery_days
            end as integer
        ) as last_delivery_days,
        cast(
            case
                when last_orders.delivered_date < snapshots.cutoff_date then last_orders.delay_days
            end as integer
        ) as last_delay_days,
        case
            when snapshots.has_other_orders
                then {{ ratio('past_deliveries.total_delivery_days', 'past_deliveries.delivered_order_count') }}
            when last_orders.delivered_date < snapshots.cutoff_date then cast(last_orders.delivery_days as double)
        end as mean_delivery_days,
        case
            when snapshots.has_other_orders
                then {{ ratio('past_deliveries.total_delay_days', 'past_deliveries.promised_order_count') }}
            when last_orders.delivered_date < snapshots.cutoff_date then cast(last_orders.delay_days as double)
        end as mean_delay_days,
        case
            when snapshots.has_other_orders
                then {{ ratio('past_deliveries.late_order_count', 'past_deliveries.promised_order_count') }}
            when last_orders.delivered_date < snapshots.cutoff_date
                then cast(case when last_orders.is_late then 1 when not last_orders.is_late then 0 end as double)
        end as late_share,
        case
            when snapshots.has_other_orders then past_deliveries.open_delivery_count > 0
            else coalesce(last_orders.delivered_date >= snapshots.cutoff_date, true)
        end as has_open_delivery,
        past_reviews.last_review_score,
        {{ ratio('past_reviews.total_review_score', 'past_reviews.review_count') }} as mean_review_score,
        cast(coalesce(past_reviews.review_count, 0) as integer) as review_count,
        coalesce(past_reviews.last_order_review_count, 0) = 0 as is_last_review_missing,
        coalesce(past_reviews.comment_count, 0) > 0 as has_review_comment,
        {{ iso_weekday('last_orders.order_date') }} as last_order_weekday,
        cast(extract(month from last_orders.order_date) as integer) as last_order_month,
        cast(coalesce(past_deliveries.canceled_order_count, 0) as integer) as canceled_order_count,
        snapshots.is_window_closed,
        cast(
            {{ days_between('snapshots.cutoff_date', 'snapshots.next_order_date') }} as integer
        ) as days_to_next_order,
        case
            when snapshots.is_window_closed
                then coalesce(snapshots.next_order_date < snapshots.window_end_date, false)
        end as is_retained,
        case
            when snapshots.is_window_closed
                then coalesce(snapshots.next_order_date >= snapshots.window_end_date, true)
        end as is_churned,
        cast(
            case when snapshots.is_window_closed then coalesce(outcomes.orders_in_window, 0) end as integer
        ) as orders_in_window,
        cast(
            case when snapshots.is_window_closed then coalesce(outcomes.revenue_in_window, 0) end as decimal(18, 2)
        ) as revenue_in_window
    from snapshots
    inner join order_history as last_orders
        on
            snapshots.customer_id = last_orders.customer_id
            and snapshots.customer_occasion_number = last_orders.customer_occasion_number
    left join earlier_orders as first_orders
        on
            snapshots.customer_id = first_orders.customer_id
            and first_orders.customer_occasion_number = 1
            and snapshots.customer_occasion_number > 1
    left join earlier_orders as largest_orders
        on
            snapshots.customer_id = largest_orders.customer_id
            and last_orders.largest_occasion_number = largest_orders.customer_occasion_number
            and snapshots.customer_occasion_number > last_orders.largest_occasion_number
    left join past_deliveries
        on
            snapshots.customer_id = past_deliveries.customer_id
            and snapshots.cutoff_number = past_deliveries.cutoff_number
    left join past_reviews
        on
            snapshots.customer_id = past_reviews.customer_id
            and snapshots.cutoff_number = past_reviews.cutoff_number
    left join recent_occasions
        on
            snapshots.customer_id = recent_occasions.customer_id
            and snapshots.cutoff_number = recent_occasions.cutoff_number
    left join outcomes
        on
            snapshots.customer_id = outcomes.customer_id
            and snapshots.cutoff_number = outcomes.cutoff_number

)

select * from final
