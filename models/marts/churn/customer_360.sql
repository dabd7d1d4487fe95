with

segments as (

    select * from {{ ref('customer_segments') }}

),

customers as (

    select * from {{ ref('dim_customers') }}

),

clusters as (

    select * from {{ ref('customer_clusters') }}

),

scores as (

    {{ scores_of_this_day('customer_churn_scores') }}

),

states as (

    select * from {{ ref('brazilian_states') }}

),

final as (

    select
        cast(segments.customer_id as string) as customer_id,
        cast(customers.city as string) as city,
        cast(customers.zip_code_prefix as string) as zip_code_prefix,
        cast(coalesce(customers.state, 'unknown') as string) as customer_state,
        cast(states.iso_code as string) as customer_state_iso,
        cast(coalesce(customers.state_name, customers.state, 'unknown') as string) as customer_state_name,
        cast(customers.region as string) as customer_region,
        cast(customers.latitude as double) as latitude,
        cast(customers.longitude as double) as longitude,
        cast(customers.first_order_at as timestamp) as first_order_at,
        cast(customers.last_order_at as timestamp) as last_order_at,
        cast(customers.order_count as integer) as order_count,
        cast(customers.valid_order_count as integer) as valid_order_count,
        cast(customers.is_repeat_customer as boolean) as is_repeat_customer,
        cast(customers.first_valid_order_at as timestamp) as first_valid_order_at,
        cast({{ month_of('customers.first_valid_order_at') }} as date) as cohort_month,
        cast(customers.first_order_state as string) as first_order_state,
        cast(customers.first_order_region as string) as first_order_region,
        cast(customers.first_order_category as string) as first_order_category,
        cast(customers.first_order_payment_type as string) as first_order_payment_type,
        cast(segments.recency_days as integer) as recency_days,
        cast(segments.frequency as integer) as frequency,
        cast(segments.monetary as decimal(18, 2)) as monetary,
        cast(segments.recency_score as integer) as recency_score,
        cast(segments.frequency_score as integer) as frequency_score,
        cast(segments.monetary_score as integer) as monetary_score,
        cast(segments.rfm_cell as string) as rfm_cell,
        cast(segments.rfm_weighted_score as decimal(9, 4)) as rfm_weighted_score,
        cast(segments.rfm_segment as string) as rfm_segment,
        cast(segments.churn_risk_tier as string) as churn_risk_tier,
        cast(segments.loyalty_group as string) as loyalty_group,
        cast(segments.cumulative_share_before as double) as cumulative_share_before,
        cast(segments.abc_class as string) as abc_class,
        cast(segments.mean_order_value as double) as mean_order_value,
        cast(segments.order_value_cv as double) as order_value_cv,
        cast(segments.xyz_class as string) as xyz_class,
        cast(segments.abc_xyz_segment as string) as abc_xyz_segment,
        cast(segments.description_en as string) as description_en,
        cast(segments.description_ru as string) as description_ru,
        cast(clusters.cluster as integer) as cluster,  -- noqa: RF04
        cast(clusters.cluster_profile as string) as cluster_profile,
        cast(scores.churn_probability as double) as churn_probability,
        cast(scores.churn_band as string) as churn_band,
        cast(scores.reason_1 as string) as reason_1,
        cast(scores.reason_2 as string) as reason_2,
        cast(scores.reason_3 as string) as reason_3,
        cast(scores.reason_1_topic as string) as reason_1_topic,
        cast(scores.reason_2_topic as string) as reason_2_topic,
        cast(scores.reason_3_topic as string) as reason_3_topic,
        cast(scores.expected_orders as double) as expected_orders,
        cast(scores.expected_revenue as decimal(18, 2)) as expected_revenue,
        cast(scores.value_at_risk as decimal(18, 2)) as value_at_risk,
        cast({{ var('churn_horizon_days') }} as integer) as churn_horizon_days,
        cast(scores.model_version as string) as model_version,
        cast(scores.scored_at as timestamp) as scored_at
    from segments
    inner join customers on segments.customer_id = customers.customer_id
    left join states on customers.state = states.state
    left join clusters on segments.customer_id = clusters.customer_id
    left join scores on segments.customer_id = scores.customer_id

)

select * from final
