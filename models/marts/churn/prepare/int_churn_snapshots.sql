{%- set horizon_days = var('churn_horizon_days') -%}
{%- set step_days = var('churn_cutoff_step_days') -%}

with

order_history as (

    select * from {{ ref('int_churn_order_history') }}

),

calendar as (

    select * from {{ ref('int_shop_calendar') }}

),

cutoffs as (

    {% for cutoff_number in range(var('churn_past_cutoffs') + 1) %}
        select
            {{ cutoff_number }} as cutoff_number,
            as_of_date,
            {{ add_days('as_of_date', -cutoff_number * step_days) }} as cutoff_date,
            {{ add_days('as_of_date', horizon_days - cutoff_number * step_days) }} as window_end_date
        from calendar
        where {{ add_days('as_of_date', -cutoff_number * step_days) }} > first_order_date
        {{ 'union all' if not loop.last }}
    {% endfor %}

),

-- Exactly one occasion is a person's last one before a cut-off: a row per person and cut-off without any aggregation.
-- Keys only: this is the widest fan-out, and what belongs to the occasion is joined at the end.
final as (

    select
        order_history.customer_id,
        order_history.customer_occasion_number,
        order_history.order_date,
        order_history.next_order_date,
        order_history.has_other_orders,
        cutoffs.cutoff_number,
        cutoffs.cutoff_date,
        cutoffs.as_of_date,
        cutoffs.window_end_date,
        cutoffs.window_end_date <= cutoffs.as_of_date as is_window_closed
    from order_history
    inner join cutoffs
        on
            order_history.order_date < cutoffs.cutoff_date
            and (order_history.next_order_date is null or order_history.next_order_date >= cutoffs.cutoff_date)
            and (cutoffs.cutoff_number = 0 or order_history.is_sampled)

)

select * from final
