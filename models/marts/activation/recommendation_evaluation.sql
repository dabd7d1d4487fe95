with hits as (

    select * from {{ ref('int_offer_hits') }}

),

standings as (

    {{ standings(var('recommendation_test_days')) }}

),

calendar as (

    select cutoff_date
    from standings
    where standing = 'past'

),

served as (

    select
        offers.method,
        count(distinct profiles.customer_id) as people,
        count(distinct offers.product_id) as products
    from {{ ref('int_offer_profiles') }} as profiles
    inner join {{ ref('int_offers') }} as offers
        on profiles.standing = offers.standing and profiles.profile = offers.profile
    where profiles.standing = 'past' and profiles.is_first_row
    group by 1

),

methods as (

    select
        listed.method,
        listed.method_en,
        listed.method_ru
    from (
        values
        ('as_published', 'As published', 'Как опубликовано'),
        ('bought_together', 'Bought together', 'Покупают вместе'),
        ('next_category', 'Next category', 'Следующая категория'),
        ('buy_again', 'Buy again', 'Купить снова'),
        ('popular_in_segment', 'Popular with those who began alike', 'Популярно у начавших так же'),
        ('popular', 'Popular with everyone', 'Популярно у всех')
    ) as listed (method, method_en, method_ru)

),

judged_people as (

    select
        kind,
        method,
        customer_id,
        case when found > 0 then 1 else 0 end as is_hit,
        cast({{ ratio('found', 'products', 6) }} as decimal(9, 6)) as recall
    from hits

),

sums as (

    select
        kind,
        method,
        count(*) as people,
        sum(is_hit) as hits,
        sum(recall) as recall,
        sum(recall * recall) as recall_squared
    from judged_people
    group by 1, 2

),

tested as (

    select count(distinct customer_id) as people
    from hits

),

-- The better of the two lists that know nothing of a person.
yardsticks as (

    select
        kind,
        {{ last_by('method', ['hits', 'method']) }} as yardstick
    from sums
    where method in ('popular', 'popular_in_segment')
    group by 1

),

compared as (

    select
        judged_people.kind,
        judged_people.method,
        sum(case when judged_people.is_hit > other.is_hit then 1 else 0 end) as better,
        sum(case when judged_people.is_hit < other.is_hit then 1 else 0 end) as worse
    from judged_people
    inner join yardsticks on judged_people.kind = yardsticks.kind
    inner join judged_people as other
        on
            yardsticks.kind = other.kind
            and yardsticks.yardstick = other.method
            and judged_people.customer_id = other.customer_id
    group by 1, 2

),

-- McNemar's test with its correction: only people whom one of two lists hit tell them apart.
scored as (

    select
        sums.*,
        yardsticks.yardstick,
        compared.better,
        compared.worse,
        case
            when sums.people < {{ var('recommendation_min_people') }} then 'not_tested'
            when sums.method = yardsticks.yardstick then 'yardstick'
            when abs(compared.better - compared.worse) - 1 <= 1.959964e0 * sqrt(compared.better + compared.worse)
                then 'no_clear_difference'
            when compared.better > compared.worse then 'beats_popularity'
            else 'worse_than_popularity'
        end as own_verdict
    from sums
    inner join yardsticks on sums.kind = yardsticks.kind
    inner join compared on sums.kind = compared.kind and sums.method = compared.method

),

winners as (

    select
        kind,
        sum(case when own_verdict = 'beats_popularity' then 1 else 0 end) as methods
    from scored
    group by 1

),

concluded as (

    select
        scored.*,
        case
            when
                scored.method = 'as_published' and winners.methods = 0 and scored.own_verdict <> 'not_tested'
                then 'nothing_beats_popularity'
            else scored.own_verdict
        end as verdict
    from scored
    inner join winners on scored.kind = winners.kind

),

final as (

    select
        cast(concluded.method as string) as method,  -- noqa: RF04
        cast(concluded.kind as string) as kind,
        cast(methods.method_en as string) as method_en,
        cast(methods.method_ru as string) as method_ru,
        calendar.cutoff_date,
        cast(concluded.people as bigint) as people,
        coalesce({{ ratio('served.people', 'tested.people', 6) }}, 0) as served_share,
        cast(coalesce(served.products, 0) as bigint) as products_offered,
        case when concluded.verdict <> 'not_tested' then cast(concluded.hits as bigint) end as people_hit,
        case
            when concluded.verdict <> 'not_tested' then {{ ratio('concluded.hits', 'concluded.people') }}
        end as hit_rate,
        case
            when concluded.verdict <> 'not_tested' then {{ wilson_bound('concluded.hits', 'concluded.people', '-') }}
        end as hit_rate_low,
        case
            when concluded.verdict <> 'not_tested' then {{ wilson_bound('concluded.hits', 'concluded.people', '+') }}
        end as hit_rate_high,
        case
            when concluded.verdict <> 'not_tested' then {{ ratio('concluded.recall', 'concluded.people') }}
        end as recall_at_5,
        case
            when concluded.verdict <> 'not_tested'
                then {{ rounded(
                    '1.959964e0 * sqrt(greatest(cast(concluded.recall_squared as double) - cast(concluded.recall as double)'
                    ' * cast(concluded.recall as double) / concluded.people, 0)) / concluded.people', 6
                ) }}
        end as recall_margin,
        cast(concluded.yardstick as string) as yardstick,
        cast(concluded.verdict as string) as verdict,
        cast(
            case concluded.verdict
                when 'not_tested' then 'Too few people came again to tell'
                when 'nothing_beats_popularity' then 'Nothing beats popularity here'
                when 'yardstick' then 'What the others are held against'
                when 'beats_popularity' then 'Beats popularity'
                when 'worse_than_popularity' then 'Worse than popularity'
                else 'No clear difference from popularity'
            end as string
        ) as verdict_en,
        cast(
            case concluded.verdict
                when 'not_tested' then 'Вернулось слишком мало людей, чтобы судить'
                when 'nothing_beats_popularity' then 'Ничто не лучше списка популярного'
                when 'yardstick' then 'С чем сравнивают остальное'
                when 'beats_popularity' then 'Лучше списка популярного'
                when 'worse_than_popularity' then 'Хуже списка популярного'
                else 'Явного отличия от популярного нет'
            end as string
        ) as verdict_ru
    from concluded
    cross join calendar
    cross join tested
    inner join methods on concluded.method = methods.method
    left join served on concluded.method = served.method

)

select * from final
