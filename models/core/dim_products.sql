with products as (

    select * from {{ ref('int_products') }}

),

final as (

    select
        cast(product_id as string) as product_id,
        cast(product_category as string) as product_category,
        cast(category_name_portuguese as string) as category_name_portuguese,
        cast(name_length as integer) as name_length,
        cast(description_length as integer) as description_length,
        cast(photo_count as integer) as photo_count,
        cast(weight_g as integer) as weight_g,
        cast(length_cm as integer) as length_cm,
        cast(height_cm as integer) as height_cm,
        cast(width_cm as integer) as width_cm,
        cast(length_cm as bigint) * height_cm * width_cm as volume_cm3
    from products

)

select * from final
