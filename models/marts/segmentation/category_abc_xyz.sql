with order_items as (

    select * from {{ ref('fct_order_items') }}

),

products as (

    select * from {{ ref('dim_products') }}

),

calendar as (

    select * from {{ ref('int_shop_calendar') }}

),

all_categories as (

    select product_category from products
    union distinct
    select product_category from order_items

),

{{ abc_xyz_by_units('all_categories', 'product_category') }},

final as (

    select
        product_category,
        first_sale_month,
        revenue,
        revenue_share,
        cumulative_share_before,
        abc_class,
        units,
        complete_months,
        cast(complete_units as bigint) as complete_units,
        mean_monthly_units,
        monthly_units_cv,
        xyz_class,
        abc_xyz_segment,
        description_en,
        description_ru
    from described

)

select * from final
