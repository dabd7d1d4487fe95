{{ config(materialized='windowed', window_by='month_end', ids_repeat=true) }}

with customer_months as (

    select * from {{ ref('int_customer_months') }}

),

calendar as (

    select * from {{ ref('int_shop_calendar') }}

),

rfm_segments as (

    select * from {{ ref('rfm_segments') }}

),

month_range as (

    select {{ month_spine('first_order_month', 'last_complete_month') }} as order_month
    from calendar

),

-- A refresh adds the months that are not there yet; all of them in an ordinary run.
numbered_months as (

    select
        month_range.order_month,
        cast({{ months_between('calendar.first_order_month', 'month_range.order_month') }} as integer) as month_number,
        {% if is_windowed_run() -%}
            month_range.order_month > coalesce((select max(month_end) from {{ this }}), date '0001-01-01') as is_new
        {%- else -%}
            true as is_new
        {%- endif %}
    from month_range
    cross join calendar

),

-- The month before a new one is needed too: it tells where each customer came from.
months as (

    select
        *,
        is_new or coalesce(lead(is_new) over (order by month_number), false) as is_needed
    from numbered_months

),

new_months as (

    select count(*) as months
    from months
    where is_new

),

complete_months as (

    select
        customer_months.*,
        cast(
            {{ months_between('calendar.first_order_month', 'customer_months.order_month') }} as integer
        ) as month_number,
        cast(
            {{ months_between('calendar.first_order_month', 'calendar.last_complete_month') }} + 1 as integer
        ) as month_count
    from customer_months
    inner join calendar on customer_months.order_month <= calendar.last_complete_month
    inner join new_months on new_months.months > 0

),

-- A customer's standing changes only in a month with an order. One row per such month, valid until the next, with the
-- standing it replaces: nearly everyone has a single row here, and the months in between are never sorted.
standings as (

    select
        customer_id,
        month_number as from_month_number,
        coalesce(lead(month_number) over (partition by customer_id order by month_number), month_count)
            as until_month_number,
        last_order_date,
        sum(orders) over (partition by customer_id order by month_number) as frequency,
        cast(sum(revenue) over (partition by customer_id order by month_number) as decimal(18, 2)) as monetary,
        lag(last_order_date) over (partition by customer_id order by month_number) as earlier_last_order_date,
        sum(orders) over (partition by customer_id order by month_number) - orders as earlier_frequency,
        cast(sum(revenue) over (partition by customer_id order by month_number) - revenue as decimal(18, 2))
            as earlier_monetary
    from complete_months

),

-- The months within every possible stretch, so that a stretch finds its months by equality.
stretches as (

    select
        first_months.month_number as from_month_number,
        last_months.month_number + 1 as until_month_number,
        months.month_number,
        months.order_month,
        months.is_new
    from months as first_months
    inner join months as last_months on first_months.month_number <= last_months.month_number
    inner join months
        on
            months.is_needed
            and months.month_number between first_months.month_number and last_months.month_number

),

recency_stretches as (

    select
        from_month_number,
        until_month_number,
        last_order_date,
        count(*) as customers
    from standings
    group by from_month_number, until_month_number, last_order_date

),

recency_counts as (

    select
        stretches.month_number,
        recency_stretches.last_order_date,
        sum(recency_stretches.customers) as customers
    from recency_stretches
    inner join stretches
        on
            recency_stretches.from_month_number = stretches.from_month_number
            and recency_stretches.until_month_number = stretches.until_month_number
    group by stretches.month_number, recency_stretches.last_order_date

),

-- Within one month end, the later the last order the fewer the days: dates stand in for days.
recency_scores as (

    select
        month_number,
        last_order_date,
        6 - {{ fifth(
            'sum(customers) over (partition by month_number order by last_order_date desc)',
            'sum(customers) over (partition by month_number)'
        ) }} as recency_score
    from recency_counts

),

recency_bounds as (

    select
        {% for score in [2, 3, 4, 5] %}
            min(case when recency_score >= {{ score }} then last_order_date end) as recency_{{ score }},
        {% endfor %}
        month_number
    from recency_scores
    group by month_number

),

-- Sums of money hardly ever repeat, and sorting all of them at every month end would be the dearest step of all: steps
-- of about a hundredth of a value are counted first, and only the few within which a score begins are looked into.
monetary_stretches as (

    select
        from_month_number,
        until_month_number,
        monetary,
        cast(floor(64 * ln(1 + cast(monetary as double))) as integer) as monetary_step,
        count(*) as customers
    from standings
    group by from_month_number, until_month_number, monetary

),

step_stretches as (

    select
        from_month_number,
        until_month_number,
        monetary_step,
        sum(customers) as customers
    from monetary_stretches
    group by from_month_number, until_month_number, monetary_step

),

step_counts as (

    select
        stretches.month_number,
        step_stretches.monetary_step,
        sum(step_stretches.customers) as customers
    from step_stretches
    inner join stretches
        on
            step_stretches.from_month_number = stretches.from_month_number
            and step_stretches.until_month_number = stretches.until_month_number
    group by stretches.month_number, step_stretches.monetary_step

),

cumulated_steps as (

    select
        *,
        sum(customers) over (partition by month_number order by monetary_step) as customers_up_to_it,
        sum(customers) over (partition by month_number) as all_customers
    from step_counts

),

