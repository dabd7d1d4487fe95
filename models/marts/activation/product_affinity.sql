with pairs as (

    select * from {{ ref('int_product_pairs') }}
    where standing = 'now'

),

final as (

    select
        product_id,
        other_product_id,
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
