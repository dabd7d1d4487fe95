-- Products, categories and sellers each hold all units and all revenue of valid orders.
with totals as (

    select
        'fct_order_items' as mart,
        count(*) as units,
        sum(price) as revenue
    from {{ ref('fct_order_items') }}
    where is_valid_order

    {% for mart in ['product_abc_xyz', 'category_abc_xyz', 'seller_abc'] %}
        union all

        select
            '{{ mart }}' as mart,
            sum(units) as units,
            sum(revenue) as revenue
        from {{ ref(mart) }}
    {% endfor %}

),

final as (

    select
        totals.*,
        items.units as expected_units,
        items.revenue as expected_revenue
    from totals
    inner join totals as items on items.mart = 'fct_order_items'
    where
        coalesce(totals.units, 0) <> coalesce(items.units, 0)
        or coalesce(totals.revenue, 0) <> coalesce(items.revenue, 0)

)

select * from final
