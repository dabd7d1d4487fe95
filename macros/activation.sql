{#
    Pairs of products, or of categories, that the same people bought: how many, how much more often than by chance, and how
    sure that is. Only people with several are joined with themselves, and nobody with more than affinity_max_items.
#}
{% macro affinity_pairs(item) -%}
with bought as (

    select distinct
        standing,
        customer_id,
        {{ item }}
    from {{ ref('int_product_purchases') }}

),

people as (

    select
        standing,
        customer_id,
        count(*) as items
    from bought
    group by 1, 2

),

buyers as (

    select
        standing,
        count(*) as people
    from people
    group by 1

),

item_buyers as (

    select
        standing,
        {{ item }},
        count(*) as people
    from bought
    group by 1, 2

),

baskets as (

    select bought.*
    from bought
    inner join people on bought.standing = people.standing and bought.customer_id = people.customer_id
    where people.items between 2 and {{ var('affinity_max_items') }}

),

pairs as (

    select
        one.standing,
        one.{{ item }},
        other.{{ item }} as other_{{ item }},
        count(*) as both_people
    from baskets as one
    inner join baskets as other
        on
            one.standing = other.standing
            and one.customer_id = other.customer_id
            and one.{{ item }} <> other.{{ item }}
    group by 1, 2, 3
    having count(*) >= {{ var('affinity_min_people') }}

),

counted as (

    select
        pairs.*,
        item_buyers.people,
        other_buyers.people as other_people,
        buyers.people as all_people,
        cast(other_buyers.people as double) / buyers.people as other_share
    from pairs
    inner join buyers on pairs.standing = buyers.standing
    inner join item_buyers on pairs.standing = item_buyers.standing and pairs.{{ item }} = item_buyers.{{ item }}
    inner join item_buyers as other_buyers
        on pairs.standing = other_buyers.standing and pairs.other_{{ item }} = other_buyers.{{ item }}

),

bounded as (

    select
        counted.*,
        {{ wilson_bound('both_people', 'people', '-') }} as confidence_low
    from counted

),

final as (

    select
        standing,
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

{#
    What can be known of a first shopping occasion, and what its people did afterwards. The orders are read once; a horizon counts only
    people whom it has passed.
#}
{% macro return_driver_counts() -%}
{%- set horizons = [30, 90, 180, 365] %}
{%- set drivers = ['category', 'price', 'payment_type', 'region', 'state', 'basket', 'delivery', 'review'] %}
{#- tables that a shop may have besides, and the driver that each of them knows #}
{%- set extras = {'channel': 'order_channels', 'coupon': 'order_coupons'} %}
with orders as (

    select * from {{ ref('fct_orders') }}
    where is_valid_order and customer_id is not null

),

calendar as (

    select * from {{ ref('int_shop_calendar') }}

),

order_channels as (

    select * from {{ ref('stg_olist__order_channels') }}

),

-- of several on one order the one that took off most
order_coupons as (

    select
        order_id,
        {{ first_by('discount_code', ['-discount_value', 'discount_code']) }} as coupon
    from {{ ref('stg_olist__order_discounts') }}
    group by 1

),

first_orders as (

    select * from orders
    where customer_order_number = 1

),

price_cuts as (

    select
        percentile_cont(0.25) within group (order by cast(payment_value as double)) as first_quarter,
        percentile_cont(0.5) within group (order by cast(payment_value as double)) as half,
        percentile_cont(0.75) within group (order by cast(payment_value as double)) as third_quarter
    from first_orders

),

later_orders as (

    select
        orders.customer_id
        {%- for horizon in horizons %},
        max(
            case when {{ days_between('first_orders.order_date', 'orders.order_date') }} <= {{ horizon }} then 1 else 0 end
        ) as returned_{{ horizon }},
        sum(
            case
                when {{ days_between('first_orders.order_date', 'orders.order_date') }} <= {{ horizon }}
                    then orders.payment_value
            end
        ) as revenue_{{ horizon }}
        {%- endfor %}
    from orders
    inner join first_orders on orders.customer_id = first_orders.customer_id
    where orders.customer_occasion_number > 1
    group by 1

),

described as (

    select
        first_orders.customer_id,
        {{ days_between('first_orders.order_date', 'calendar.as_of_date') }} as days_seen,
        coalesce(first_orders.main_category, 'unknown') as category,
        case
            when first_orders.payment_value is null then 'unknown'
            when cast(first_orders.payment_value as double) <= price_cuts.first_quarter then '1 cheapest quarter'
            when cast(first_orders.payment_value as double) <= price_cuts.half then '2 second quarter'
            when cast(first_orders.payment_value as double) <= price_cuts.third_quarter then '3 third quarter'
            else '4 most expensive quarter'
        end as price,
        coalesce(first_orders.payment_type, 'unknown') as payment_type,
        coalesce(first_orders.customer_region, 'unknown') as region,
        coalesce(first_orders.customer_state, 'unknown') as state,
        case
            when first_orders.item_count is null then 'unknown'
            when first_orders.item_count = 1 then 'one item'
            else 'several items'
        end as basket,
        case
            when first_orders.delivered_at is null or first_orders.delay_days is null then 'not delivered, or unknown'
            when first_orders.delay_days <= 0 then '1 as promised'
            when first_orders.delay_days <= 7 then '2 up to a week late'
            else '3 more than a week late'
        end as delivery,
        coalesce(cast(first_orders.review_score as string), 'none') as review,
        coalesce(order_channels.channel, 'unknown') as channel,
        coalesce(order_coupons.coupon, 'none') as coupon
        {%- for horizon in horizons %},
        coalesce(later_orders.returned_{{ horizon }}, 0) as returned_{{ horizon }},
        coalesce(later_orders.revenue_{{ horizon }}, 0) as revenue_{{ horizon }}
        {%- endfor %}
    from first_orders
    cross join calendar
    cross join price_cuts
    left join later_orders on first_orders.customer_id = later_orders.customer_id
    left join order_channels on first_orders.order_id = order_channels.order_id
    left join order_coupons on first_orders.order_id = order_coupons.order_id

),

drivers as (

    select driver
    from (
        values
        {%- for driver in drivers %}
        ('{{ driver }}'){{ ',' if not loop.last }}
        {%- endfor %}
    ) as listed (driver)
    {%- for driver, rows in extras.items() %}
    union all
    select '{{ driver }}' as driver
    from {{ rows }}
    having count(*) > 0
    {%- endfor %}

),

spread as (

    select
        drivers.driver,
        case drivers.driver
            {%- for driver in drivers + extras.keys() | list %}
            when '{{ driver }}' then described.{{ driver }}
            {%- endfor %}
        end as driver_value,
        described.*
    from described
    cross join drivers

),

counted as (

    select
        driver,
        driver_value
        {%- for horizon in horizons %},
        count(case when days_seen > {{ horizon }} then 1 end) as people_{{ horizon }},
        sum(case when days_seen > {{ horizon }} then returned_{{ horizon }} else 0 end) as returned_{{ horizon }},
        sum(case when days_seen > {{ horizon }} then revenue_{{ horizon }} else 0 end) as revenue_{{ horizon }}
        {%- endfor %}
    from spread
    group by driver, driver_value

),

final as (

    {%- for horizon in horizons %}
    select
        cast(driver as string) as driver,
        cast(driver_value as string) as driver_value,
        {{ horizon }} as horizon_days,
        people_{{ horizon }} as people,
        cast(returned_{{ horizon }} as bigint) as returned,
        cast(revenue_{{ horizon }} as decimal(18, 2)) as revenue
    from counted
    {{ 'union all' if not loop.last }}
    {%- endfor %}

)

select * from final
{%- endmacro %}

{# A share of few people, pulled to everyone's as if there were return_driver_prior_people more of that share. #}
{% macro pulled_share(part, people, overall) -%}
    {{ ratio(
        '(' ~ part ~ ' + ' ~ var('return_driver_prior_people') ~ ' * ' ~ overall ~ ')',
        '(' ~ people ~ ' + ' ~ var('return_driver_prior_people') ~ ')',
    ) }}
{%- endmacro %}

{# Twenty steps of the logarithm of a wait: each is five per cent of the wait longer than the one before. #}
{% macro next_order_steps() -%}
    {{ return(20) }}
{%- endmacro %}

{# The pairs of today: both marts hold the same columns, of categories and of products. #}
{% macro affinity_today(item, pairs) -%}
with pairs as (

    select * from {{ pairs }}
    where standing = 'now'

),

final as (

    select
        {{ item }},
        other_{{ item }},
        both_people,
        people,
        other_people,
        support,
        confidence,
        lift,
        lift_low
    from pairs

)

select * from final
{%- endmacro %}

{# A person of a launch or of an event, as those of the shop are spelt. #}
{% macro same_person(column) -%}
{{ 'lower(' ~ column ~ ')' if var('merge_person_spellings') else column }}
{%- endmacro %}
