with by_months as (

    select * from {{ ref('cohort_retention') }}

),

by_periods as (

    select * from {{ ref('cohort_retention_30_days') }}

),

cells as (

    select
        'calendar months' as period_kind,
        months_since_first_order as period_number,
        months_since_first_order as periods_followed,
        cohort_month,
        cohort_size,
        active_customers,
        cumulative_revenue,
        is_observable
    from by_months
    union all
    select
        '30-day periods' as period_kind,
        periods_since_first_occasion as period_number,
        periods_since_first_occasion + 1 as periods_followed,
        cohort_month,
        cohort_size,
        active_customers,
        cumulative_revenue,
        is_observable
    from by_periods

),

-- A set is every cohort that has been followed for so long, and stays the same from its first point to its last.
cohort_sets as (

    {% for periods in [3, 6, 12, 18, 24] %}
        select
            period_kind,
            cohort_month,
            {{ periods }} as periods_in_set
        from cells
        where periods_followed = {{ periods }} and is_observable
        {{ 'union all' if not loop.last }}
    {% endfor %}

),

summed as (

    select
        cells.period_kind,
        cohort_sets.periods_in_set,
        cells.period_number,
        min(cells.cohort_month) as first_cohort_month,
        max(cells.cohort_month) as last_cohort_month,
        count(*) as cohorts,
        sum(cells.cohort_size) as customers,
        sum(cells.active_customers) as active_customers,
        sum(cells.cumulative_revenue) as cumulative_revenue
    from cells
    inner join cohort_sets
        on
            cells.period_kind = cohort_sets.period_kind
            and cells.cohort_month = cohort_sets.cohort_month
            and cells.periods_followed <= cohort_sets.periods_in_set
    group by cells.period_kind, cohort_sets.periods_in_set, cells.period_number

),

final as (

    select
        period_kind,
        cast(periods_in_set as integer) as periods_in_set,
        cast(period_number as integer) as period_number,
        concat(
            'first order ',
            substring(cast(first_cohort_month as string), 1, 7),
            ' to ',
            substring(cast(last_cohort_month as string), 1, 7),
            ', ',
            periods_in_set,
            case when period_kind = '30-day periods' then ' periods of 30 days' else ' months' end
        ) as cohort_set,
        first_cohort_month,
        last_cohort_month,
        cast(cohorts as bigint) as cohorts,
        cast(customers as bigint) as customers,
        cast(active_customers as bigint) as active_customers,
        {{ ratio('active_customers', 'customers') }} as retention_rate,
        {{ wilson_bound('active_customers', 'customers', '-') }} as retention_low,
        {{ wilson_bound('active_customers', 'customers', '+') }} as retention_high,
        cast(cumulative_revenue as decimal(18, 2)) as cumulative_revenue,
        {{ ratio('cumulative_revenue', 'customers') }} as cumulative_revenue_per_customer
    from summed

)

select * from final
