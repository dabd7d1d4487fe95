with orders as (

    select * from {{ ref('fct_orders') }}

),

order_items as (

    select * from {{ ref('fct_order_items') }}

),

sellers as (

    select * from {{ ref('dim_sellers') }}

),

states as (

    select * from {{ ref('int_shop_states') }}

),

demand as (

    select
        customer_state as state,
        count(distinct customer_id) as customers,
        count(*) as orders,
        sum(payment_value) as revenue,
        count(delivery_days) as delivered_orders,
        count(is_late) as promised_orders,
        sum(delivery_days) as delivery_days_sum,
        {{ late_orders() }} as late_orders
    from orders
    where is_valid_order
    group by 1

),

bought as (

    select
        order_items.customer_state as state,
        sum(order_items.price) as item_value_bought,
        sum(
            case when sellers.state = order_items.customer_state then order_items.price else 0 end
        ) as item_value_bought_within
    from order_items
    left join sellers on order_items.seller_id = sellers.seller_id
    where order_items.is_valid_order
    group by 1

),

sold as (

    select
        coalesce(sellers.state, 'unknown') as state,
        sum(order_items.price) as item_value_sold
    from order_items
    left join sellers on order_items.seller_id = sellers.seller_id
    where order_items.is_valid_order
    group by 1

),

supply as (

    select
        state,
        count(*) as sellers
    from sellers
    group by 1

),

-- All 27 units of Brazil; of other countries, whatever the files hold.
all_states as (

    select state from states
    where is_always_listed
    union distinct
    select state from demand
    union distinct
    select state from supply
    union distinct
    select state from sold

),

final as (

    select
        cast(all_states.state as string) as customer_state,
        cast(states.iso_code as string) as customer_state_iso,
        cast(coalesce(states.state_name, all_states.state) as string) as customer_state_name,
        cast(coalesce(states.region, 'unknown') as string) as customer_region,
        states.latitude,
        states.longitude,
        cast(coalesce(demand.customers, 0) as bigint) as customers,
        cast(coalesce(demand.orders, 0) as bigint) as orders,
        cast(coalesce(demand.revenue, 0) as decimal(18, 2)) as revenue,
        cast(coalesce(supply.sellers, 0) as bigint) as sellers,
        cast(coalesce(bought.item_value_bought, 0) as decimal(18, 2)) as item_value_bought,
        cast(coalesce(bought.item_value_bought_within, 0) as decimal(18, 2)) as item_value_bought_within,
        cast(coalesce(sold.item_value_sold, 0) as decimal(18, 2)) as item_value_sold,
        {{ ratio('coalesce(sold.item_value_sold, 0)', 'bought.item_value_bought') }} as supply_to_demand_ratio,
        cast(coalesce(demand.delivered_orders, 0) as bigint) as delivered_orders,
        {{ ratio('demand.delivery_days_sum', 'demand.delivered_orders') }} as mean_delivery_days,
        cast(coalesce(demand.promised_orders, 0) as bigint) as promised_orders,
        cast(case when demand.state is null then 0 else demand.late_orders end as bigint) as late_orders,
        {{ ratio('demand.late_orders', 'demand.promised_orders') }} as late_share
    from all_states
    left join states on all_states.state = states.state
    left join demand on all_states.state = demand.state
    left join bought on all_states.state = bought.state
    left join sold on all_states.state = sold.state
    left join supply on all_states.state = supply.state

)

select * from final
