with customers as (

    select * from {{ ref('dim_customers') }}

),

orders as (

    select * from {{ ref('fct_orders') }}

),

calendar as (

    select * from {{ ref('int_shop_calendar') }}

),

second_occasions as (

    select distinct
        customer_id,
        order_date
    from orders
    where customer_occasion_number = 2

),

-- Without a second occasion all we know is that it did not come before as_of_date.
waits as (

    select
        cast(
            {{ days_between(
                'customers.first_valid_order_at', 'coalesce(second_occasions.order_date, calendar.as_of_date)'
            ) }} as integer
        ) as days_waited,
        case when second_occasions.customer_id is not null then 1 else 0 end as has_returned
    from customers
    cross join calendar
    left join second_occasions on customers.customer_id = second_occasions.customer_id
    where customers.first_valid_order_at is not null

),

daily as (

    select
        days_waited,
        sum(has_returned) as events,
        count(*) - sum(has_returned) as censored
    from waits
    group by days_waited

),

longest as (

    select max(days_waited) as days_waited
    from daily

),

dates as (

    select
        {{ date_spine(
            'calendar.first_order_date', add_days('calendar.first_order_date', 'longest.days_waited')
        ) }} as day_date
    from calendar
    cross join longest

),

days as (

    select cast({{ days_between('calendar.first_order_date', 'dates.day_date') }} as integer) as days_since_first_order
    from dates
    cross join calendar

),

counted as (

    select
        days.days_since_first_order,
        coalesce(daily.events, 0) as events,
        coalesce(daily.censored, 0) as censored
    from days
    left join daily on days.days_since_first_order = daily.days_waited

),

at_risk as (

    select
        *,
        sum(events + censored) over (
            order by days_since_first_order
            rows between current row and unbounded following
        ) as at_risk
    from counted

),

-- The curve is a product, summed as logarithms; decimals make the sum the same in whatever order it is added up.
-- A day on which everyone left came back ends the curve at 0, which no logarithm reaches.
hazards as (

    select
        *,
        case
            when events < at_risk
                then cast(ln(1 - cast(events as double) / at_risk) as decimal(38, 20))
            else 0
        end as log_step,
        case
            when events < at_risk
                then cast(cast(events as double) / (cast(at_risk as double) * (at_risk - events)) as decimal(38, 25))
            else 0
        end as variance_step,
        case when events = at_risk then 1 else 0 end as is_end
    from at_risk

),

cumulated as (

    select
        *,
        cast(
            sum(log_step) over (order by days_since_first_order rows between unbounded preceding and current row)
            as double
        ) as log_survival,
        cast(
            sum(variance_step) over (order by days_since_first_order rows between unbounded preceding and current row)
            as double
        ) as greenwood_sum,
        max(is_end) over (order by days_since_first_order rows between unbounded preceding and current row)
            as has_ended
    from hazards

),

-- Greenwood's variance on the log(-log) scale keeps the interval within 0 and 1. 1.959963984540054 is the normal
-- quantile at 0.975.
spread as (

    select
        *,
        case
            when has_ended = 0 and log_survival < 0
                then 1.959963984540054e0 * sqrt(greenwood_sum) / -log_survival
        end as log_log_margin
    from cumulated

),

final as (

    select
        days_since_first_order,
        cast(at_risk as bigint) as at_risk,
        cast(events as bigint) as events,
        cast(censored as bigint) as censored,
        case when has_ended = 1 then 0 else {{ rounded('exp(log_survival)', 9) }} end as survival,
        case
            when has_ended = 1 then null
            when log_survival = 0 then 1
            else {{ rounded('exp(log_survival * exp(log_log_margin))', 9) }}
        end as survival_low,
        case
            when has_ended = 1 then null
            when log_survival = 0 then 1
            else {{ rounded('exp(log_survival * exp(-log_log_margin))', 9) }}
        end as survival_high,
        case when has_ended = 1 then 1 else {{ rounded('1 - exp(log_survival)', 9) }} end as returned_share
    from spread

)

select * from final
