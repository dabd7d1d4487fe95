{%- set further_tables = [
    ('coming back by coupon', 'order_discounts'),
    ('coming back by channel', 'order_channels'),
    ('what a new customer costs', 'acquisition_costs'),
    ('what a new customer costs', 'order_channels'),
    ('revenue after refunds', 'refunds'),
    ('margins of products', 'product_costs'),
    ('who was sent a campaign, opened and clicked it', 'campaign_events'),
] -%}

with customers as (

    select * from {{ ref('customer_360') }}

),

campaigns as (

    select * from {{ ref('campaigns') }}

),

repurchases as (

    select * from {{ ref('repurchase_times') }}

),

category_pairs as (

    select * from {{ ref('category_affinity') }}

),

product_pairs as (

    select * from {{ ref('product_affinity') }}

),

drivers as (

    select * from {{ ref('return_drivers') }}

),

offers as (

    select * from {{ ref('recommendation_evaluation') }}

),

counted as (

    select
        'planning of campaigns' as feature,
        'people with a forecast of coming back (make score)' as requirement,
        1 as need,
        count(churn_probability) as have
    from customers
    union all
    select
        'result of a campaign' as feature,
        'campaigns whose last day has come (python -m activation launch)' as requirement,
        1 as need,
        coalesce(sum(case when is_over then 1 else 0 end), 0) as have
    from campaigns
    union all
    select
        'what goes with coming back' as feature,
        'values of a first purchase that enough people share (return_driver_min_people)' as requirement,
        2 as need,
        count(distinct driver || driver_value) as have
    from drivers
    union all
    select
        'categories bought together' as feature,
        'pairs that enough people bought (affinity_min_people)' as requirement,
        1 as need,
        count(*) as have
    from category_pairs
    union all
    select
        'products bought together' as feature,
        'pairs that enough people bought (affinity_min_people)' as requirement,
        1 as need,
        count(*) as have
    from product_pairs
    union all
    select
        'time to the next purchase of a category' as feature,
        'repeat purchases in categories with enough of them' as requirement,
        30 as need,
        coalesce(sum(repeat_purchases), 0) as have
    from repurchases
    union all
    select
        'when people order next' as feature,
        'people with two shopping days (next_order_min_returns)' as requirement,
        {{ var('next_order_min_returns') }} as need,
        coalesce(sum(case when frequency > 1 then 1 else 0 end), 0) as have
    from customers
    union all
    select
        'when people order next, by their own rhythm' as feature,
        'returns after a second shopping day (next_order_min_returns)' as requirement,
        {{ var('next_order_min_returns') }} as need,
        coalesce(sum(greatest(frequency - 2, 0)), 0) as have
    from customers
    union all
    select
        'whether offers beat what is popular' as feature,
        'people who came again and bought something new (recommendation_min_people)' as requirement,
        {{ var('recommendation_min_people') }} as need,
        coalesce(max(case when kind = 'new' then people end), 0) as have
    from offers
    {%- for feature, table in further_tables %}
        union all
        select
            '{{ feature }}' as feature,
            'rows of the raw table {{ table }}' as requirement,
            1 as need,
            count(*) as have
        from {{ ref('stg_olist__' ~ table) }}
    {%- endfor %}

),

final as (

    select
        cast(feature as string) as feature,
        cast(requirement as string) as requirement,
        cast(need as bigint) as need,
        cast(have as bigint) as have,
        have >= need as is_met
    from counted

)

select * from final
