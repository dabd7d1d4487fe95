with purchases as (

    select * from {{ ref('int_product_purchases') }}

),

-- What was not sold of late cannot be counted on to be there.
recent as (

    select * from purchases
    where last_date >= {{ add_days('cutoff_date', -var('recommendation_available_days')) }}

),

recent_buyers as (

    select
        standing,
        count(distinct customer_id) as people
    from recent
    group by 1

),

category_buyers as (

    select
        standing,
        product_category,
        count(distinct customer_id) as people
    from recent
    group by 1, 2

),

available as (

    select
        standing,
        product_id,
        min(product_category) as product_category,
        count(*) as people
    from recent
    group by 1, 2

),

product_counts as (

    select
        standing,
        product_id,
        min(product_category) as product_category,
        sum(case when first_date < last_date then 1 else 0 end) as repeated,
        count(*) as people
    from purchases
    group by 1, 2

),

category_repeats as (

    select
        standing,
        product_category,
        {{ ratio('sum(repeated)', 'sum(people)') }} as repeat_share
    from product_counts
    group by 1, 2

),

-- Numbers, the most popular first, are shorter than ids.
numbered as (

    select
        available.*,
        row_number() over (
            partition by available.standing order by available.people desc, available.product_id asc
        ) as product_number,
        row_number() over (
            partition by available.standing, available.product_category
            order by available.people desc, available.product_id asc
        ) as place_in_category
    from available

),

-- The share of people who bought a product on a second day is pulled to that of its category.
final as (

    select
        numbered.standing,
        cast(numbered.product_number as integer) as product_number,
        numbered.product_id,
        numbered.product_category,
        numbered.people,
        cast(numbered.place_in_category as integer) as place_in_category,
        {{ ratio('numbered.people', 'recent_buyers.people') }} as share_of_people,
        {{ ratio('numbered.people', 'category_buyers.people') }} as share_of_category,
        {{ ratio('(product_counts.repeated + 20 * category_repeats.repeat_share)', '(product_counts.people + 20)') }}
            as repeat_share
    from numbered
    inner join recent_buyers on numbered.standing = recent_buyers.standing
    inner join category_buyers
        on
            numbered.standing = category_buyers.standing
            and numbered.product_category = category_buyers.product_category
    inner join product_counts
        on numbered.standing = product_counts.standing and numbered.product_id = product_counts.product_id
    inner join category_repeats
        on
            product_counts.standing = category_repeats.standing
            and product_counts.product_category = category_repeats.product_category

)

select * from final
