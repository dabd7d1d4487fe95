with standings as (

    {{ standings(var('recommendation_test_days')) }}

),

items as (

    select
        customer_id,
        product_id,
        product_category,
        order_date
    from {{ ref('fct_order_items') }}
    where is_valid_order and customer_id is not null and product_id is not null

),

final as (

    select
        standings.standing,
        standings.cutoff_date,
        items.customer_id,
        items.product_id,
        min(items.product_category) as product_category,
        min(items.order_date) as first_date,
        max(items.order_date) as last_date
    from items
    inner join standings on items.order_date < standings.cutoff_date
    group by 1, 2, 3, 4

)

select * from final
