{#
    Every test depends on its data only through how many units share each distinct pair of values, so that is all that
    leaves the database: some ten thousand rows, however many orders there are. One entry per hypothesis: the rows of its
    unit, and what is set against what. The days of 6 are those on which Brazil has sales. Hypotheses 9 and 10 are counted below, as they need the hours and weekdays
    without an order too.
#}
{% set comparisons = [
    {
        'id': 1, 'unit': 'customers', 'where': 'has_follow_up and is_largest_city is not null',
        'x': 'cast(is_largest_city as integer)', 'y': 'cast(is_back as integer)',
    },
    {
        'id': 2, 'unit': 'products', 'where': 'has_follow_up and photo_count is not null',
        'x': 'photo_count', 'y': 'orders_in_follow_up',
    },
    {
        'id': 3, 'unit': 'customers', 'where': 'has_follow_up',
        'x': 'cast(is_reviewed as integer)', 'y': 'cast(is_back_after_review as integer)',
    },
    {
        'id': 4, 'unit': 'orders', 'where': 'payment_type is not null and item_count > 0',
        'label': 'payment_type', 'y': 'order_value',
    },
    {
        'id': 5, 'unit': 'products', 'where': 'has_follow_up and description_length is not null',
        'x': 'description_length', 'y': 'orders_in_follow_up',
    },
    {
        'id': 6, 'unit': 'days', 'where': 'relative_orders is not null' if var('shop_country') == 'BR' else 'false',
        'label': 'kind_of_day', 'x': 'cast(is_sale_day as integer)', 'y': 'relative_orders',
    },
    {
        'id': 7, 'unit': 'orders', 'where': 'delivery_days is not null and review_score is not null',
        'x': 'delivery_days', 'y': 'review_score',
    },
    {
        'id': 8, 'unit': 'customers', 'where': 'has_follow_up',
        'x': 'first_order_weekday', 'y': 'cast(is_back as integer)',
    },
    {
        'id': 11, 'unit': 'customers', 'where': 'has_delivery_follow_up and delivery_days is not null',
        'x': 'delivery_days', 'y': 'cast(is_back_after_delivery as integer)',
    },
    {
        'id': 12, 'unit': 'customers', 'where': 'has_follow_up and mean_item_price is not null',
        'x': 'mean_item_price', 'y': 'cast(is_back as integer)',
    },
    {
        'id': 13, 'unit': 'customers', 'where': 'mature_orders > 0',
        'x': 'cast(mature_occasions > 1 as integer)', 'y': ratio('reviewed_orders', 'mature_orders'),
    },
    {
        'id': 14, 'unit': 'sellers', 'where': 'scored_orders >= ' ~ var('hypothesis_min_seller_orders'),
        'label': 'state', 'y': 'mean_score',
    },
    {
        'id': 15, 'unit': 'sellers', 'where': 'scored_orders >= ' ~ var('hypothesis_min_seller_orders'),
        'x': 'mean_score', 'y': 'items_per_order',
    },
    {
        'id': 16, 'unit': 'complete_month_orders', 'where': 'review_score is not null',
        'label': "substring('JanFebMarAprMayJunJulAugSepOctNovDec', 3 * cast(extract(month from order_date) as integer) - 2, 3)",
        'y': 'review_score',
    },
    {
        'id': 17, 'unit': 'customers', 'where': 'mean_item_price is not null and is_largest_city is not null',
        'x': 'cast(is_largest_city as integer)', 'y': 'mean_item_price',
    },
    {
        'id': 18, 'unit': 'orders', 'where': 'delivery_days is not null and review_score is not null',
        'x': 'least(floor(delivery_days / 7.0), ' ~ var('hypothesis_longest_delivery_weeks') ~ ')', 'y': 'review_score',
    },
] %}

with orders as (

    select * from {{ ref('fct_orders') }}
    where is_valid_order

),

customers as (

    select * from {{ ref('int_hypothesis_customers') }}

),

products as (

    select * from {{ ref('int_hypothesis_products') }}

),

sellers as (

    select * from {{ ref('int_hypothesis_sellers') }}

),

days as (

    select * from {{ ref('int_hypothesis_days') }}

),

months as (

    select * from {{ ref('int_hypothesis_months') }}

),

dates as (

    select * from {{ ref('dim_dates') }}

),

complete_month_orders as (

    select orders.*
    from orders
    inner join months on orders.order_month = months.order_month

),

hours as (

    {% for hour in range(24) %}
        {{ 'union all' if not loop.first }}
        select {{ hour }} as hour_number
    {% endfor %}

),

hourly_orders as (

    select
        cast(extract(hour from purchased_at) as integer) as hour_number,
        count(*) as orders
    from complete_month_orders
    group by 1

),

-- Stamps that are days tell one hour, which is none.
hours_told as (

    select count(*) as hours from hourly_orders

),

weekdays as (

    select
        dates.weekday_number,
        count(*) as day_count
    from dates
    inner join months on dates.month_start_date = months.order_month
    group by 1

),

weekday_orders as (

    select
        {{ iso_weekday('order_date') }} as weekday_number,
        count(*) as orders
    from complete_month_orders
    group by 1

),

pairs as (

    {% for comparison in comparisons %}
        select
            {{ comparison.id }} as hypothesis_id,
            cast({{ comparison.label | default('null') }} as string) as x_label,
            cast({{ comparison.x | default('null') }} as double) as x,
            cast({{ comparison.y }} as double) as y,
            count(*) as units
        from {{ comparison.unit }}
        where {{ comparison.where }}
        group by 2, 3, 4
        union all
    {% endfor %}
    select
        9 as hypothesis_id,
        cast(null as string) as x_label,
        cast(hours.hour_number as double) as x,
        cast(1 as double) as y,
        coalesce(hourly_orders.orders, 0) as units
    from hours
    left join hourly_orders on hours.hour_number = hourly_orders.hour_number
    cross join hours_told
    where hours_told.hours > 1
    union all
    select
        10 as hypothesis_id,
        cast(null as string) as x_label,
        cast(weekdays.weekday_number as double) as x,
        cast(weekdays.day_count as double) as y,
        coalesce(weekday_orders.orders, 0) as units
    from weekdays
    left join weekday_orders on weekdays.weekday_number = weekday_orders.weekday_number

),

final as (

    select
        hypothesis_id,
        x_label,
        x,
        y,
        cast(units as bigint) as units
    from pairs

)

select * from final
