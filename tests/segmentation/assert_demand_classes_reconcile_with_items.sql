-- Products, categories and sellers each hold all units and all revenue of the valid lines that name them.
{%- set marts = {
    'product_abc_xyz': 'product_id', 'category_abc_xyz': 'product_category', 'seller_abc': 'seller_id'
} %}

with valid_items as (

    select * from {{ ref('fct_order_items') }}
    where is_valid_order

),

totals as (

    {% for mart, key in marts.items() %}
        select
            '{{ mart }}' as mart,
            (select sum(demand.units) from {{ ref(mart) }} as demand) as units,
            (select sum(demand.revenue) from {{ ref(mart) }} as demand) as revenue,
            sum(quantity) as expected_units,
            sum(price) as expected_revenue
        from valid_items
        where {{ key }} is not null
        {{ 'union all' if not loop.last }}
    {% endfor %}

),

final as (

    select *
    from totals
    where
        coalesce(units, 0) <> coalesce(expected_units, 0)
        or coalesce(revenue, 0) <> coalesce(expected_revenue, 0)

)

select * from final
