with standings as (

    {{ standings(var('recommendation_test_days')) }}

),

items as (

    select * from {{ ref('fct_order_items') }}
    where is_valid_order and customer_id is not null and product_category is not null

),

purchases as (

    select distinct
        customer_id,
        product_category,
        order_date
    from items

),

followed as (

    select
        product_category,
        customer_id,
        order_date,
        lead(order_date) over (partition by customer_id, product_category order by order_date) as next_date
    from purchases

),

-- Who has not bought again yet is watched until the cut-off and then lost from sight, and is no never-again.
watched as (

    select
        standings.standing,
        followed.product_category,
        {{ days_between(
            'followed.order_date', 'least(coalesce(followed.next_date, standings.cutoff_date), standings.cutoff_date)'
        ) }} as days_seen,
        case when followed.next_date < standings.cutoff_date then 1 else 0 end as is_repeat
    from followed
    inner join standings on followed.order_date < standings.cutoff_date

),

by_day as (

    select
        standing,
        product_category,
        days_seen,
        count(*) as leaving,
        sum(is_repeat) as repeats
    from watched
    group by 1, 2, 3

),

at_risk as (

    select
        standing,
        product_category,
        days_seen,
        repeats,
        sum(leaving) over (
            partition by standing, product_category order by days_seen desc
            rows between unbounded preceding and current row
        ) as people_at_risk
    from by_day

),

-- Kaplan and Meier: the product of the shares that stay away, as the exponential of a sum of logarithms.
curves as (

    select
        standing,
        product_category,
        days_seen,
        {{ rounded(
            '1 - exp(sum(ln(greatest(1 - cast(repeats as double) / people_at_risk, 1e-12))) over ('
            'partition by standing, product_category order by days_seen rows between unbounded preceding and current row))', 9
        ) }} as bought_again_share
    from at_risk

),

counted as (

    select
        standing,
        product_category,
        sum(leaving) as purchases,
        sum(repeats) as repeat_purchases
    from by_day
    group by 1, 2

),

quantiles as (

    select
        standing,
        product_category,
        min(case when bought_again_share >= 0.25 then days_seen end) as quarter_bought_again_days,
        min(case when bought_again_share >= 0.5 then days_seen end) as half_bought_again_days,
        min(case when bought_again_share >= 0.75 then days_seen end) as three_quarters_bought_again_days,
        max(case when days_seen <= 90 then bought_again_share end) as bought_again_90_days,
        max(case when days_seen <= 365 then bought_again_share end) as bought_again_365_days
    from curves
    group by 1, 2

),

final as (

    select
        counted.standing,
        counted.product_category,
        cast(counted.purchases as bigint) as purchases,
        cast(counted.repeat_purchases as bigint) as repeat_purchases,
        cast(quantiles.quarter_bought_again_days as integer) as quarter_bought_again_days,
        cast(quantiles.half_bought_again_days as integer) as half_bought_again_days,
        cast(quantiles.three_quarters_bought_again_days as integer) as three_quarters_bought_again_days,
        coalesce(quantiles.bought_again_90_days, 0) as bought_again_90_days,
        coalesce(quantiles.bought_again_365_days, 0) as bought_again_365_days
    from counted
    inner join quantiles
        on counted.standing = quantiles.standing and counted.product_category = quantiles.product_category
    where counted.purchases >= {{ var('return_driver_min_people') }}

)

select * from final
