with products as (

    select * from {{ ref('int_offer_products') }}

),

product_pairs as (

    select * from {{ ref('int_product_pairs') }}
    where lift_low > 1

),

category_pairs as (

    select * from {{ ref('int_category_pairs') }}
    where lift_low > 1

),

customers as (

    select
        customer_id,
        first_order_category
    from {{ ref('dim_customers') }}

),

recent as (

    select
        purchases.standing,
        purchases.customer_id,
        purchases.product_id,
        customers.first_order_category
    from {{ ref('int_product_purchases') }} as purchases
    inner join customers on purchases.customer_id = customers.customer_id
    where purchases.last_date >= {{ add_days('purchases.cutoff_date', -var('recommendation_available_days')) }}

),

bought_together as (

    select
        product_pairs.standing,
        product_pairs.product_id,
        products.product_number,
        products.product_category,
        {{ pulled_share('product_pairs.both_people', 'product_pairs.people', 'products.share_of_people') }} as score,
        row_number() over (
            partition by product_pairs.standing, product_pairs.product_id
            order by product_pairs.both_people desc, products.product_number asc
        ) as place
    from product_pairs
    inner join products
        on product_pairs.standing = products.standing and product_pairs.other_product_id = products.product_id

),

next_categories as (

    select
        category_pairs.*,
        row_number() over (
            partition by category_pairs.standing, category_pairs.product_category
            order by category_pairs.confidence desc, category_pairs.other_product_category asc
        ) as place
    from category_pairs

),

beginner_sales as (

    select
        standing,
        first_order_category,
        product_id,
        count(*) as people
    from recent
    group by 1, 2, 3
    having count(*) >= {{ var('affinity_min_people') }}

),

beginners as (

    select
        standing,
        first_order_category,
        count(distinct customer_id) as people
    from recent
    group by 1, 2

),

popular_with_beginners as (

    select
        beginner_sales.standing,
        beginner_sales.first_order_category,
        products.product_number,
        products.product_category,
        {{ pulled_share('beginner_sales.people', 'beginners.people', 'products.share_of_people') }} as score
    from beginner_sales
    inner join beginners
        on
            beginner_sales.standing = beginners.standing
            and beginner_sales.first_order_category = beginners.first_order_category
    inner join products
        on beginner_sales.standing = products.standing and beginner_sales.product_id = products.product_id

),

placed_with_beginners as (

    select
        *,
        row_number() over (
            partition by standing, first_order_category order by score desc, product_number asc
        ) as place
    from popular_with_beginners

),

final as (

    select
        standing,
        'bought_together' as reason,
        product_id as given_by,
        product_number,
        product_category,
        score
    from bought_together
    where place <= 10
    union all
    select
        next_categories.standing,
        'next_category' as reason,
        next_categories.product_category as given_by,
        products.product_number,
        products.product_category,
        {{ rounded('next_categories.confidence * products.share_of_category', 9) }} as score
    from next_categories
    inner join products
        on
            next_categories.standing = products.standing
            and next_categories.other_product_category = products.product_category
    where next_categories.place <= 3 and products.place_in_category <= 5
    union all
    select
        standing,
        'popular_in_segment' as reason,
        first_order_category as given_by,
        product_number,
        product_category,
        score
    from placed_with_beginners
    where place <= 10
    union all
    select
        standing,
        'popular' as reason,
        'everyone' as given_by,
        product_number,
        product_category,
        share_of_people as score
    from products
    where product_number <= 10

)

select * from final
