with orders as (

    select * from {{ ref('fct_orders') }}

),

reviewed as (

    select
        review_score,
        delay_days,
        delivery_days,
        item_count,
        seller_count
    from orders
    where is_valid_order and review_score is not null

),

drivers as (

    select driver_names.driver
    from (
        values
        ('delay against the promised day'),
        ('days from purchase to delivery'),
        ('items in the order'),
        ('sellers in the order')
    ) as driver_names (driver)

),

-- One row per order and driver. An order without a delivery date has its own bucket: not arriving is a driver, too.
measured as (

    select
        reviewed.review_score,
        drivers.driver,
        case drivers.driver
            when 'delay against the promised day' then reviewed.delay_days
            when 'days from purchase to delivery' then reviewed.delivery_days
            when 'items in the order' then reviewed.item_count
            else reviewed.seller_count
        end as driver_value
    from reviewed
    cross join drivers

),

bucketed as (

    select
        review_score,
        driver,
        {{ review_driver_bucket_number() }} as bucket_number
    from measured

),

totals as (

    select
        driver,
        bucket_number,
        count(*) as orders,
        sum(review_score) as review_score_sum,
        sum(case when review_score <= 2 then 1 else 0 end) as low_scores,
        sum(case when review_score = 5 then 1 else 0 end) as top_scores
    from bucketed
    group by 1, 2

),

final as (

    select
        driver,
        bucket_number,
        cast({{ review_driver_bucket_label() }} as string) as bucket,
        orders,
        cast(review_score_sum as bigint) as review_score_sum,
        {{ ratio('review_score_sum', 'orders') }} as mean_review_score,
        cast(low_scores as bigint) as low_scores,
        {{ ratio('low_scores', 'orders') }} as low_score_share,
        cast(top_scores as bigint) as top_scores,
        {{ ratio('top_scores', 'orders') }} as top_score_share
    from totals

)

select * from final
