{%- set day_set_by_hand = "'" ~ var('as_of_date') ~ "'" if var('as_of_date') else 'null' -%}

-- The one place for time. Every other model reads "today", the last complete month and what is still hidden from here.
with orders as (

    select purchased_at from {{ ref('stg_olist__orders') }}

),

-- By default nothing is hidden, not even a delivery after the last purchase; a day set by hand hides what follows it.
horizon as (

    select
        coalesce(cast({{ day_set_by_hand }} as date), {{ add_days('max(purchased_at)', 1) }}) as as_of_date,
        coalesce(cast({{ day_set_by_hand }} as timestamp), cast('9999-12-31' as timestamp)) as hidden_from
    from orders

),

monthly_orders as (

    select
        {{ month_of('orders.purchased_at') }} as order_month,
        count(*) as orders,
        min(orders.purchased_at) as first_purchased_at,
        max(orders.purchased_at) as last_purchased_at
    from orders
    cross join horizon
    where orders.purchased_at < horizon.hidden_from
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
        horizon.hidden_from,
        bounds.last_purchased_at as data_until,
        cast(bounds.first_purchased_at as date) as first_order_date,
        {{ month_of('bounds.first_purchased_at') }} as first_order_month,
        complete_months.last_complete_month
    from horizon
    cross join bounds
    cross join complete_months

)

select * from final
