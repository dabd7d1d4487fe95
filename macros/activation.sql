{#
    Pairs of products, or of categories, that the same people bought: how many, how much more often than by chance, and how
    sure that is. Only people with several are joined with themselves, and nobody with more than affinity_max_items. `days_back` days
    before the warehouse's day, what was bought from then on is not known.
#}
{% macro affinity_pairs(item, days_back=0) -%}
with items as (

    select * from {{ ref('fct_order_items') }}
    where is_valid_order and customer_id is not null and {{ item }} is not null
    {%- if days_back %}
    and order_date < (select {{ add_days('as_of_date', -days_back) }} from {{ ref('int_shop_calendar') }})
    {%- endif %}

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

{#
    What can be known of a first shopping occasion, and what its people did afterwards. The orders are read once; a horizon counts only
    people whom it has passed.
#}
{% macro return_driver_counts() -%}
{%- set horizons = [30, 90, 180, 365] %}
{%- set drivers = ['category', 'price', 'payment_type', 'region', 'state', 'basket', 'delivery', 'review'] %}
with orders as (

    select * from {{ ref('fct_orders') }}
    where is_valid_order and customer_id is not null

),

calendar as (

    select * from {{ ref('int_shop_calendar') }}

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
        coalesce(cast(first_orders.review_score as string), 'none') as review
        {%- for horizon in horizons %},
        coalesce(later_orders.returned_{{ horizon }}, 0) as returned_{{ horizon }},
        coalesce(later_orders.revenue_{{ horizon }}, 0) as revenue_{{ horizon }}
        {%- endfor %}
    from first_orders
    cross join calendar
    cross join price_cuts
    left join later_orders on first_orders.customer_id = later_orders.customer_id

),

drivers as (

    select driver
    from (
        values
        {%- for driver in drivers %}
        ('{{ driver }}'){{ ',' if not loop.last }}
        {%- endfor %}
    ) as listed (driver)

),

spread as (

    select
        drivers.driver,
        case drivers.driver
            {%- for driver in drivers %}
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

{# How long it takes until the same person buys of a category again, as seen `days_back` days before the warehouse's day. #}
{% macro repurchase_times(days_back=0) -%}
with items as (

    select * from {{ ref('fct_order_items') }}
    where is_valid_order and customer_id is not null and product_category is not null

),

calendar as (

    select {{ add_days('as_of_date', -days_back) }} as as_of_date
    from {{ ref('int_shop_calendar') }}

),

purchases as (

    select distinct
        items.customer_id,
        items.product_category,
        items.order_date
    from items
    inner join calendar on items.order_date < calendar.as_of_date

),

followed as (

    select
        product_category,
        customer_id,
        order_date,
        lead(order_date) over (partition by customer_id, product_category order by order_date) as next_date
    from purchases

),

-- Who has not bought again yet is watched until today and then lost from sight, and is no never-again.
watched as (

    select
        followed.product_category,
        {{ days_between('followed.order_date', 'coalesce(followed.next_date, calendar.as_of_date)') }} as days_seen,
        case when followed.next_date is null then 0 else 1 end as is_repeat
    from followed
    cross join calendar

),

by_day as (

    select
        product_category,
        days_seen,
        count(*) as leaving,
        sum(is_repeat) as repeats
    from watched
    group by 1, 2

),

at_risk as (

    select
        product_category,
        days_seen,
        repeats,
        sum(leaving) over (
            partition by product_category order by days_seen desc
            rows between unbounded preceding and current row
        ) as people_at_risk
    from by_day

),

-- Kaplan and Meier: the product of the shares that stay away, as the exponential of a sum of logarithms.
curves as (

    select
        product_category,
        days_seen,
        {{ rounded(
            '1 - exp(sum(ln(greatest(1 - cast(repeats as double) / people_at_risk, 1e-12))) over ('
            'partition by product_category order by days_seen rows between unbounded preceding and current row))', 9
        ) }} as bought_again_share
    from at_risk

),

counted as (

    select
        product_category,
        count(*) as purchases,
        sum(is_repeat) as repeat_purchases
    from watched
    group by 1

),

quantiles as (

    select
        product_category,
        min(case when bought_again_share >= 0.25 then days_seen end) as quarter_bought_again_days,
        min(case when bought_again_share >= 0.5 then days_seen end) as half_bought_again_days,
        min(case when bought_again_share >= 0.75 then days_seen end) as three_quarters_bought_again_days,
        max(case when days_seen <= 90 then bought_again_share end) as bought_again_90_days,
        max(case when days_seen <= 365 then bought_again_share end) as bought_again_365_days
    from curves
    group by 1

),

final as (

    select
        counted.product_category,
        counted.purchases,
        cast(counted.repeat_purchases as bigint) as repeat_purchases,
        cast(quantiles.quarter_bought_again_days as integer) as quarter_bought_again_days,
        cast(quantiles.half_bought_again_days as integer) as half_bought_again_days,
        cast(quantiles.three_quarters_bought_again_days as integer) as three_quarters_bought_again_days,
        coalesce(quantiles.bought_again_90_days, 0) as bought_again_90_days,
        coalesce(quantiles.bought_again_365_days, 0) as bought_again_365_days
    from counted
    inner join quantiles on counted.product_category = quantiles.product_category
    where counted.purchases >= {{ var('return_driver_min_people') }}

)

select * from final
{%- endmacro %}
