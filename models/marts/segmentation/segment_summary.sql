with customer_rfm as (

    select * from {{ ref('customer_rfm') }}

),

customers as (

    select * from {{ ref('dim_customers') }}

),

states as (

    select * from {{ ref('int_shop_states') }}

),

placed as (

    select
        customer_rfm.*,
        coalesce(customers.state, 'unknown') as customer_state
    from customer_rfm
    inner join customers on customer_rfm.customer_id = customers.customer_id

),

summed as (

    select
        rfm_segment,
        churn_risk_tier,
        customer_state,
        count(*) as customers,
        sum(case when frequency > 1 then 1 else 0 end) as repeat_customers,
        sum(order_count) as orders,
        sum(monetary) as revenue,
        sum(recency_days) as recency_days_sum
    from placed
    group by rfm_segment, churn_risk_tier, customer_state

),

final as (

    select
        summed.rfm_segment,
        summed.churn_risk_tier,
        summed.customer_state,
        states.iso_code as customer_state_iso,
        coalesce(states.state_name, summed.customer_state) as customer_state_name,
        coalesce(states.region, 'unknown') as customer_region,
        summed.customers,
        cast(summed.repeat_customers as bigint) as repeat_customers,
        cast(summed.orders as bigint) as orders,
        cast(summed.revenue as decimal(18, 2)) as revenue,
        cast(summed.recency_days_sum as bigint) as recency_days_sum
    from summed
    left join states on summed.customer_state = states.state

)

select * from final
