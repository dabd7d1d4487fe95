{#-
    The CTEs from cohort activity to the dense cohort grid, ending in `cohort_cells`: every cohort with every month_since of the
    longest-observed cohort. `by` names the extra grouping columns. A cohort and month without activity is 0; a month that has not
    been seen to its end is NULL.
-#}
{% macro cohort_cells(activity, by) -%}
{%- set cohort_keys = by + ['cohort_month'] -%}
{%- set keys = cohort_keys + ['months_since_first_order'] -%}
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

-- Everyone is active in the month of the first order, so that month's customers are the cohort.
cohorts as (

    select
        {{ cohort_keys | join(',\n        ') }},
        active_customers as cohort_size
    from cell_sums
    where months_since_first_order = 0

),

first_cohort as (

    select min(cohort_month) as cohort_month
    from cohorts

),

months as (

    select {{ month_spine('first_cohort.cohort_month', 'calendar.last_complete_month') }} as order_month
    from first_cohort
    cross join calendar

),

offsets as (

    select {{ months_between('first_cohort.cohort_month', 'months.order_month') }} as months_since_first_order
    from months
    cross join first_cohort

),

grid as (

    select
        {% for key in cohort_keys -%}
        cohorts.{{ key }},
        {% endfor -%}
        offsets.months_since_first_order,
        cohorts.cohort_size,
        offsets.months_since_first_order
        <= {{ months_between('cohorts.cohort_month', 'calendar.last_complete_month') }} as is_observable
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
                    order by months_since_first_order
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
        cast(months_since_first_order as integer) as months_since_first_order,
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
