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
        cast(order_payments.order_id as string) as order_id,
        cast(order_payments.payment_number as integer) as payment_number,
        cast(orders.customer_id as string) as customer_id,
        cast(order_payments.payment_type as string) as payment_type,
        cast(order_payments.installments as integer) as installments,
        cast(order_payments.payment_value as decimal(18, 2)) as payment_value,
        cast(orders.order_status as string) as order_status,
        cast(orders.is_valid_order as boolean) as is_valid_order,
        cast(orders.purchased_at as timestamp) as purchased_at,
        cast(orders.purchased_at as date) as order_date,
        {{ month_of('orders.purchased_at') }} as order_month,
        cast(orders.state as string) as customer_state
    from order_payments
    inner join orders on order_payments.order_id = orders.order_id

)

select * from final
