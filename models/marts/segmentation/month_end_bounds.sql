{{ config(materialized='windowed', window_by='month_end') }}

with standings as (

    select * from {{ ref('int_customer_standings') }}

),

-- A refresh adds the month ends that are not there yet; a month end knows nothing of later months.
stretches as (

    select * from {{ ref('int_month_stretches') }}
    {% if is_windowed_run() -%}
        where month_end > coalesce((select max(month_end) from {{ this }}), date '0001-01-01')
    {%- endif %}

),

recency_stretches as (

    select
        valid_from_month,
        valid_until_month,
        last_order_date,
        count(*) as customers
    from standings
    group by valid_from_month, valid_until_month, last_order_date

),

recency_counts as (

    select
        stretches.month_end,
        {{ days_between('recency_stretches.last_order_date', 'stretches.month_end') }} + 1 as recency_days,
        sum(recency_stretches.customers) as customers
    from recency_stretches
    inner join stretches
        on
            recency_stretches.valid_from_month = stretches.valid_from_month
            and recency_stretches.valid_until_month = stretches.valid_until_month
    group by stretches.month_end, {{ days_between('recency_stretches.last_order_date', 'stretches.month_end') }} + 1

),

recency_scores as (

    select
        month_end,
        recency_days,
        customers,
        6 - {{ fifth(
            'sum(customers) over (partition by month_end order by recency_days)',
            'sum(customers) over (partition by month_end)'
        ) }} as score
    from recency_counts

),

recency_bands as (

    select
        month_end,
        'recency' as axis,
        score,
        cast(min(recency_days) as decimal(18, 2)) as begins_at,
        cast(sum(customers) as bigint) as customers
    from recency_scores
    group by month_end, score

),

-- Sums of money hardly ever repeat, and sorting all of them at every month end would be the most expensive step of
-- all: steps of about a hundredth of a value are counted first, and only the few within which a score begins are
-- looked into.
monetary_stretches as (

    select
        valid_from_month,
        valid_until_month,
        monetary,
        cast(floor(64 * ln(1 + cast(monetary as double))) as integer) as monetary_step,
        count(*) as customers
    from standings
    group by valid_from_month, valid_until_month, monetary

),

step_stretches as (

    select
        valid_from_month,
        valid_until_month,
        monetary_step,
        sum(customers) as customers
    from monetary_stretches
    group by valid_from_month, valid_until_month, monetary_step

),

step_counts as (

    select
        stretches.month_end,
        step_stretches.monetary_step,
        sum(step_stretches.customers) as customers
    from step_stretches
    inner join stretches
        on
            step_stretches.valid_from_month = stretches.valid_from_month
            and step_stretches.valid_until_month = stretches.valid_until_month
    group by stretches.month_end, step_stretches.monetary_step

),

cumulated_steps as (

    select
        *,
        sum(customers) over (partition by month_end order by monetary_step) as customers_up_to_it,
        sum(customers) over (partition by month_end) as all_customers
    from step_counts

),

-- The first step of a month end is among them, for its lowest score begins there.
steps_with_bounds as (

    select
        month_end,
        monetary_step,
        customers_up_to_it - customers as customers_before,
        all_customers
    from cumulated_steps
    where
        customers_up_to_it = customers
        or {{ fifth('customers_up_to_it', 'all_customers') }}
        > greatest({{ fifth('(customers_up_to_it - customers)', 'all_customers') }}, 1)

),

stretches_with_bounds as (

    select
        stretches.valid_from_month,
        stretches.valid_until_month,
        steps_with_bounds.*
    from stretches
    inner join steps_with_bounds on stretches.month_end = steps_with_bounds.month_end

),

monetary_counts as (

    select
        stretches_with_bounds.month_end,
        stretches_with_bounds.monetary_step,
        stretches_with_bounds.customers_before,
        stretches_with_bounds.all_customers,
        monetary_stretches.monetary,
        sum(monetary_stretches.customers) as customers
    from monetary_stretches
    inner join stretches_with_bounds
        on
            monetary_stretches.valid_from_month = stretches_with_bounds.valid_from_month
            and monetary_stretches.valid_until_month = stretches_with_bounds.valid_until_month
            and monetary_stretches.monetary_step = stretches_with_bounds.monetary_step
    group by
        stretches_with_bounds.month_end,
        stretches_with_bounds.monetary_step,
        stretches_with_bounds.customers_before,
        stretches_with_bounds.all_customers,
        monetary_stretches.monetary

),

cumulated_values as (

    select
        *,
        customers_before
        + sum(customers) over (partition by month_end, monetary_step order by monetary) as customers_up_to_it
    from monetary_counts

),

monetary_scores as (

    select
        *,
        {{ fifth('customers_up_to_it', 'all_customers') }} as score
    from cumulated_values

),

monetary_begins as (

    select
        month_end,
        score,
        min(monetary) as begins_at,
        min(customers_up_to_it - customers) as customers_below,
        max(all_customers) as all_customers
    from monetary_scores
    group by month_end, score

),

monetary_bands as (

    select
        month_end,
        'monetary' as axis,
        score,
        cast(begins_at as decimal(18, 2)) as begins_at,
        cast(
            coalesce(lead(customers_below) over (partition by month_end order by score), all_customers)
            - customers_below as bigint
        ) as customers
    from monetary_begins

),

bands as (

    select * from recency_bands
    union all
    select * from monetary_bands

),

final as (

    select
        month_end,
        axis,
        cast(score as integer) as score,
        begins_at,
        case
            when lag(begins_at) over (partition by month_end, axis order by begins_at) is not null then begins_at
        end as lower_bound,
        lead(begins_at) over (partition by month_end, axis order by begins_at) as upper_bound,
        case axis when 'recency' then 'days' else 'money' end as unit,
        customers
    from bands

)

select * from final
