with order_items as (

    select * from {{ ref('fct_order_items') }}

),

sellers as (

    select * from {{ ref('dim_sellers') }}

),

calendar as (

    select * from {{ ref('int_shop_calendar') }}

),

all_sellers as (

    select seller_id from sellers
    union distinct
    select seller_id from order_items
    where seller_id is not null

),

{{ abc_xyz_by_units('all_sellers', 'seller_id') }},

final as (

    select
        described.seller_id,
        coalesce(sellers.state, 'unknown') as seller_state,
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
    left join sellers on described.seller_id = sellers.seller_id

)

select * from final
