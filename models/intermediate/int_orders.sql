{{ config(materialized='windowed', window_by='purchased_at') }}

with orders as (

    select * from {{ ref('stg_olist__orders') }}
    {{ where_in_window('purchased_at') }}

),

customers as (

    select * from {{ ref('stg_olist__customers') }}

),

-- A few thousand spellings, each cleaned once.
cities as (

    select distinct city
    from customers

),

clean_cities as (

    select
        city,
        {{ clean_city('city') }} as clean_city
    from cities

),

calendar as (

    select * from {{ ref('int_shop_calendar') }}

),

visible as (

    select
        orders.*,
        calendar.hidden_from
    from orders
    cross join calendar
    where orders.purchased_at < calendar.orders_hidden_from

),

-- What had been seen of each order by then. A stage whose own stamp is missing is believed unless a later look
-- contradicts it: an order handed over in the future cannot have arrived.
as_seen as (

    select
        order_id,
        order_customer_id,
        purchased_at,
        case when approved_at < hidden_from then approved_at end as approved_at,
        case when shipped_at < hidden_from then shipped_at end as shipped_at,
        case when delivered_at < hidden_from then delivered_at end as delivered_at,
        estimated_delivery_date,
        order_status,
        case
            when order_status = 'delivered' then coalesce(delivered_at, shipped_at, approved_at) >= hidden_from
            when order_status = 'shipped' then coalesce(shipped_at, approved_at) >= hidden_from
            when order_status in ('approved', 'invoiced', 'processing') then approved_at >= hidden_from
        end as is_stepped_back
    from visible

),

-- Cancellation carries no stamp in the raw tables, so it cannot be stepped back.
stepped_back as (

    select
        order_id,
        order_customer_id,
        purchased_at,
        approved_at,
        shipped_at,
        delivered_at,
        estimated_delivery_date,
        case
            when not coalesce(is_stepped_back, false) then order_status
            when order_status = 'delivered' and shipped_at is not null then 'shipped'
            when order_status in ('delivered', 'shipped') and approved_at is not null then 'approved'
            else 'created'
        end as order_status
    from as_seen

),

-- An order whose customer row is missing is kept, as a person known by that order alone. An order that names no
-- customer, or one whose row names no person, is a guest's: it counts for the shop and for nobody.
final as (

    select
        stepped_back.order_id,
        stepped_back.order_customer_id,
        case
            when customers.order_customer_id is null then stepped_back.order_customer_id
            else customers.customer_id
        end as customer_id,
        customers.zip_code_prefix,
        clean_cities.clean_city as city,
        coalesce(customers.state, 'unknown') as state,
        stepped_back.order_status,
        stepped_back.order_status not in {{ sql_list(var('invalid_order_statuses')) }} as is_valid_order,
        stepped_back.purchased_at,
        stepped_back.approved_at,
        stepped_back.shipped_at,
        stepped_back.delivered_at,
        stepped_back.estimated_delivery_date
    from stepped_back
    left join customers on stepped_back.order_customer_id = customers.order_customer_id
    left join clean_cities on customers.city = clean_cities.city

)

select * from final
