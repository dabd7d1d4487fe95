-- five rows of a person stand together, and compress well
{{ config(ids_repeat=true) }}

with people as (

    select
        customer_id,
        profile
    from {{ ref('int_offer_profiles') }}
    where standing = 'now' and is_first_row

),

offers as (

    select * from {{ ref('int_offers') }}
    where standing = 'now' and method = 'as_published'

),

-- Words once a profile, not once a person.
worded as (

    select
        profile,
        offer_rank,
        cast(product_id as string) as product_id,
        cast(product_category as string) as product_category,
        cast(reason as string) as reason,
        cast(
            case reason
                when 'buy_again' then 'Due to be bought again'
                when 'bought_together' then 'Bought by the same people as what they bought'
                when 'next_category' then 'Popular in a category that goes with theirs'
                when 'popular_in_segment' then 'Popular with those who began as they did'
                when 'popular' then 'Popular with everyone'
            end as string
        ) as reason_en,
        cast(
            case reason
                when 'buy_again' then 'Пора купить снова'
                when 'bought_together' then 'Покупают те же люди, что и купленное'
                when 'next_category' then 'Популярно в категории, которая идёт с их категорией'
                when 'popular_in_segment' then 'Популярно у тех, кто начал так же'
                when 'popular' then 'Популярно у всех'
            end as string
        ) as reason_ru,
        score
    from offers

),

final as (

    select
        people.customer_id,
        worded.offer_rank,
        worded.product_id,
        worded.product_category,
        worded.reason,
        worded.reason_en,
        worded.reason_ru,
        worded.score
    from people
    inner join worded on people.profile = worded.profile

)

select * from final
