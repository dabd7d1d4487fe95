{#-
    The CTEs from cohort activity to the dense cohort grid, ending in `cohort_cells`: every cohort with every step of the
    longest-observed cohort. `by` names the extra grouping columns. Steps are calendar months (`months_since_first_order`, 0 is the
    month of the first order) or 30-day periods (`periods_since_first_occasion`, 0 is days 1 to 30, -1 the first occasion itself). A
    cohort and step without activity is 0; a step that has not been seen to its end by everyone of the cohort is NULL.
-#}
{% macro cohort_cells(activity, by, step='months_since_first_order') -%}
{%- set in_months = step == 'months_since_first_order' -%}
{%- set first_step = 0 if in_months else -1 -%}
{%- set cohort_keys = by + ['cohort_month'] -%}
{%- set keys = cohort_keys + [step] -%}
{%- set measures = ['active_customers', 'orders', 'revenue'] -%}
calendar as (

    select * from {{ ref('int_shop_calendar') }}

),

cell_sums as (

    select
        {{ keys | join(',\n        ') }},
        sum(active_customers) as active_customers,
        sum(orders) as orders,
        sum(revenue) as revenue
    from {{ activity }}
    group by {{ keys | join(', ') }}

),

-- Everyone is active in the first step, so its customers are the cohort.
cohorts as (

    select
        {{ cohort_keys | join(',\n        ') }},
        active_customers as cohort_size
    from cell_sums
    where {{ step }} = {{ first_step }}

),

first_cohort as (

    select min(cohort_month) as cohort_month
    from cohorts

),

{% if in_months -%}
months as (

    select {{ month_spine('first_cohort.cohort_month', 'calendar.last_complete_month') }} as order_month
    from first_cohort
    cross join calendar

),

offsets as (

    select {{ months_between('first_cohort.cohort_month', 'months.order_month') }} as {{ step }}
    from months
    cross join first_cohort

),
{%- else -%}
days as (

    select
        {{ date_spine('last_day(first_cohort.cohort_month)', 'last_day(calendar.last_complete_month)') }} as date_day
    from first_cohort
    cross join calendar

),

offsets as (

    select distinct
        cast(floor({{ days_between('last_day(first_cohort.cohort_month)', 'days.date_day') }} / 30.0) as integer) - 1
            as {{ step }}
    from days
    cross join first_cohort

),
{%- endif %}

grid as (

    select
        {% for key in cohort_keys -%}
        cohorts.{{ key }},
        {% endfor -%}
        offsets.{{ step }},
        cohorts.cohort_size,
        {% if in_months -%}
        offsets.{{ step }}
        <= {{ months_between('cohorts.cohort_month', 'calendar.last_complete_month') }} as is_observable
        {%- else -%}
        30 * (offsets.{{ step }} + 1)
        <= {{ days_between('last_day(cohorts.cohort_month)', 'last_day(calendar.last_complete_month)') }} as is_observable
        {%- endif %}
    from cohorts
    cross join offsets
    cross join calendar

),

observed as (

    select
        {% for key in keys -%}
        grid.{{ key }},
        {% endfor -%}
        grid.cohort_size,
        grid.is_observable,
        {% for measure in measures -%}
        case when grid.is_observable then coalesce(cell_sums.{{ measure }}, 0) end as {{ measure }}{{ ',' if not loop.last }}
        {% endfor %}
    from grid
    left join cell_sums
        on
        {% for key in keys -%}
        grid.{{ key }} = cell_sums.{{ key }}{{ ' and' if not loop.last }}
        {% endfor %}

),

cumulated as (

    select
        *,
        case
            when is_observable
                then sum(revenue) over (
                    partition by {{ cohort_keys | join(', ') }}
                    order by {{ step }}
                    rows between unbounded preceding and current row
                )
        end as cumulative_revenue
    from observed

),

cohort_cells as (

    select
        {% for key in cohort_keys -%}
        {{ key }},
        {% endfor -%}
        cast({{ step }} as integer) as {{ step }},
        cast(cohort_size as bigint) as cohort_size,
        cast(active_customers as bigint) as active_customers,
        {{ ratio('active_customers', 'cohort_size') }} as retention_rate,
        {{ wilson_bound('active_customers', 'cohort_size', '-') }} as retention_low,
        {{ wilson_bound('active_customers', 'cohort_size', '+') }} as retention_high,
        cast(orders as bigint) as orders,
        cast(revenue as decimal(18, 2)) as revenue,
        cast(cumulative_revenue as decimal(18, 2)) as cumulative_revenue,
        {{ ratio('cumulative_revenue', 'cohort_size') }} as cumulative_revenue_per_customer,
        is_observable,
        cohort_size < {{ var('cohort_min_customers') }} as is_small_cell
    from cumulated

)
{%- endmacro %}