steps_with_bounds as (

    select
        month_number,
        monetary_step,
        customers_up_to_it - customers as customers_before,
        all_customers
    from cumulated_steps
    where
        {{ fifth('customers_up_to_it', 'all_customers') }}
        > greatest({{ fifth('(customers_up_to_it - customers)', 'all_customers') }}, 1)

),

stretches_with_bounds as (

    select
        stretches.from_month_number,
        stretches.until_month_number,
        steps_with_bounds.*
    from stretches
    inner join steps_with_bounds on stretches.month_number = steps_with_bounds.month_number

),

monetary_counts as (

    select
        stretches_with_bounds.month_number,
        stretches_with_bounds.monetary_step,
        stretches_with_bounds.customers_before,
        stretches_with_bounds.all_customers,
        monetary_stretches.monetary,
        sum(monetary_stretches.customers) as customers
    from monetary_stretches
    inner join stretches_with_bounds
        on
            monetary_stretches.from_month_number = stretches_with_bounds.from_month_number
            and monetary_stretches.until_month_number = stretches_with_bounds.until_month_number
            and monetary_stretches.monetary_step = stretches_with_bounds.monetary_step
    group by
        stretches_with_bounds.month_number,
        stretches_with_bounds.monetary_step,
        stretches_with_bounds.customers_before,
        stretches_with_bounds.all_customers,
        monetary_stretches.monetary

),

monetary_scores as (

    select
        month_number,
        monetary,
        {{ fifth(
            '(customers_before + sum(customers) over (partition by month_number, monetary_step order by monetary))',
            'all_customers'
        ) }} as monetary_score
    from monetary_counts

),

monetary_bounds as (

    select
        {% for score in [2, 3, 4, 5] %}
            min(case when monetary_score >= {{ score }} then monetary end) as monetary_{{ score }},
        {% endfor %}
        month_number
    from monetary_scores
    group by month_number

),

bounds as (

    select
        recency_bounds.*,
        monetary_bounds.monetary_2,
        monetary_bounds.monetary_3,
        monetary_bounds.monetary_4,
        monetary_bounds.monetary_5
    from recency_bounds
    inner join monetary_bounds on recency_bounds.month_number = monetary_bounds.month_number

),

-- Everything a month end needs to judge a customer: the bounds of its own day and of the month end before.
snapshots as (

    select
        {% for score in [2, 3, 4, 5] %}
            bounds.recency_{{ score }},
            bounds.monetary_{{ score }},
            earlier_bounds.recency_{{ score }} as earlier_recency_{{ score }},
            earlier_bounds.monetary_{{ score }} as earlier_monetary_{{ score }},
        {% endfor %}
        stretches.from_month_number,
        stretches.until_month_number,
        stretches.month_number = stretches.from_month_number as has_just_ordered,
        last_day(stretches.order_month) as month_end
    from stretches
    inner join bounds on stretches.month_number = bounds.month_number
    left join bounds as earlier_bounds on stretches.month_number - 1 = earlier_bounds.month_number
    where stretches.is_new

),

month_ends as (

    select
        snapshots.*,
        standings.customer_id,
        standings.last_order_date,
        standings.frequency,
        standings.monetary,
        case
            when snapshots.has_just_ordered then standings.earlier_last_order_date
            else standings.last_order_date
        end as previous_last_order_date,
        case
            when snapshots.has_just_ordered then standings.earlier_frequency
            else standings.frequency
        end as previous_frequency,
        case
            when snapshots.has_just_ordered then standings.earlier_monetary
            else standings.monetary
        end as previous_monetary
    from standings
    inner join snapshots
        on
            standings.from_month_number = snapshots.from_month_number
            and standings.until_month_number = snapshots.until_month_number

),

scored as (

    select
        month_end,
        customer_id,
        last_order_date,
        frequency,
        monetary,
        {{ score_from_bounds('last_order_date', 'recency') }} as recency_score,
        {{ frequency_score('frequency') }} as frequency_score,
        {{ score_from_bounds('monetary', 'monetary') }} as monetary_score,
        previous_frequency,
        {{ score_from_bounds('previous_last_order_date', 'earlier_recency') }} as previous_recency_score,
        {{ frequency_score('previous_frequency') }} as previous_frequency_score,
        {{ score_from_bounds('previous_monetary', 'earlier_monetary') }} as previous_monetary_score
    from month_ends

),

final as (

    select
        scored.month_end,
        scored.customer_id,
        cast({{ days_between('scored.last_order_date', 'scored.month_end') }} + 1 as integer) as recency_days,
        cast(scored.frequency as integer) as frequency,
        scored.monetary,
        scored.recency_score,
        scored.frequency_score,
        scored.monetary_score,
        rfm_segments.rfm_segment,
        case
            when scored.previous_frequency = 0 then 'not_yet_a_customer'
            else previous_segments.rfm_segment
        end as previous_rfm_segment
    from scored
    left join rfm_segments
        on
            scored.recency_score = rfm_segments.recency_score
            and scored.frequency_score = rfm_segments.frequency_score
            and scored.monetary_score = rfm_segments.monetary_score
    left join rfm_segments as previous_segments
        on
            scored.previous_recency_score = previous_segments.recency_score
            and scored.previous_frequency_score = previous_segments.frequency_score
            and scored.previous_monetary_score = previous_segments.monetary_score

)

select * from final
