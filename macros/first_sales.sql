{#
    The CTEs that find what was sold for the first time after the day the warehouse looks from, ending in `sold_later_only` with one
    row per `key` (a column of order lines). What was never sold carries no day, and is not among them. Hidden orders are few, so
    nothing is looked for where there are none.
#}
{% macro sold_later_only(key) -%}
calendar as (

    select * from {{ ref('int_shop_calendar') }}

),

all_orders as (

    select
        orders.order_id,
        orders.purchased_at >= calendar.orders_hidden_from as is_later
    from {{ ref('stg_olist__orders') }} as orders
    cross join calendar

),

all_order_items as (

    select * from {{ ref('stg_olist__order_items') }}

),

sold_later as (

    select distinct all_order_items.{{ key }}
    from all_order_items
    inner join all_orders on all_order_items.order_id = all_orders.order_id
    where all_orders.is_later

),

sold_before as (

    select distinct all_order_items.{{ key }}
    from all_order_items
    inner join sold_later on all_order_items.{{ key }} = sold_later.{{ key }}
    inner join all_orders on all_order_items.order_id = all_orders.order_id
    where not all_orders.is_later

),

sold_later_only as (

    select sold_later.{{ key }}
    from sold_later
    left join sold_before on sold_later.{{ key }} = sold_before.{{ key }}
    where sold_before.{{ key }} is null

)
{%- endmacro %}

{# The same from the raw side, for the model `reconciliation`: whether `key` has no line at all, or one of an order that is seen. #}
{% macro is_not_first_sold_later(key) -%}
    (
        {{ key }} not in (
            select items.{{ key }}
            from {{ source('olist', 'order_items') }} as items
            inner join {{ source('olist', 'orders') }} as orders on items.order_id = orders.order_id
            where orders.order_purchase_timestamp >= (select orders_hidden_from from calendar)
        )
        or {{ key }} in (
            select items.{{ key }}
            from {{ source('olist', 'order_items') }} as items
            inner join raw_orders on items.order_id = raw_orders.order_id
        )
    )
{%- endmacro %}
