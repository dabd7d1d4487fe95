with orders as (

    select * from {{ ref('fct_orders') }}

),

states as (

    select * from {{ ref('int_shop_states') }}

),

scores as (

    select
        order_month,
        review_score,
        customer_state,
        count(*) as reviews,
        {{ late_orders() }} as late_orders,
        count(delivery_days) as delivered_orders,
        sum(delivery_days) as delivery_days_sum
    from orders
    where review_score is not null
    group by 1, 2, 3

),

final as (

    select
        scores.order_month,
        scores.review_score,
        scores.customer_state,
        cast(states.iso_code as string) as customer_state_iso,
        cast(coalesce(states.state_name, scores.customer_state) as string) as customer_state_name,
        cast(coalesce(states.region, 'unknown') as string) as customer_region,
        scores.reviews,
        scores.delivered_orders,
        cast(scores.late_orders as bigint) as late_orders,
        cast(coalesce(scores.delivery_days_sum, 0) as bigint) as delivery_days_sum
    from scores
    left join states on scores.customer_state = states.state

)

select * from final
