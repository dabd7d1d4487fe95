with orders as (

    select * from {{ ref('fct_orders') }}

),

states as (

    select * from {{ ref('int_shop_states') }}

),

deliveries as (

    select
        order_month,
        customer_state,
        count(*) as delivered_orders,
        sum(delivery_days) as delivery_days_sum,
        sum(delay_days) as delay_days_sum,
        count(is_late) as promised_orders,
        {{ late_orders() }} as late_orders,
        sum(case when is_late then delay_days when not is_late then 0 end) as late_days_sum,
        count(review_score) as reviewed_orders,
        sum(review_score) as review_score_sum
    from orders
    where delivery_days is not null
    group by 1, 2

),

final as (

    select
        deliveries.order_month,
        deliveries.customer_state,
        cast(states.iso_code as string) as customer_state_iso,
        cast(coalesce(states.state_name, deliveries.customer_state) as string) as customer_state_name,
        cast(coalesce(states.region, 'unknown') as string) as customer_region,
        deliveries.delivered_orders,
        cast(deliveries.delivery_days_sum as bigint) as delivery_days_sum,
        {{ ratio('deliveries.delivery_days_sum', 'deliveries.delivered_orders') }} as mean_delivery_days,
        cast(deliveries.delay_days_sum as bigint) as delay_days_sum,
        {{ ratio('deliveries.delay_days_sum', 'deliveries.promised_orders') }} as mean_delay_days,
        cast(deliveries.promised_orders as bigint) as promised_orders,
        cast(deliveries.late_orders as bigint) as late_orders,
        {{ ratio('deliveries.late_orders', 'deliveries.promised_orders') }} as late_share,
        cast(deliveries.late_days_sum as bigint) as late_days_sum,
        deliveries.reviewed_orders,
        cast(coalesce(deliveries.review_score_sum, 0) as bigint) as review_score_sum,
        {{ ratio('deliveries.review_score_sum', 'deliveries.reviewed_orders') }} as mean_review_score
    from deliveries
    left join states on deliveries.customer_state = states.state

)

select * from final
