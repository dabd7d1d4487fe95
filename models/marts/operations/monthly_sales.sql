with orders as (

    select * from {{ ref('fct_orders') }}

),

calendar as (

    select * from {{ ref('int_shop_calendar') }}

),

-- Dense: a month without an order is a row of zeros, not a gap that a line chart draws over.
months as (

    select {{ month_spine('first_order_month', 'data_until') }} as order_month
    from calendar

),

monthly as (

    select
        order_month,
        count(*) as orders,
        count(distinct customer_id) as active_customers,
        sum(case when customer_order_number = 1 then 1 else 0 end) as new_customers,
        sum(item_count) as items,
        sum(order_value) as order_value,
        sum(payment_value) as revenue,
        sum(refunded_value) as refunded_value
    from orders
    where is_valid_order
    group by 1

),

final as (

    select
        months.order_month,
        cast(coalesce(months.order_month <= calendar.last_complete_month, false) as boolean) as is_complete_month,
        cast(coalesce(monthly.orders, 0) as bigint) as orders,
        cast(coalesce(monthly.active_customers, 0) as bigint) as active_customers,
        cast(coalesce(monthly.new_customers, 0) as bigint) as new_customers,
        cast(coalesce(monthly.active_customers - monthly.new_customers, 0) as bigint) as returning_customers,
        cast(coalesce(monthly.items, 0) as bigint) as items,
        cast(coalesce(monthly.order_value, 0) as decimal(18, 2)) as order_value,
        cast(coalesce(monthly.revenue, 0) as decimal(18, 2)) as revenue,
        cast(coalesce(monthly.refunded_value, 0) as decimal(18, 2)) as refunded_value,
        {{ ratio('monthly.revenue', 'monthly.orders') }} as average_order_value
    from months
    cross join calendar
    left join monthly on months.order_month = monthly.order_month

)

select * from final
