{#
    Pairs of products, or of categories, that the same people bought: how many, how much more often than by chance, and how
    sure that is. Only people with several are joined with themselves, and nobody with more than affinity_max_items.
#}
{% macro affinity_pairs(item) -%}
with items as (

    select * from {{ ref('fct_order_items') }}
    where is_valid_order and {{ item }} is not null

),

bought as (

    select distinct
        customer_id,
        {{ item }}
    from items

),

buyers as (

    select count(distinct customer_id) as people
    from bought

),

item_buyers as (

    select
        {{ item }},
        count(*) as people
    from bought
    group by 1

),

several as (

    select customer_id
    from bought
    group by 1
    having count(*) between 2 and {{ var('affinity_max_items') }}

),

baskets as (

    select bought.*
    from bought
    inner join several on bought.customer_id = several.customer_id

),

pairs as (

    select
        one.{{ item }},
        other.{{ item }} as other_{{ item }},
        count(*) as both_people
    from baskets as one
    inner join baskets as other on one.customer_id = other.customer_id and one.{{ item }} <> other.{{ item }}
    group by 1, 2
    having count(*) >= {{ var('affinity_min_people') }}

),

counted as (

    select
        pairs.{{ item }},
        pairs.other_{{ item }},
        pairs.both_people,
        item_buyers.people,
        other_buyers.people as other_people,
        buyers.people as all_people,
        cast(other_buyers.people as double) / buyers.people as other_share
    from pairs
    cross join buyers
    inner join item_buyers on pairs.{{ item }} = item_buyers.{{ item }}
    inner join item_buyers as other_buyers on pairs.other_{{ item }} = other_buyers.{{ item }}

),

bounded as (

    select
        counted.*,
        {{ wilson_bound('both_people', 'people', '-') }} as confidence_low
    from counted

),

final as (

    select
        {{ item }},
        other_{{ item }},
        both_people,
        people,
        other_people,
        {{ ratio('both_people', 'all_people') }} as support,
        {{ ratio('both_people', 'people') }} as confidence,
        {{ rounded('cast(both_people as double) / people / other_share', 6) }} as lift,
        {{ rounded('confidence_low / other_share', 6) }} as lift_low
    from bounded

)

select * from final
{%- endmacro %}
