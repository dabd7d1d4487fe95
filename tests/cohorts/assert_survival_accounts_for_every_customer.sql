-- Everyone is at risk on day 0; whoever is no longer at risk has come back or been lost to sight the day before; the
-- curve never rises, and its events are the people with two valid orders.
with days as (

    select
        *,
        lag(at_risk - events - censored) over (order by days_since_first_order) as expected_at_risk,
        lag(survival) over (order by days_since_first_order) as survival_before
    from {{ ref('second_order_survival') }}

),

customers as (

    select
        count(*) as customers,
        sum(case when frequency > 1 then 1 else 0 end) as repeat_customers
    from {{ ref('customer_rfm') }}

),

totals as (

    select
        sum(events) as events,
        sum(events + censored) as customers
    from days

),

final as (

    select concat('day ', days_since_first_order) as problem
    from days
    where
        at_risk <> expected_at_risk
        or survival > survival_before

    union all

    select 'not every customer is accounted for' as problem
    from totals
    cross join customers
    where
        coalesce(totals.events, 0) <> coalesce(customers.repeat_customers, 0)
        or coalesce(totals.customers, 0) <> customers.customers

)

select * from final
