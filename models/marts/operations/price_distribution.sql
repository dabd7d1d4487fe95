with order_items as (

    select * from {{ ref('fct_order_items') }}

),

priced as (

    select
        product_category,
        price,
        freight_value,
        coalesce(quantity, 1) as quantity,
        case when price > 0 then {{ price_bin(ratio('price', 'coalesce(quantity, 1)')) }} end as price_bin
    from order_items
    where is_valid_order

),

bins as (

    select
        product_category,
        price_bin,
        sum(quantity) as units,
        sum(price) as revenue,
        sum(freight_value) as freight_value
    from priced
    group by 1, 2

),

-- Five bins per decade: each upper bound is 1.58 times the lower one. Free goods have no logarithm but their own bin.
final as (

    select
        product_category,
        cast(coalesce(price_bin, -99) as integer) as price_bin,
        cast(coalesce({{ price_bin_bound('price_bin') }}, 0) as decimal(18, 2)) as lower_bound,
        cast(coalesce({{ price_bin_bound('price_bin + 1') }}, 0) as decimal(18, 2)) as upper_bound,
        cast(units as bigint) as units,
        cast(revenue as decimal(18, 2)) as revenue,
        cast(freight_value as decimal(18, 2)) as freight_value
    from bins

)

select * from final
