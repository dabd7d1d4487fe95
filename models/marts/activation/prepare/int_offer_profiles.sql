with purchases as (

    select * from {{ ref('int_product_purchases') }}

),

products as (

    select * from {{ ref('int_offer_products') }}

),

candidates as (

    select * from {{ ref('int_offer_candidates') }}

),

repurchases as (

    select * from {{ ref('int_repurchase_times') }}
    where quarter_bought_again_days is not null

),

customers as (

    select
        customer_id,
        first_order_category
    from {{ ref('dim_customers') }}

),

past as (

    {{ standings(var('recommendation_test_days')) }}

),

-- Who came again, and so can be asked what it was.
came_again as (

    select distinct purchases.customer_id
    from purchases
    inner join past on purchases.last_date >= past.cutoff_date
    where purchases.standing = 'now' and past.standing = 'past'

),

-- Who has been away for longer is looked for by other means, and most of the people of an old shop have.
people as (

    select
        purchases.standing,
        purchases.customer_id,
        count(*) as products,
        min(purchases.product_id) as one_of_them
    from purchases
    left join came_again on purchases.customer_id = came_again.customer_id
    where purchases.standing = 'now' or came_again.customer_id is not null
    group by purchases.standing, purchases.customer_id, purchases.cutoff_date
    having max(purchases.last_date) >= {{ add_days('purchases.cutoff_date', -var('recommendation_away_days')) }}

),

-- Products that offers look at one by one; of all others only the category matters.
looked_at as (

    select
        standing,
        given_by as product_id
    from candidates
    where reason = 'bought_together'
    union
    select
        products.standing,
        products.product_id
    from candidates
    inner join products
        on candidates.standing = products.standing and candidates.product_number = products.product_number

),

-- Just bought: of things that last, another one is not wanted now. Due: a quarter of the people have bought of it again
-- by then.
states as (

    select
        purchases.standing,
        purchases.customer_id,
        purchases.product_id,
        purchases.product_category,
        customers.first_order_category,
        products.product_number,
        people.products = 1 as has_one_product,
        purchases.product_id = people.one_of_them as is_first_row,
        repurchases.product_category is null
        and {{ days_between('purchases.last_date', 'purchases.cutoff_date') }} <= {{ var('recommendation_rest_days') }}
            as is_resting,
        coalesce(
            {{ days_between('purchases.last_date', 'purchases.cutoff_date') }}
            >= repurchases.quarter_bought_again_days,
            false
        ) as is_due,
        looked_at.product_id is not null as is_candidate
    from people
    inner join purchases
        on people.standing = purchases.standing and people.customer_id = purchases.customer_id
    inner join customers on people.customer_id = customers.customer_id
    left join repurchases
        on
            purchases.standing = repurchases.standing
            and purchases.product_category = repurchases.product_category
    left join products
        on purchases.standing = products.standing and purchases.product_id = products.product_id
    left join looked_at
        on purchases.standing = looked_at.standing and purchases.product_id = looked_at.product_id

),

-- People with one product share a profile with all in the same position, so that a shop of one-time buyers costs what
-- its products cost.
final as (

    select
        standing,
        customer_id,
        case
            when has_one_product
                then
                    case when is_candidate or is_due then product_id else product_category end
                    || '|' || first_order_category
                    || case when is_resting then '|resting' else '' end
                    || case when is_due then '|due' else '' end
            else customer_id
        end as profile,
        is_first_row,
        product_id,
        product_category,
        first_order_category,
        product_number,
        is_resting,
        is_due,
        is_candidate or is_due as is_looked_at
    from states

)

select * from final
