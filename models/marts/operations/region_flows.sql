with order_items as (

    select * from {{ ref('fct_order_items') }}

),

orders as (

    select * from {{ ref('fct_orders') }}

),

sellers as (

    select * from {{ ref('dim_sellers') }}

),

states as (

    select * from {{ ref('int_shop_states') }}

),

-- One row per order and seller state, so that an order's delivery days are added once, not once per line.
order_flows as (

    select
        order_items.order_id,
        order_items.customer_state,
        coalesce(sellers.state, 'unknown') as seller_state,
        sum(coalesce(order_items.quantity, 1)) as units,
        sum(order_items.price) as revenue,
        sum(order_items.freight_value) as freight_value
    from order_items
    left join sellers on order_items.seller_id = sellers.seller_id
    where order_items.is_valid_order
    group by 1, 2, 3

),

-- The days of an order shared by several sellers say nothing about one seller's distance.
flows as (

    select
        order_flows.customer_state,
        order_flows.seller_state,
        count(*) as orders,
        sum(order_flows.units) as units,
        sum(order_flows.revenue) as revenue,
        sum(order_flows.freight_value) as freight_value,
        sum(
            case when orders.seller_count = 1 and orders.delivery_days is not null then 1 else 0 end
        ) as delivered_orders,
        sum(case when orders.seller_count = 1 then orders.delivery_days end) as delivery_days_sum
    from order_flows
    inner join orders on order_flows.order_id = orders.order_id
    group by 1, 2

),

final as (

    select
        flows.customer_state,
        cast(customer_states.iso_code as string) as customer_state_iso,
        cast(coalesce(customer_states.state_name, flows.customer_state) as string) as customer_state_name,
        cast(coalesce(customer_states.region, 'unknown') as string) as customer_region,
        flows.seller_state,
        cast(coalesce(seller_states.state_name, flows.seller_state) as string) as seller_state_name,
        cast(coalesce(seller_states.region, 'unknown') as string) as seller_region,
        flows.orders,
        cast(flows.units as bigint) as units,
        cast(flows.revenue as decimal(18, 2)) as revenue,
        cast(flows.freight_value as decimal(18, 2)) as freight_value,
        {{ ratio('flows.freight_value', 'flows.revenue') }} as freight_share,
        cast(flows.delivered_orders as bigint) as delivered_orders,
        cast(coalesce(flows.delivery_days_sum, 0) as bigint) as delivery_days_sum,
        {{ ratio('flows.delivery_days_sum', 'flows.delivered_orders') }} as mean_delivery_days
    from flows
    left join states as customer_states on flows.customer_state = customer_states.state
    left join states as seller_states on flows.seller_state = seller_states.state

)

select * from final
