with products as (

    select * from {{ ref('int_products') }}

),

final as (

    select
        product_id,
        product_category,
        category_name_portuguese,
        name_length,
        description_length,
        photo_count,
        weight_g,
        length_cm,
        height_cm,
        width_cm,
        cast(length_cm as bigint) * height_cm * width_cm as volume_cm3
    from products

)

select * from final
