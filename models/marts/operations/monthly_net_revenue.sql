with orders as (

    select * from {{ ref('fct_orders') }}

),

refunds as (

    select * from {{ ref('stg_olist__refunds') }}

),

calendar as (

    select * from {{ ref('int_shop_calendar') }}

),

seen_refunds as (

    select refunds.*
    from refunds
    cross join calendar
    where refunds.refunded_at < calendar.hidden_from

),

known as (

    select count(*) as refunds
    from seen_refunds

),

sales as (

    select
        orders.order_month,
        sum(orders.payment_value) as revenue
    from orders
    cross join known
    where orders.is_valid_order and known.refunds > 0
    group by 1

),

refunds_of_orders as (

    select
        orders.order_month,
        sum(case when orders.is_valid_order then seen_refunds.refund_value else 0 end) as refunded,
        sum(case when orders.is_valid_order then 0 else seen_refunds.refund_value end) as refunded_of_invalid_orders
    from seen_refunds
    inner join orders on seen_refunds.order_id = orders.order_id
    group by 1

),

refunds_on_their_day as (

    select
        {{ month_of('seen_refunds.refunded_at') }} as order_month,
        sum(seen_refunds.refund_value) as paid_back
    from seen_refunds
    inner join orders on seen_refunds.order_id = orders.order_id
    group by 1

),

months as (

    select order_month from sales
    union
    select order_month from refunds_of_orders
    union
    select order_month from refunds_on_their_day

),

final as (

    select
        months.order_month,
        cast(coalesce(sales.revenue, 0) as decimal(18, 2)) as revenue,
        cast(coalesce(refunds_of_orders.refunded, 0) as decimal(18, 2)) as refunded,
        cast(coalesce(sales.revenue, 0) - coalesce(refunds_of_orders.refunded, 0) as decimal(18, 2)) as net_revenue,
        {{ ratio('coalesce(refunds_of_orders.refunded, 0)', 'sales.revenue') }} as refunded_share,
        cast(coalesce(refunds_of_orders.refunded_of_invalid_orders, 0) as decimal(18, 2)) as refunded_of_invalid_orders,
        cast(coalesce(refunds_on_their_day.paid_back, 0) as decimal(18, 2)) as paid_back
    from months
    left join sales on months.order_month = sales.order_month
    left join refunds_of_orders on months.order_month = refunds_of_orders.order_month
    left join refunds_on_their_day on months.order_month = refunds_on_their_day.order_month

)

select * from final
