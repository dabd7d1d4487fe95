-- Who arrives in a segment is who is in it at the month end; who leaves or stays is who was in it the month before;
-- who comes from nowhere is who ordered for the first time.
with migration as (

    select
        month_end,
        {{ month_of('month_end') }} as month_start,
        from_segment,
        to_segment,
        customers
    from {{ ref('segment_migration') }}

),

history as (

    select
        {{ month_of('month_end') }} as month_start,
        rfm_segment as segment,
        count(*) as customers
    from {{ ref('segment_history') }}
    group by month_end, rfm_segment

),

arrivals as (

    select
        month_start,
        to_segment as segment,
        sum(customers) as customers
    from migration
    group by month_start, to_segment

),

departures as (

    select
        {{ add_months('month_start', -1) }} as month_start,
        from_segment as segment,
        sum(customers) as customers
    from migration
    where from_segment <> 'not_yet_a_customer'
    group by month_start, from_segment

),

newcomers as (

    select
        month_start,
        sum(customers) as customers
    from migration
    where from_segment = 'not_yet_a_customer'
    group by month_start

),

cohorts as (

    select
        cohort_month as month_start,
        sum(active_customers) as customers
    from {{ ref('int_cohort_activity') }}
    where months_since_first_order = 0
    group by cohort_month

),

last_month as (

    select max(month_start) as month_start
    from history

),

final as (

    select
        'arrivals' as side,
        coalesce(history.month_start, arrivals.month_start) as month_start,
        history.customers as expected,
        arrivals.customers as found
    from history
    full outer join arrivals on history.month_start = arrivals.month_start and history.segment = arrivals.segment
    where coalesce(history.customers, 0) <> coalesce(arrivals.customers, 0)

    union all

    select
        'departures' as side,
        coalesce(history.month_start, departures.month_start) as month_start,
        history.customers as expected,
        departures.customers as found
    from history
    full outer join departures on history.month_start = departures.month_start and history.segment = departures.segment
    cross join last_month
    where
        coalesce(history.customers, 0) <> coalesce(departures.customers, 0)
        and coalesce(history.month_start, departures.month_start) <> last_month.month_start

    union all

    select
        'newcomers' as side,
        coalesce(cohorts.month_start, newcomers.month_start) as month_start,
        cohorts.customers as expected,
        newcomers.customers as found
    from cohorts
    full outer join newcomers on cohorts.month_start = newcomers.month_start
    where coalesce(cohorts.customers, 0) <> coalesce(newcomers.customers, 0)

)

select * from final
