with order_items as (

    select * from {{ ref('fct_order_items') }}

),

products as (

    select * from {{ ref('dim_products') }}

),

calendar as (

    select * from {{ ref('int_shop_calendar') }}

),

-- Sold or not, and whatever an order names without the products table knowing it.
all_products as (

    select
        product_id,
        product_category
    from products
    union distinct
    select
        product_id,
        product_category
    from order_items
    where product_id is not null

),

{{ abc_xyz_by_units('all_products', 'product_id') }},

final as (

    select
        described.product_id,
        all_products.product_category,
        described.first_sale_month,
        described.revenue,
        described.revenue_share,
        described.cumulative_share_before,
        described.abc_class,
        described.units,
        described.complete_months,
        cast(described.complete_units as bigint) as complete_units,
        described.mean_monthly_units,
        described.monthly_units_cv,
        described.xyz_class,
        described.abc_xyz_segment,
        described.description_en,
        described.description_ru
    from described
    inner join all_products on described.product_id = all_products.product_id

)

select * from final
