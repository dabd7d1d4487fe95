with customer_rfm as (

    select * from {{ ref('customer_rfm') }}

),

customers as (

    select * from {{ ref('dim_customers') }}

),

locations as (

    select * from {{ ref('dim_locations') }}

),

states as (

    select * from {{ ref('int_shop_states') }}

),

placed as (

    select
        coalesce(customers.zip_code_prefix, 'unknown') as zip_code_prefix,
        coalesce(customers.state, 'unknown') as customer_state,
        customer_rfm.rfm_segment,
        customer_rfm.churn_risk_tier,
        cast(extract(year from customers.first_valid_order_at) as string)
        || ' Q' || cast(extract(quarter from customers.first_valid_order_at) as string) as cohort_quarter
    from customer_rfm
    inner join customers on customer_rfm.customer_id = customers.customer_id

),

counted as (

    select
        zip_code_prefix,
        customer_state,
        rfm_segment,
        churn_risk_tier,
        cohort_quarter,
        count(*) as customers
    from placed
    group by zip_code_prefix, customer_state, rfm_segment, churn_risk_tier, cohort_quarter

),

final as (

    select
        counted.zip_code_prefix,
        counted.customer_state,
        counted.rfm_segment,
        counted.churn_risk_tier,
        counted.cohort_quarter,
        locations.latitude,
        locations.longitude,
        states.iso_code as customer_state_iso,
        coalesce(states.state_name, counted.customer_state) as customer_state_name,
        coalesce(states.region, 'unknown') as customer_region,
        counted.customers
    from counted
    left join locations on counted.zip_code_prefix = locations.zip_code_prefix
    left join states on counted.customer_state = states.state

)

select * from final
