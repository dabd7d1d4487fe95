with products as (

    select * from {{ ref('int_products') }}

),

{{ sold_later_only('product_id') }},

final as (

    select
        products.product_id,
        products.product_category,
        products.category_name_portuguese,
        products.name_length,
        products.description_length,
        products.photo_count,
        products.weight_g,
        products.length_cm,
        products.height_cm,
        products.width_cm,
        cast(products.length_cm as bigint) * products.height_cm * products.width_cm as volume_cm3
    from products
    left join sold_later_only on products.product_id = sold_later_only.product_id
    where sold_later_only.product_id is null

)

select * from final
