{%- set day_set_by_hand = "'" ~ var('as_of_date') ~ "'" if var('as_of_date') else 'null' -%}

-- The one place for time. Every other model reads "today", the last complete month and what is still hidden from here.
with orders as (

    select purchased_at from {{ ref('stg_olist__orders') }}

),

all_monthly_orders as (

    select
        {{ month_of('purchased_at') }} as order_month,
        count(*) as orders,
        min(purchased_at) as first_purchased_at,
        max(purchased_at) as last_purchased_at
    from orders
    group by 1

),

last_purchase as (

    select max(last_purchased_at) as purchased_at
    from all_monthly_orders

),

-- A month is as long as it has been seen: the last one ends with the last purchase. So the running month of a shop
-- that is alive has its usual orders per day on whatever day the files end, and the thin tail of an export has not.
seen_months as (

    select
        all_monthly_orders.order_month,
        all_monthly_orders.orders,
        least(
            {{ add_months('all_monthly_orders.order_month', 1) }}, {{ add_days('last_purchase.purchased_at', 1) }}
        ) as day_after
    from all_monthly_orders
    cross join last_purchase

),

daily_rates as (

    select
        day_after,
        {{ ratio('orders', days_between('order_month', 'day_after')) }} as orders_per_day
    from seen_months

),

-- Of months with orders: a single mistyped year must not make most months of the shop's life empty ones.
median_rate as (

    select {{ median_of('orders_per_day') }} as orders_per_day
    from daily_rates

),

day_the_data_ends as (

    select max(daily_rates.day_after) as day_after
    from daily_rates
    cross join median_rate
    where
        daily_rates.orders_per_day
        >= {{ rounded(var('complete_month_min_share') ~ ' * median_rate.orders_per_day', 6) }}

),

-- By default only orders after the day the data ends are hidden, and nothing that happened to the others; a day set
-- by hand hides whatever follows it.
horizon as (

    select
        coalesce(cast({{ day_set_by_hand }} as date), day_after) as as_of_date,
        coalesce(
            cast({{ day_set_by_hand }} as timestamp), cast(day_after as timestamp), cast('9999-12-31' as timestamp)
        ) as orders_hidden_from,
        coalesce(cast({{ day_set_by_hand }} as timestamp), cast('9999-12-31' as timestamp)) as hidden_from
    from day_the_data_ends

),

later_orders as (

    select count(*) as orders
    from orders
    inner join horizon on orders.purchased_at >= horizon.orders_hidden_from

),

monthly_orders as (

    select
        {{ month_of('orders.purchased_at') }} as order_month,
        count(*) as orders,
        min(orders.purchased_at) as first_purchased_at,
        max(orders.purchased_at) as last_purchased_at
    from orders
    cross join horizon
    where orders.purchased_at < horizon.orders_hidden_from
    group by 1

),

bounds as (

    select
        min(first_purchased_at) as first_purchased_at,
        max(last_purchased_at) as last_purchased_at
    from monthly_orders

),

-- A month has ended when its last day lies before as_of_date. Months without an order count as zero.
ended_months as (

    select
        {{ month_spine(month_of('bounds.first_purchased_at'), add_months(month_of('horizon.as_of_date'), -1)) }}
            as order_month
    from bounds
    cross join horizon

),

ended_month_orders as (

    select
        ended_months.order_month,
        coalesce(monthly_orders.orders, 0) as orders
    from ended_months
    left join monthly_orders on ended_months.order_month = monthly_orders.order_month

),

median_month as (

    select {{ median_of('orders') }} as orders
    from ended_month_orders

),

-- Trailing months under the share of the median month drop out; a thin month before a full one stays.
complete_months as (

    select max(ended_month_orders.order_month) as last_complete_month
    from ended_month_orders
    cross join median_month
    where
        ended_month_orders.orders > 0
        and ended_month_orders.orders >= {{ rounded(var('complete_month_min_share') ~ ' * median_month.orders', 6) }}

),

final as (

    select
        horizon.as_of_date,
        horizon.orders_hidden_from,
        horizon.hidden_from,
        bounds.last_purchased_at as data_until,
        cast(bounds.first_purchased_at as date) as first_order_date,
        {{ month_of('bounds.first_purchased_at') }} as first_order_month,
        complete_months.last_complete_month,
        later_orders.orders as later_orders
    from horizon
    cross join bounds
    cross join complete_months
    cross join later_orders

)

select * from final
