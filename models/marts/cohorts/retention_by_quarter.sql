with second_occasions as (

    select * from {{ ref('int_second_occasions') }}

),

calendar as (

    select * from {{ ref('int_shop_calendar') }}

),

windows as (

    select cast(window_days as integer) as window_days
    from (
        {% for days in [30, 60, 90] %}
            select {{ days }} as window_days {{ 'union all' if not loop.last }}
        {% endfor %}
    ) as listed

),

counted as (

    select
        second_occasions.acquisition_quarter,
        windows.window_days,
        count(*) as customers,
        sum(case when second_occasions.days_to_second_occasion <= windows.window_days then 1 else 0 end) as returned
    from second_occasions
    cross join windows
    group by second_occasions.acquisition_quarter, windows.window_days

),

-- A quarter counts once everyone of it has been followed for the whole window, within complete months.
observed as (

    select
        counted.acquisition_quarter,
        counted.window_days,
        counted.customers,
        coalesce(
            {{ add_days(add_months('counted.acquisition_quarter', 3), 'counted.window_days') }}
            <= {{ add_months('calendar.last_complete_month', 1) }},
            false
        ) as is_observed,
        case
            when
                {{ add_days(add_months('counted.acquisition_quarter', 3), 'counted.window_days') }}
                <= {{ add_months('calendar.last_complete_month', 1) }}
                then counted.returned
        end as returned
    from counted
    cross join calendar

),

rates as (

    select
        *,
        {{ ratio('returned', 'customers') }} as return_rate,
        {{ wilson_bound('returned', 'customers', '-') }} as return_rate_low,
        {{ wilson_bound('returned', 'customers', '+') }} as return_rate_high
    from observed

),

-- The interval of a difference, from the two Wilson intervals (Newcombe).
changes as (

    select
        rates.*,
        previous.customers as previous_customers,
        previous.return_rate as previous_return_rate,
        rates.return_rate - previous.return_rate as rate_difference,
        rates.return_rate - previous.return_rate - sqrt(
            (rates.return_rate - rates.return_rate_low) * (rates.return_rate - rates.return_rate_low)
            + (previous.return_rate_high - previous.return_rate) * (previous.return_rate_high - previous.return_rate)
        ) as change_low,
        rates.return_rate - previous.return_rate + sqrt(
            (rates.return_rate_high - rates.return_rate) * (rates.return_rate_high - rates.return_rate)
            + (previous.return_rate - previous.return_rate_low) * (previous.return_rate - previous.return_rate_low)
        ) as change_high
    from rates
    left join rates as previous
        on
            rates.window_days = previous.window_days
            and {{ add_months('rates.acquisition_quarter', -3) }} = previous.acquisition_quarter

),

-- Of quarters of a dozen people nothing is said.
latest as (

    select
        window_days,
        max(acquisition_quarter) as acquisition_quarter
    from changes
    where
        rate_difference is not null
        and customers >= {{ var('cohort_min_customers') }}
        and previous_customers >= {{ var('cohort_min_customers') }}
    group by window_days

),

final as (

    select
        changes.acquisition_quarter,
        changes.window_days,
        concat(
            cast(cast(extract(year from changes.acquisition_quarter) as integer) as string),
            ' Q',
            cast(cast(extract(quarter from changes.acquisition_quarter) as integer) as string)
        ) as quarter_name,
        cast(changes.customers as bigint) as customers,
        cast(changes.returned as bigint) as returned,
        changes.return_rate,
        changes.return_rate_low,
        changes.return_rate_high,
        changes.previous_return_rate,
        {{ rounded('changes.rate_difference', 9) }} as rate_change,
        {{ rounded('changes.change_low', 9) }} as rate_change_low,
        {{ rounded('changes.change_high', 9) }} as rate_change_high,
        case
            when not changes.is_observed then 'not over yet'
            when changes.rate_difference is null then 'nothing before'
            when changes.change_low > 0 then 'better'
            when changes.change_high < 0 then 'worse'
            else 'no clear change'
        end as verdict,
        changes.is_observed,
        cast(latest.window_days is not null as boolean) as is_latest_change
    from changes
    left join latest
        on
            changes.window_days = latest.window_days
            and changes.acquisition_quarter = latest.acquisition_quarter

)

select * from final
