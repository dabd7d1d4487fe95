{%- set reasons = ['buy_again', 'bought_together', 'next_category', 'popular_in_segment', 'popular'] %}
with profiles as (

    select distinct
        standing,
        profile,
        case when is_looked_at then product_id end as product_id,
        product_category,
        first_order_category,
        case when is_looked_at then product_number end as product_number,
        is_resting,
        is_due
    from {{ ref('int_offer_profiles') }}

),

products as (

    select * from {{ ref('int_offer_products') }}

),

candidates as (

    select * from {{ ref('int_offer_candidates') }}

),

givers as (

    select
        standing,
        profile,
        'bought_together' as reason,
        product_id as given_by
    from profiles
    union
    select
        standing,
        profile,
        'next_category' as reason,
        product_category as given_by
    from profiles
    union
    select
        standing,
        profile,
        'popular_in_segment' as reason,
        first_order_category as given_by
    from profiles
    union
    select
        standing,
        profile,
        'popular' as reason,
        'everyone' as given_by
    from profiles

),

resting as (

    select distinct
        standing,
        profile,
        product_category
    from profiles
    where is_resting

),

-- What was bought already is offered as something to buy again, or not at all.
found as (

    select
        givers.standing,
        givers.profile,
        candidates.product_number,
        candidates.reason,
        candidates.score,
        profiles.profile is null and resting.profile is null as is_wanted
    from givers
    inner join candidates
        on
            givers.standing = candidates.standing
            and givers.reason = candidates.reason
            and givers.given_by = candidates.given_by
    left join profiles
        on
            givers.standing = profiles.standing
            and givers.profile = profiles.profile
            and candidates.product_number = profiles.product_number
    left join resting
        on
            givers.standing = resting.standing
            and givers.profile = resting.profile
            and candidates.product_category = resting.product_category
    union all
    select
        profiles.standing,
        profiles.profile,
        profiles.product_number,
        'buy_again' as reason,
        products.repeat_share as score,
        true as is_wanted
    from profiles
    inner join products
        on profiles.standing = products.standing and profiles.product_number = products.product_number
    where profiles.is_due and products.repeat_share > 0

),

ways as (

    select listed.way
    from (values ('together'), ('alone')) as listed (way)

),

-- For the test each reason also stands alone. The yardsticks are lists as they are, with nothing left out.
by_method as (

    select
        found.*,
        case when ways.way = 'together' then 'as_published' else found.reason end as method  -- noqa: RF04
    from found
    inner join ways
        on
            (ways.way = 'together' and found.is_wanted)
            or (
                ways.way = 'alone'
                and found.standing = 'past'
                and (found.is_wanted or found.reason in ('popular', 'popular_in_segment'))
            )

),

-- A product may come by several ways: the one with the largest share counts, of equals the first of these.
best as (

    select
        standing,
        profile,
        method,
        product_number,
        {%- for reason in reasons %}
            max(case when reason = '{{ reason }}' then score end) as {{ reason }},
        {%- endfor %}
        max(score) as score
    from by_method
    group by 1, 2, 3, 4

),

ranked as (

    select
        *,
        row_number() over (
            partition by standing, profile, method order by score desc, product_number asc
        ) as offer_rank
    from best

),

final as (

    select
        ranked.standing,
        ranked.profile,
        ranked.method,
        cast(ranked.offer_rank as integer) as offer_rank,
        products.product_id,
        products.product_category,
        case
            {%- for reason in reasons %}
                when ranked.score = ranked.{{ reason }} then '{{ reason }}'
            {%- endfor %}
        end as reason,
        ranked.score
    from ranked
    inner join products
        on ranked.standing = products.standing and ranked.product_number = products.product_number
    where ranked.offer_rank <= 5

)

select * from final
