with customer_segments as (

    select * from {{ ref('customer_segments') }}

),

customers as (

    select * from {{ ref('dim_customers') }}

),

states as (

    select * from {{ ref('int_shop_states') }}

),

placed as (

    select
        customer_segments.*,
        coalesce(customers.state, 'unknown') as customer_state
    from customer_segments
    inner join customers on customer_segments.customer_id = customers.customer_id

),

summed as (

    select
        rfm_cell,
        recency_score,
        frequency_score,
        monetary_score,
        rfm_segment,
        churn_risk_tier,
        abc_class,
        xyz_class,
        customer_state,
        count(*) as customers,
        sum(order_count) as orders,
        sum(monetary) as revenue
    from placed
    group by
        rfm_cell,
        recency_score,
        frequency_score,
        monetary_score,
        rfm_segment,
        churn_risk_tier,
        abc_class,
        xyz_class,
        customer_state

),

final as (

    select
        summed.rfm_cell,
        summed.recency_score,
        summed.frequency_score,
        summed.monetary_score,
        summed.rfm_segment,
        summed.churn_risk_tier,
        summed.abc_class,
        summed.xyz_class,
        summed.customer_state,
        states.iso_code as customer_state_iso,
        coalesce(states.state_name, summed.customer_state) as customer_state_name,
        coalesce(states.region, 'unknown') as customer_region,
        summed.customers,
        cast(summed.orders as bigint) as orders,
        cast(summed.revenue as decimal(18, 2)) as revenue
    from summed
    left join states on summed.customer_state = states.state

)

select * from final
