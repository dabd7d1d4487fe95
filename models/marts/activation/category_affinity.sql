with pairs as (

    select * from {{ ref('int_category_pairs') }}
    where standing = 'now'

),

final as (

    select
        product_category,
        other_product_category,
        both_people,
        people,
        other_people,
        support,
        confidence,
        lift,
        lift_low
    from pairs

)

select * from final
