with standings as (

    {{ standings(var('recommendation_test_days')) }}

),

items as (

    select items.*
    from {{ ref('fct_order_items') }} as items
    inner join standings on items.order_date >= standings.cutoff_date
    where
        standings.standing = 'past' and items.is_valid_order and items.customer_id is not null
        and items.product_id is not null

),

known as (

    select
        customer_id,
        product_id
    from {{ ref('int_product_purchases') }}
    where standing = 'past'

),

people as (

    select distinct customer_id
    from known

),

offers as (

    select
        profiles.customer_id,
        offers.method,
        offers.product_id
    from {{ ref('int_offer_profiles') }} as profiles
    inner join {{ ref('int_offers') }} as offers
        on profiles.standing = offers.standing and profiles.profile = offers.profile
    where profiles.standing = 'past' and profiles.is_first_row

),

last_days as (

    select
        items.customer_id,
        max(items.order_date) as order_date
    from items
    inner join people on items.customer_id = people.customer_id
    group by 1

),

-- What each of them bought on their last day, which nothing that was offered knows of.
wanted as (

    select distinct
        items.customer_id,
        items.product_id,
        case when known.product_id is null then 'new' else 'repeat' end as kind
    from items
    inner join last_days on items.customer_id = last_days.customer_id and items.order_date = last_days.order_date
    left join known on items.customer_id = known.customer_id and items.product_id = known.product_id

),

methods as (

    select listed.method
    from (
        values
        ('as_published'), ('bought_together'), ('next_category'), ('buy_again'), ('popular_in_segment'), ('popular')
    ) as listed (method)

),

final as (

    select
        wanted.kind,
        methods.method,
        wanted.customer_id,
        cast(count(*) as integer) as products,
        cast(count(offers.product_id) as integer) as found
    from wanted
    cross join methods
    left join offers
        on
            methods.method = offers.method
            and wanted.customer_id = offers.customer_id
            and wanted.product_id = offers.product_id
    group by 1, 2, 3

)

select * from final
