with orders as (

    select * from {{ ref('fct_orders') }}

),

states as (

    select * from {{ ref('int_shop_states') }}

),

calendar as (

    select * from {{ ref('int_shop_calendar') }}

),

daily as (

    select
        order_date,
        order_month,
        customer_state,
        customer_region,
        sum(case when is_valid_order then 1 else 0 end) as orders,
        sum(case when not is_valid_order then 1 else 0 end) as invalid_orders,
        sum(case when customer_order_number = 1 then 1 else 0 end) as new_customers,
        sum(case when customer_occasion_number > 1 then 1 else 0 end) as repeat_orders,
        sum(case when is_valid_order then item_count else 0 end) as items,
        sum(case when is_valid_order then item_value else 0 end) as item_value,
        sum(case when is_valid_order then freight_value else 0 end) as freight_value,
        sum(case when is_valid_order then payment_value else 0 end) as revenue
    from orders
    group by 1, 2, 3, 4

),

final as (

    select
        daily.order_date,
        daily.order_month,
        daily.customer_state,
        cast(states.iso_code as string) as customer_state_iso,
        cast(coalesce(states.state_name, daily.customer_state) as string) as customer_state_name,
        daily.customer_region,
        cast(coalesce(daily.order_month <= calendar.last_complete_month, false) as boolean) as is_complete_month,
        cast(daily.orders as bigint) as orders,
        cast(daily.invalid_orders as bigint) as invalid_orders,
        cast(daily.new_customers as bigint) as new_customers,
        cast(daily.repeat_orders as bigint) as repeat_orders,
        cast(daily.items as bigint) as items,
        cast(daily.item_value as decimal(18, 2)) as item_value,
        cast(daily.freight_value as decimal(18, 2)) as freight_value,
        cast(daily.revenue as decimal(18, 2)) as revenue
    from daily
    cross join calendar
    left join states on daily.customer_state = states.state

)

select * from final
