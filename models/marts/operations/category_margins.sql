with product_margins as (

    select * from {{ ref('product_margins') }}

),

totals as (

    select
        product_category,
        count(*) as products,
        count(unit_cost) as products_with_cost,
        sum(revenue) as revenue,
        sum(case when unit_cost is not null then revenue else 0 end) as revenue_with_cost,
        sum(cost_value) as cost_value
    from product_margins
    group by 1

),

final as (

    select
        product_category,
        cast(products as bigint) as products,
        cast(products_with_cost as bigint) as products_with_cost,
        cast(revenue as decimal(18, 2)) as revenue,
        cast(revenue_with_cost as decimal(18, 2)) as revenue_with_cost,
        {{ ratio('revenue_with_cost', 'revenue') }} as cost_coverage,
        cast(cost_value as decimal(18, 2)) as cost_value,
        cast(revenue_with_cost - cost_value as decimal(18, 2)) as margin,
        {{ ratio('revenue_with_cost - cost_value', 'revenue_with_cost') }} as margin_share
    from totals

)

select * from final
