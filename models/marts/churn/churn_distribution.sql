with

customers as (

    select * from {{ ref('customer_360') }}
    where churn_probability is not null

),

-- Bands of half a percentage point, the last one closed: in a shop of one-time buyers nearly everyone lies above 90 %.
binned as (

    select
        *,
        least(floor(churn_probability * 200), 199) as bin
    from customers

),

summed as (

    select
        cast(bin as integer) as bin,
        rfm_segment,
        churn_band,
        return_rank_band,
        customer_state,
        customer_state_iso,
        customer_state_name,
        customer_region,
        churn_horizon_days as horizon_days,
        count(*) as customers,
        sum(value_at_risk) as value_at_risk
    from binned
    group by 1, 2, 3, 4, 5, 6, 7, 8, 9

),

final as (

    select
        bin,
        cast(bin / 2.0 as decimal(4, 1)) as probability_from_percent,
        rfm_segment,
        churn_band,
        return_rank_band,
        customer_state,
        customer_state_iso,
        customer_state_name,
        customer_region,
        horizon_days,
        customers,
        cast(value_at_risk as decimal(18, 2)) as value_at_risk
    from summed

)

select * from final
