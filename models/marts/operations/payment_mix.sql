with orders as (

    select * from {{ ref('fct_orders') }}

),

payments as (

    select * from {{ ref('fct_payments') }}

),

-- Each order once, under the type of its largest payment, so that orders add up over types.
largest_payments as (

    select
        order_month,
        payment_type,
        count(*) as orders
    from orders
    where is_valid_order and payment_count > 0
    group by 1, 2

),

all_payments as (

    select
        order_month,
        payment_type,
        count(*) as payments,
        count(distinct order_id) as orders_using_it,
        sum(payment_value) as payment_value,
        sum(installments) as installments_sum,
        sum(case when installments > 1 then 1 else 0 end) as instalment_payments
    from payments
    where is_valid_order
    group by 1, 2

),

final as (

    select
        all_payments.order_month,
        all_payments.payment_type,
        cast(coalesce(largest_payments.orders, 0) as bigint) as orders,
        all_payments.orders_using_it,
        all_payments.payments,
        cast(all_payments.payment_value as decimal(18, 2)) as payment_value,
        cast(all_payments.installments_sum as bigint) as installments_sum,
        {{ ratio('all_payments.installments_sum', 'all_payments.payments') }} as mean_installments,
        cast(all_payments.instalment_payments as bigint) as instalment_payments
    from all_payments
    left join largest_payments
        on
            all_payments.order_month = largest_payments.order_month
            and all_payments.payment_type = largest_payments.payment_type

)

select * from final
