with products as (

    select * from {{ ref('stg_olist__products') }}

),

category_translations as (

    select * from {{ ref('stg_olist__category_translations') }}

),

final as (

    select
        products.product_id,
        coalesce(
            category_translations.category_name_english, products.category_name_portuguese, 'unknown'
        ) as product_category,
        products.category_name_portuguese,
        products.name_length,
        products.description_length,
        products.photo_count,
        products.weight_g,
        products.length_cm,
        products.height_cm,
        products.width_cm
    from products
    left join category_translations
        on products.category_name_portuguese = category_translations.category_name_portuguese

)

select * from final
