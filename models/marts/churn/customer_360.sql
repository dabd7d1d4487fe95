with

segments as (

    select * from {{ ref('customer_segments') }}

),

customers as (

    select * from {{ ref('dim_customers') }}

),

segment_changes as (

    select * from {{ ref('customer_segment_changes') }}

),

clusters as (

    select * from {{ ref('customer_clusters') }}

),

scores as (

    {{ scores_of_this_day('customer_churn_scores') }}

),

states as (

    select * from {{ ref('int_shop_states') }}

),

final as (

    select
        segments.customer_id,
        customers.city,
        customers.zip_code_prefix,
        cast(coalesce(customers.state, 'unknown') as string) as customer_state,
        cast(states.iso_code as string) as customer_state_iso,
        cast(coalesce(customers.state_name, customers.state, 'unknown') as string) as customer_state_name,
        cast(customers.region as string) as customer_region,
        customers.latitude,
        customers.longitude,
        customers.first_order_at,
        customers.last_order_at,
        customers.order_count,
        customers.valid_order_count,
        customers.is_repeat_customer,
        customers.first_valid_order_at,
        cast({{ month_of('customers.first_valid_order_at') }} as date) as cohort_month,
        customers.first_order_state,
        customers.first_order_region,
        customers.first_order_category,
        customers.first_order_payment_type,
        segments.recency_days,
        segments.frequency,
        segments.monetary,
        segments.recency_score,
        segments.frequency_score,
        segments.monetary_score,
        segments.rfm_cell,
        segments.rfm_weighted_score,
        segments.rfm_segment,
        segment_changes.earlier_rfm_segment,
        segments.churn_risk_tier,
        segments.loyalty_group,
        segments.cumulative_share_before,
        segments.abc_class,
        segments.mean_order_value,
        segments.order_value_cv,
        segments.xyz_class,
        segments.abc_xyz_segment,
        segments.description_en,
        segments.description_ru,
        cast(clusters.cluster as integer) as cluster,  -- noqa: RF04
        clusters.cluster_profile,
        scores.churn_probability,
        scores.churn_band,
        scores.return_rank_band,
        scores.return_lift,
        scores.reason_1,
        scores.reason_2,
        scores.reason_3,
        scores.reason_1_topic,
        scores.reason_2_topic,
        scores.reason_3_topic,
        scores.risk_reason_1,
        scores.risk_reason_2,
        scores.expected_orders,
        cast(scores.expected_revenue as decimal(18, 2)) as expected_revenue,
        cast(scores.usual_revenue as decimal(18, 2)) as usual_revenue,
        cast(scores.value_at_risk as decimal(18, 2)) as value_at_risk,
        cast({{ var('churn_horizon_days') }} as integer) as churn_horizon_days,
        scores.model_version,
        scores.scored_at
    from segments
    inner join customers on segments.customer_id = customers.customer_id
    inner join segment_changes on segments.customer_id = segment_changes.customer_id
    left join states on customers.state = states.state
    left join clusters on segments.customer_id = clusters.customer_id
    left join scores on segments.customer_id = scores.customer_id

)

select * from final
