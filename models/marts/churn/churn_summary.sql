with

customers as (

    select * from {{ ref('customer_360') }}

),

summed as (

    select
        rfm_segment,
        coalesce(churn_band, 'not_scored') as churn_band,
        coalesce(return_rank_band, 'not_scored') as return_rank_band,
        customer_state,
        customer_state_iso,
        customer_state_name,
        customer_region,
        churn_horizon_days as horizon_days,
        count(*) as customers,
        count(churn_probability) as scored_customers,
        sum(cast(churn_probability as decimal(18, 6))) as churn_probability_sum,
        sum(cast(expected_orders as decimal(18, 6))) as expected_orders,
        sum(expected_revenue) as expected_revenue,
        sum(value_at_risk) as value_at_risk
    from customers
    group by 1, 2, 3, 4, 5, 6, 7, 8

),

final as (

    select
        rfm_segment,
        churn_band,
        return_rank_band,
        customer_state,
        customer_state_iso,
        customer_state_name,
        customer_region,
        horizon_days,
        customers,
        scored_customers,
        cast(churn_probability_sum as double) as churn_probability_sum,
        cast(expected_orders as double) as expected_orders,
        cast(expected_revenue as decimal(18, 2)) as expected_revenue,
        cast(value_at_risk as decimal(18, 2)) as value_at_risk
    from summed

)

select * from final
