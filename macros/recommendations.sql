{# A share of few people, pulled to everyone's as if there were return_driver_prior_people more of that share. #}
{% macro pulled_share(part, people, overall) -%}
    {{ ratio(
        '(' ~ part ~ ' + ' ~ var('return_driver_prior_people') ~ ' * ' ~ overall ~ ')',
        '(' ~ people ~ ' + ' ~ var('return_driver_prior_people') ~ ')',
    ) }}
{%- endmacro %}

{#
    What to offer: candidates from what goes with what was bought, what is due again, and what is popular, each with the share of
    people in the same position who bought it, pulled to everyone's share, by which they are ranked. `days_back` days before the warehouse's day nothing later is known,
    and only people are looked at who came again. People who bought one product share a profile, so that a shop of one-time buyers costs what
    its products cost.
#}
{% macro recommendations(days_back=0) -%}
{%- set past = 'int_past_' if days_back else '' %}
{%- set reasons = ['buy_again', 'bought_together', 'next_category', 'popular_in_segment', 'popular'] %}
with calendar as (

    select {{ add_days('as_of_date', -days_back) }} as cutoff_date
    from {{ ref('int_shop_calendar') }}

),

items as (

    select
        items.customer_id,
        items.product_id,
        items.product_category,
        items.order_date
    from {{ ref('fct_order_items') }} as items
    where items.is_valid_order and items.customer_id is not null and items.product_id is not null

),

customers as (

    select
        customer_id,
        first_order_category
    from {{ ref('dim_customers') }}

),

product_pairs as (

    select * from {{ ref(past ~ 'product_affinity') }}
    where lift_low > 1

),

category_pairs as (

    select * from {{ ref(past ~ 'category_affinity') }}
    where lift_low > 1

),

repurchases as (

    select * from {{ ref(past ~ 'repurchase_times') }}
    where quarter_bought_again_days is not null

),

bought as (

    select
        items.customer_id,
        items.product_id,
        min(items.product_category) as product_category,
        max(items.order_date) as last_date,
        case when min(items.order_date) < max(items.order_date) then 1 else 0 end as is_repeated
    from items
    inner join calendar on items.order_date < calendar.cutoff_date
    group by 1, 2

),

recent as (

    select distinct
        items.customer_id,
        items.product_id,
        items.product_category
    from items
    inner join calendar
        on
            items.order_date < calendar.cutoff_date
            and items.order_date >= {{ add_days('calendar.cutoff_date', -var('recommendation_available_days')) }}

),

recent_buyers as (

    select count(distinct customer_id) as people
    from recent

),

-- What was not sold of late cannot be counted on to be there. Numbers, the most popular first, are shorter than ids.
available as (

    select
        product_id,
        min(product_category) as product_category,
        count(*) as people
    from recent
    group by 1

),

popular as (

    select
        available.product_id,
        available.product_category,
        {{ ratio('available.people', 'recent_buyers.people') }} as score,
        row_number() over (order by available.people desc, available.product_id) as product_number
    from available
    cross join recent_buyers

),

cohort_buyers as (

    select
        customers.first_order_category as cohort,
        count(distinct recent.customer_id) as people
    from recent
    inner join customers on recent.customer_id = customers.customer_id
    group by 1

),

cohort_sales as (

    select
        customers.first_order_category as cohort,
        recent.product_id,
        count(*) as people
    from recent
    inner join customers on recent.customer_id = customers.customer_id
    group by 1, 2
    having count(*) >= {{ var('affinity_min_people') }}

),

popular_in_cohort as (

    select
        cohort_sales.cohort,
        popular.product_number,
        popular.product_category,
        {{ pulled_share('cohort_sales.people', 'cohort_buyers.people', 'popular.score') }} as score,
        row_number() over (
            partition by cohort_sales.cohort
            order by
                {{ pulled_share('cohort_sales.people', 'cohort_buyers.people', 'popular.score') }} desc,
                popular.product_number
        ) as place
    from cohort_sales
    inner join cohort_buyers on cohort_sales.cohort = cohort_buyers.cohort
    inner join popular on cohort_sales.product_id = popular.product_id

),

together as (

    select
        product_pairs.product_id as seed_id,
        popular.product_number,
        popular.product_category,
        {{ pulled_share('product_pairs.both_people', 'product_pairs.people', 'popular.score') }} as score,
        row_number() over (
            partition by product_pairs.product_id
            order by product_pairs.both_people desc, popular.product_number
        ) as place
    from product_pairs
    inner join popular on product_pairs.other_product_id = popular.product_id

),

category_buyers as (

    select
        product_category,
        count(distinct customer_id) as people
    from recent
    group by 1

),

popular_in_category as (

    select
        popular.product_category,
        popular.product_number,
        {{ ratio('available.people', 'category_buyers.people') }} as share_of_category,
        row_number() over (partition by popular.product_category order by popular.product_number) as place
    from popular
    inner join available on popular.product_id = available.product_id
    inner join category_buyers on popular.product_category = category_buyers.product_category

),

next_categories as (

    select
        category_pairs.product_category as seed_category,
        category_pairs.other_product_category as product_category,
        category_pairs.confidence,
        row_number() over (
            partition by category_pairs.product_category
            order by category_pairs.confidence desc, category_pairs.other_product_category
        ) as place
    from category_pairs

),

in_next_category as (

    select
        next_categories.seed_category,
        popular_in_category.product_number,
        popular_in_category.product_category,
        {{ rounded('next_categories.confidence * popular_in_category.share_of_category', 9) }} as score
    from next_categories
    inner join popular_in_category on next_categories.product_category = popular_in_category.product_category
    where next_categories.place <= 3 and popular_in_category.place <= 5

),

-- The share of people who bought a product on a second day, pulled to that of its category.
category_repeats as (

    select
        product_category,
        {{ ratio('sum(is_repeated)', 'count(*)') }} as repeat_share
    from bought
    group by 1

),

product_repeats as (

    select
        bought.product_id,
        {{ ratio(
            'sum(bought.is_repeated) + 20 * min(category_repeats.repeat_share)',
            '(count(*) + 20)',
        ) }} as score
    from bought
    inner join category_repeats on bought.product_category = category_repeats.product_category
    group by 1

),

{% if days_back -%}
-- Who came again, and so can be asked what it was.
people as (

    select distinct bought.customer_id
    from bought
    inner join items on bought.customer_id = items.customer_id
    inner join calendar on items.order_date >= calendar.cutoff_date

),

known as (

    select bought.*
    from bought
    inner join people on bought.customer_id = people.customer_id

),
{%- else -%}
known as (

    select * from bought

),
{%- endif %}

-- Just bought: of things that last, another one is not wanted now. Due: a quarter of the people have bought of it again by then.
states as (

    select
        known.customer_id,
        known.product_id,
        known.product_category,
        popular.product_number,
        repurchases.product_category is null
        and {{ days_between('known.last_date', 'calendar.cutoff_date') }} <= {{ var('recommendation_rest_days') }}
            as is_resting,
        coalesce(
            {{ days_between('known.last_date', 'calendar.cutoff_date') }} >= repurchases.quarter_bought_again_days, false
        ) as is_due
    from known
    cross join calendar
    left join repurchases on known.product_category = repurchases.product_category
    left join popular on known.product_id = popular.product_id

),

-- Who has been away for longer is looked for by other means, and most of the people of an old shop have.
product_counts as (

    select
        known.customer_id,
        count(*) as products,
        min(known.product_id) as one_of_them
    from known
    cross join calendar
    group by known.customer_id, calendar.cutoff_date
    having max(known.last_date) >= {{ add_days('calendar.cutoff_date', -var('recommendation_away_days')) }}

),

-- Products that the candidates below look at one by one; of all others only the category matters.
looked_at as (

    select seed_id as product_id from together
    union
    select popular.product_id
    from popular
    inner join (
        select product_number from together
        union all
        select product_number from in_next_category
        union all
        select product_number from popular_in_cohort
        where place <= 10
    ) as candidates on popular.product_number = candidates.product_number
    union
    select product_id from popular
    where product_number <= 10

),

-- People with one product share a profile with all who are in the same position.
profiled as (

    select
        states.*,
        customers.first_order_category as cohort,
        states.product_id = product_counts.one_of_them as is_first_row,
        case
            when product_counts.products > 1 then states.customer_id
            else
                case when looked_at.product_id is not null or states.is_due then states.product_id else '' end
                || '|' || states.product_category || '|' || customers.first_order_category
                || case when states.is_resting then '|resting' else '' end
                || case when states.is_due then '|due' else '' end
        end as profile
    from states
    inner join product_counts on states.customer_id = product_counts.customer_id
    inner join customers on states.customer_id = customers.customer_id
    left join looked_at on states.product_id = looked_at.product_id

),

profiles as (

    select
        profile,
        cohort,
        product_category,
        case when profile like '|%' then '' else product_id end as product_id,
        case when profile like '|%' then 0 else product_number end as product_number,
        is_resting,
        is_due
    from profiled
    group by 1, 2, 3, 4, 5, 6, 7

),

cohorts as (

    select distinct
        profile,
        cohort
    from profiles

),

resting as (

    select distinct
        profile,
        product_category
    from profiles
    where is_resting

),

offered as (

    select
        profiles.profile,
        together.product_number,
        together.product_category,
        'bought_together' as reason,
        together.score
    from profiles
    inner join together on profiles.product_id = together.seed_id
    where together.place <= 10
    union all
    select
        profiles.profile,
        in_next_category.product_number,
        in_next_category.product_category,
        'next_category' as reason,
        in_next_category.score
    from profiles
    inner join in_next_category on profiles.product_category = in_next_category.seed_category
    union all
    select
        cohorts.profile,
        popular_in_cohort.product_number,
        popular_in_cohort.product_category,
        'popular_in_segment' as reason,
        popular_in_cohort.score
    from cohorts
    inner join popular_in_cohort on cohorts.cohort = popular_in_cohort.cohort
    where popular_in_cohort.place <= 10
    union all
    select
        cohorts.profile,
        popular.product_number,
        popular.product_category,
        'popular' as reason,
        popular.score
    from cohorts
    cross join popular
    where popular.product_number <= 10

),

-- What was bought already is offered as something to buy again, or not at all.
new_offers as (

    select
        offered.profile,
        offered.product_number,
        offered.reason,
        offered.score
    from offered
    left join profiles on offered.profile = profiles.profile and offered.product_number = profiles.product_number
    left join resting on offered.profile = resting.profile and offered.product_category = resting.product_category
    where profiles.profile is null and resting.profile is null

),

all_offers as (

    select * from new_offers
    union all
    select
        profiles.profile,
        profiles.product_number,
        'buy_again' as reason,
        product_repeats.score
    from profiles
    inner join product_repeats on profiles.product_id = product_repeats.product_id
    where profiles.is_due and profiles.product_number is not null and product_repeats.score > 0

),

{% if days_back -%}
methods as (

    select * from all_offers
    where reason not in ('popular', 'popular_in_segment')
    union all
    -- the yardsticks are lists as they are, with nothing left out
    select
        profile,
        product_number,
        reason,
        score
    from offered
    where reason in ('popular', 'popular_in_segment')
    union all
    select
        profile,
        product_number,
        'as_published' as reason,
        score
    from all_offers

),

-- A product may come by several ways.
single_offers as (

    select
        profile,
        product_number,
        reason,
        max(score) as score
    from methods
    group by 1, 2, 3

),
{%- else -%}
-- A product may come by several ways: the one with the largest share counts, of equals the first of these.
best_scores as (

    select
        profile,
        product_number,
        max(score) as score
        {%- for reason in reasons %},
        max(case when reason = '{{ reason }}' then score end) as {{ reason }}
        {%- endfor %}
    from all_offers
    group by 1, 2

),

single_offers as (

    select
        profile,
        product_number,
        case
            {%- for reason in reasons %}
            when score = {{ reason }} then '{{ reason }}'
            {%- endfor %}
        end as reason,
        score
    from best_scores

),
{%- endif %}

ranked as (

    select
        *,
        row_number() over (
            partition by profile{{ ', reason' if days_back }} order by score desc, product_number
        ) as offer_rank
    from single_offers

),

-- Words once a profile, not once a person.
told as (

    select
        ranked.profile,
        cast(ranked.reason as string) as reason,
        cast(ranked.offer_rank as integer) as offer_rank,
        cast(popular.product_id as string) as product_id,
        cast(popular.product_category as string) as product_category,
        cast(
            case ranked.reason
                when 'buy_again' then 'Due to be bought again'
                when 'bought_together' then 'Bought by the same people as what they bought'
                when 'next_category' then 'Popular in a category that goes with theirs'
                when 'popular_in_segment' then 'Popular with those who began as they did'
                when 'popular' then 'Popular with everyone'
            end as string
        ) as reason_en,
        cast(
            case ranked.reason
                when 'buy_again' then 'Пора купить снова'
                when 'bought_together' then 'Покупают те же люди, что и купленное'
                when 'next_category' then 'Популярно в категории, которая идёт с их категорией'
                when 'popular_in_segment' then 'Популярно у тех, кто начал так же'
                when 'popular' then 'Популярно у всех'
            end as string
        ) as reason_ru,
        ranked.score
    from ranked
    inner join popular on ranked.product_number = popular.product_number
    where ranked.offer_rank <= 5

),

offers as (

    select
        profiled.customer_id,
        told.offer_rank,
        told.product_id,
        told.product_category,
        told.reason,
        told.reason_en,
        told.reason_ru,
        told.score
    from profiled
    inner join told on profiled.profile = told.profile
    where profiled.is_first_row

)
{%- endmacro %}
