{{ config(materialized='windowed', window_by='purchased_at') }}

with order_payments as (

    select * from {{ ref('stg_olist__order_payments') }}

),

orders as (

    select * from {{ ref('int_orders') }}
    {{ where_in_window('purchased_at') }}

),

final as (

    select
        order_payments.order_id,
        order_payments.payment_number,
        orders.customer_id,
        order_payments.payment_type,
        order_payments.installments,
        cast(order_payments.payment_value as decimal(18, 2)) as payment_value,
        orders.order_status,
        orders.is_valid_order,
        orders.purchased_at,
        cast(orders.purchased_at as date) as order_date,
        {{ month_of('orders.purchased_at') }} as order_month,
        cast(orders.state as string) as customer_state
    from order_payments
    inner join orders on order_payments.order_id = orders.order_id

)

select * from final
