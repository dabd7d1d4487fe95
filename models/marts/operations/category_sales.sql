with order_items as (

    select * from {{ ref('fct_order_items') }}

),

states as (

    select * from {{ ref('int_shop_states') }}

),

sales as (

    select
        order_month,
        product_category,
        customer_state,
        sum(coalesce(quantity, 1)) as units,
        count(distinct order_id) as orders,
        sum(price) as revenue,
        sum(freight_value) as freight_value
    from order_items
    where is_valid_order
    group by 1, 2, 3

),

final as (

    select
        sales.order_month,
        sales.product_category,
        sales.customer_state,
        cast(states.iso_code as string) as customer_state_iso,
        cast(coalesce(states.state_name, sales.customer_state) as string) as customer_state_name,
        cast(coalesce(states.region, 'unknown') as string) as customer_region,
        cast(sales.units as bigint) as units,
        sales.orders,
        cast(sales.revenue as decimal(18, 2)) as revenue,
        cast(sales.freight_value as decimal(18, 2)) as freight_value
    from sales
    left join states on sales.customer_state = states.state

)

select * from final
