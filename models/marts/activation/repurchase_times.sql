with times as (

    select * from {{ ref('int_repurchase_times') }}
    where standing = 'now'

),

final as (

    select
        product_category,
        purchases,
        repeat_purchases,
        quarter_bought_again_days,
        half_bought_again_days,
        three_quarters_bought_again_days,
        bought_again_90_days,
        bought_again_365_days
    from times

)

select * from final
