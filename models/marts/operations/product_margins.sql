with order_items as (

    select * from {{ ref('fct_order_items') }}

),

product_costs as (

    select * from {{ ref('stg_olist__product_costs') }}

),

known as (

    select count(*) as priced_products
    from product_costs

),

sold as (

    select
        order_items.product_id,
        min(order_items.product_category) as product_category,
        sum(coalesce(order_items.quantity, 1)) as units,
        sum(order_items.price) as revenue
    from order_items
    cross join known
    where order_items.is_valid_order and order_items.product_id is not null and known.priced_products > 0
    group by 1

),

costed as (

    select
        sold.*,
        product_costs.unit_cost,
        product_costs.unit_cost * sold.units as cost_value
    from sold
    left join product_costs on sold.product_id = product_costs.product_id

),

final as (

    select
        product_id,
        product_category,
        cast(units as bigint) as units,
        cast(revenue as decimal(18, 2)) as revenue,
        cast(unit_cost as decimal(18, 2)) as unit_cost,
        cast(cost_value as decimal(18, 2)) as cost_value,
        cast(revenue - cost_value as decimal(18, 2)) as margin,
        {{ ratio('revenue - cost_value', 'revenue') }} as margin_share
    from costed

)

select * from final
