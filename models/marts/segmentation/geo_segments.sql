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
        customers.city,
        customers.state,
        customer_rfm.rfm_segment,
        customer_rfm.churn_risk_tier,
        customer_rfm.order_count,
        customer_rfm.monetary
    from customer_rfm
    inner join customers on customer_rfm.customer_id = customers.customer_id

),

summed as (

    select
        zip_code_prefix,
        rfm_segment,
        churn_risk_tier,
        count(*) as customers,
        sum(order_count) as orders,
        sum(monetary) as revenue
    from placed
    group by zip_code_prefix, rfm_segment, churn_risk_tier

),

-- For prefixes that geolocation does not know: what the customers there wrote, the same for all rows of the prefix.
written_places as (

    select
        zip_code_prefix,
        max(city) as city,
        max(state) as state
    from placed
    group by zip_code_prefix

),

named as (

    select
        summed.*,
        coalesce(locations.city, written_places.city, 'unknown') as city,
        coalesce(locations.state, written_places.state, 'unknown') as state,
        locations.latitude,
        locations.longitude
    from summed
    inner join written_places on summed.zip_code_prefix = written_places.zip_code_prefix
    left join locations on summed.zip_code_prefix = locations.zip_code_prefix

),

final as (

    select
        named.zip_code_prefix,
        named.rfm_segment,
        named.churn_risk_tier,
        named.latitude,
        named.longitude,
        named.city,
        named.state,
        named.state as customer_state,
        coalesce(states.region, 'unknown') as customer_region,
        named.customers,
        cast(named.orders as bigint) as orders,
        cast(named.revenue as decimal(18, 2)) as revenue
    from named
    left join states on named.state = states.state

)

select * from final
