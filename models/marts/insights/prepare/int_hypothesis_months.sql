with orders as (

    select * from {{ ref('fct_orders') }}

),

calendar as (

    select * from {{ ref('int_shop_calendar') }}

),

months as (

    select
        first_order_date,
        {{ month_spine('first_order_month', 'last_complete_month') }} as order_month
    from calendar

),

monthly_orders as (

    select
        order_month,
        count(*) as orders
    from orders
    where is_valid_order
    group by 1

),

counted as (

    select
        months.order_month,
        months.first_order_date,
        coalesce(monthly_orders.orders, 0) as orders
    from months
    left join monthly_orders on months.order_month = monthly_orders.order_month

),

median_month as (

    select {{ median_of('orders') }} as orders
    from counted

),

-- A shop's first month rarely starts on its first day, and its first months may be a trial run.
last_broken_month as (

    select max(counted.order_month) as order_month
    from counted
    cross join median_month
    where
        counted.order_month < counted.first_order_date
        or counted.orders = 0
        or counted.orders < {{ rounded(var('complete_month_min_share') ~ ' * median_month.orders', 6) }}

),

unbroken as (

    select
        counted.order_month,
        counted.orders
    from counted
    cross join last_broken_month
    where counted.order_month > coalesce(last_broken_month.order_month, cast('1900-01-01' as date))

),

final as (

    select
        order_month,
        orders
    from unbroken

)

select * from final
