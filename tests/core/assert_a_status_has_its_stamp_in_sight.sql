-- Set back, no order is further along than its stamps: one delivered or shipped later must have been stepped back.
with calendar as (

    select hidden_from from {{ ref('int_shop_calendar') }}

),

raw_orders as (

    select * from {{ ref('stg_olist__orders') }}

),

orders as (

    select * from {{ ref('fct_orders') }}

)

select
    orders.order_id,
    orders.order_status,
    raw_orders.shipped_at,
    raw_orders.delivered_at
from orders
inner join raw_orders on orders.order_id = raw_orders.order_id
cross join calendar
where
    (orders.order_status = 'delivered' and raw_orders.delivered_at >= calendar.hidden_from)
    or (orders.order_status = 'shipped' and raw_orders.shipped_at >= calendar.hidden_from)
