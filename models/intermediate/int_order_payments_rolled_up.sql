{{ config(materialized='windowed', window_by='order_id') }}

with order_payments as (

    select * from {{ ref('stg_olist__order_payments') }}
    {{ where_order_in_window() }}

),

orders as (

    select order_id from {{ ref('int_orders') }}

),

-- The type of the largest payment; of equals, the one made first.
final as (

    select
        order_payments.order_id,
        count(*) as payment_count,
        sum(order_payments.payment_value) as payment_value,
        max(order_payments.installments) as max_installments,
        {{ first_by(
            'order_payments.payment_type',
            ['-order_payments.payment_value', 'order_payments.payment_number', 'order_payments.payment_type']
        ) }} as payment_type
    from order_payments
    inner join orders on order_payments.order_id = orders.order_id
    group by 1

)

select * from final
