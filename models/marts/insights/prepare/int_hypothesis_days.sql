with orders as (

    select * from {{ ref('fct_orders') }}

),

dates as (

    select * from {{ ref('dim_dates') }}

),

months as (

    select * from {{ ref('int_hypothesis_months') }}

),

days as (

    select
        dates.date_day,
        {{ sale_day('dates.date_day') }} as sale_day
    from dates
    inner join months on dates.month_start_date = months.order_month

),

daily_orders as (

    select
        order_date,
        count(*) as orders
    from orders
    where is_valid_order
    group by 1

),

counted as (

    select
        days.date_day,
        days.sale_day,
        coalesce(daily_orders.orders, 0) as orders
    from days
    left join daily_orders on days.date_day = daily_orders.order_date

),

-- Growth and season are taken out by the ordinary days around: two weeks before and two after, the day itself left out.
surrounded as (

    select
        date_day,
        sale_day,
        orders,
        case when sale_day is null then orders else 0 end as own_orders,
        case when sale_day is null then 1 else 0 end as own_days,
        sum(case when sale_day is null then orders else 0 end) over around as orders_around,
        sum(case when sale_day is null then 1 else 0 end) over around as days_around
    from counted
    window around as (order by date_day rows between 14 preceding and 14 following)

),

ordinary as (

    select
        date_day,
        sale_day,
        orders,
        orders_around - own_orders as ordinary_orders,
        days_around - own_days as ordinary_days
    from surrounded

),

final as (

    select
        date_day,
        coalesce(sale_day, 'ordinary day') as kind_of_day,
        sale_day is not null as is_sale_day,
        orders,
        {{ ratio('orders * ordinary_days', 'ordinary_orders') }} as relative_orders
    from ordinary

)

select * from final
