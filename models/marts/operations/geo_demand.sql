with orders as (

    select * from {{ ref('fct_orders') }}

),

sellers as (

    select * from {{ ref('dim_sellers') }}

),

locations as (

    select * from {{ ref('dim_locations') }}

),

states as (

    select * from {{ ref('int_shop_states') }}

),

demand as (

    select
        customer_zip_code_prefix as zip_code_prefix,
        min(customer_state) as state,
        min(customer_city) as city,
        count(distinct customer_id) as customers,
        count(*) as orders,
        sum(payment_value) as revenue,
        count(delivery_days) as delivered_orders,
        sum(delivery_days) as delivery_days_sum,
        {{ late_orders() }} as late_orders
    from orders
    where is_valid_order and customer_zip_code_prefix is not null
    group by 1

),

supply as (

    select
        zip_code_prefix,
        min(state) as state,
        min(city) as city,
        count(*) as sellers
    from sellers
    where zip_code_prefix is not null
    group by 1

),

-- A prefix missing from the geolocation table keeps its numbers; only its point on the map is unknown.
both_sides as (

    select
        coalesce(demand.zip_code_prefix, supply.zip_code_prefix) as zip_code_prefix,
        coalesce(locations.state, demand.state, supply.state) as state,
        coalesce(locations.city, demand.city, supply.city) as city,
        locations.latitude,
        locations.longitude,
        coalesce(demand.customers, 0) as customers,
        coalesce(demand.orders, 0) as orders,
        coalesce(demand.revenue, 0) as revenue,
        coalesce(supply.sellers, 0) as sellers,
        coalesce(demand.delivered_orders, 0) as delivered_orders,
        coalesce(demand.delivery_days_sum, 0) as delivery_days_sum,
        case when demand.zip_code_prefix is null then 0 else demand.late_orders end as late_orders
    from demand
    full outer join supply on demand.zip_code_prefix = supply.zip_code_prefix
    left join locations on coalesce(demand.zip_code_prefix, supply.zip_code_prefix) = locations.zip_code_prefix

),

final as (

    select
        both_sides.zip_code_prefix,
        both_sides.latitude,
        both_sides.longitude,
        cast(both_sides.city as string) as customer_city,
        cast(coalesce(both_sides.state, 'unknown') as string) as customer_state,
        cast(states.iso_code as string) as customer_state_iso,
        cast(coalesce(states.state_name, both_sides.state, 'unknown') as string) as customer_state_name,
        cast(coalesce(states.region, 'unknown') as string) as customer_region,
        both_sides.customers,
        both_sides.orders,
        cast(both_sides.revenue as decimal(18, 2)) as revenue,
        both_sides.sellers,
        both_sides.delivered_orders,
        cast(both_sides.delivery_days_sum as bigint) as delivery_days_sum,
        {{ ratio('both_sides.delivery_days_sum', 'both_sides.delivered_orders') }} as mean_delivery_days,
        cast(both_sides.late_orders as bigint) as late_orders
    from both_sides
    left join states on both_sides.state = states.state

)

select * from final
