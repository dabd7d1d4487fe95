{%- set horizon_days = var('churn_horizon_days') -%}

with

order_history as (

    select * from {{ ref('int_churn_order_history') }}

),

calendar as (

    select * from {{ ref('int_shop_calendar') }}

),

month_starts as (

    select {{ month_spine('first_order_month', 'as_of_date') }} as cutoff_date
    from calendar

),

-- A past cut-off is a month's end, told by the day after it, whose window has closed: what is known at it, and what
-- came of it, are the same on every later day.
closed_windows as (

    select
        month_starts.cutoff_date,
        calendar.as_of_date,
        {{ add_days('month_starts.cutoff_date', horizon_days) }} as window_end_date,
        {{ days_between('calendar.first_order_date', 'month_starts.cutoff_date') }} >= {{ horizon_days }}
            as has_history
    from month_starts
    cross join calendar
    where
        month_starts.cutoff_date > calendar.first_order_date
        and {{ add_days('month_starts.cutoff_date', horizon_days) }} <= calendar.as_of_date

),

-- Customers of a few days teach what no later day is like: such cut-offs stay out unless there are no others.
usable_windows as (

    select
        *,
        row_number() over (order by has_history desc, cutoff_date desc) as cutoff_number,
        max(case when has_history then 1 else 0 end) over () as is_any_old_enough
    from closed_windows

),

cutoffs as (

    select
        cutoff_number,
        as_of_date,
        cutoff_date,
        window_end_date
    from usable_windows
    where
        cutoff_number <= {{ var('churn_past_cutoffs') }}
        and (has_history or is_any_old_enough = 0)
    union all
    select
        0 as cutoff_number,
        as_of_date,
        as_of_date as cutoff_date,
        {{ add_days('as_of_date', horizon_days) }} as window_end_date
    from calendar
    where as_of_date > first_order_date

),

new_customers as (

    select
        order_date,
        count(*) as customers
    from order_history
    where customer_occasion_number = 1
    group by order_date

),

-- The past cut-offs are for fitting and judging, where more people than this teach nothing new. Who is looked at
-- depends on a digest of the id and on how many customers there were then: not on what they bought, nor on later ones.
sampled_cutoffs as (

    select
        cutoffs.cutoff_number,
        cutoffs.as_of_date,
        cutoffs.cutoff_date,
        cutoffs.window_end_date,
        case
            when cutoffs.cutoff_number > 0
                then cast({{ var('churn_training_customers') }} as double) / sum(new_customers.customers)
            else 1
        end as sampled_share
    from cutoffs
    inner join new_customers on cutoffs.cutoff_date > new_customers.order_date
    group by cutoffs.cutoff_number, cutoffs.as_of_date, cutoffs.cutoff_date, cutoffs.window_end_date

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
        sampled_cutoffs.cutoff_number,
        sampled_cutoffs.cutoff_date,
        sampled_cutoffs.as_of_date,
        sampled_cutoffs.window_end_date,
        sampled_cutoffs.window_end_date <= sampled_cutoffs.as_of_date as is_window_closed
    from order_history
    inner join sampled_cutoffs
        on
            order_history.order_date < sampled_cutoffs.cutoff_date
            and (
                order_history.next_order_date is null
                or order_history.next_order_date >= sampled_cutoffs.cutoff_date
            )
            and (
                sampled_cutoffs.sampled_share >= 1
                or {{ place_of('order_history.customer_id') }} < sampled_cutoffs.sampled_share
            )

)

select * from final
