{{ config(materialized='windowed', window_by='month_end', ids_repeat=true) }}

with standings as (

    select * from {{ ref('int_customer_standings') }}

),

bounds as (

    select * from {{ ref('month_end_bounds') }}

),

rfm_segments as (

    select * from {{ ref('rfm_segments') }}

),

-- A refresh adds the month ends that are not there yet; all of them in an ordinary run.
stretches as (

    select * from {{ ref('int_month_stretches') }}
    {% if is_windowed_run() -%}
        where month_end > coalesce((select max(month_end) from {{ this }}), date '0001-01-01')
    {%- endif %}

),

-- A score nobody had then begins nowhere: NULL, and passed over.
month_bounds as (

    select
        month_end,
        min(case when axis = 'recency' and score = 1 then begins_at end) as recency_1,
        min(case when axis = 'recency' and score = 2 then begins_at end) as recency_2,
        min(case when axis = 'recency' and score = 3 then begins_at end) as recency_3,
        min(case when axis = 'recency' and score = 4 then begins_at end) as recency_4,
        min(case when axis = 'recency' and score = 5 then begins_at end) as recency_5,
        min(case when axis = 'monetary' and score = 1 then begins_at end) as monetary_1,
        min(case when axis = 'monetary' and score = 2 then begins_at end) as monetary_2,
        min(case when axis = 'monetary' and score = 3 then begins_at end) as monetary_3,
        min(case when axis = 'monetary' and score = 4 then begins_at end) as monetary_4,
        min(case when axis = 'monetary' and score = 5 then begins_at end) as monetary_5
    from bounds
    group by month_end

),

-- Everything a month end needs to judge a customer: the bounds of its own day and of the month end before.
snapshots as (

    select
        {% for axis in ['recency', 'monetary'] -%}
            {%- for score in range(1, 6) -%}
                month_bounds.{{ axis }}_{{ score }},
                earlier_bounds.{{ axis }}_{{ score }} as earlier_{{ axis }}_{{ score }},
            {% endfor -%}
        {%- endfor %}
        stretches.valid_from_month,
        stretches.valid_until_month,
        stretches.month_end,
        last_day({{ add_months('stretches.order_month', -1) }}) as earlier_month_end,
        stretches.order_month = stretches.valid_from_month as has_just_ordered
    from stretches
    inner join month_bounds on stretches.month_end = month_bounds.month_end
    left join month_bounds as earlier_bounds
        on last_day({{ add_months('stretches.order_month', -1) }}) = earlier_bounds.month_end

),

month_ends as (

    select
        snapshots.*,
        standings.customer_id,
        standings.frequency,
        standings.monetary,
        {{ days_between('standings.last_order_date', 'snapshots.month_end') }} + 1 as recency_days,
        case
            when snapshots.has_just_ordered then standings.earlier_frequency
            else standings.frequency
        end as previous_frequency,
        case
            when snapshots.has_just_ordered then standings.earlier_monetary
            else standings.monetary
        end as previous_monetary,
        {{ days_between(
            'case when snapshots.has_just_ordered then standings.earlier_last_order_date else standings.last_order_date end',
            'snapshots.earlier_month_end'
        ) }} + 1 as previous_recency_days
    from standings
    inner join snapshots
        on
            standings.valid_from_month = snapshots.valid_from_month
            and standings.valid_until_month = snapshots.valid_until_month

),

scored as (

    select
        month_end,
        customer_id,
        recency_days,
        frequency,
        monetary,
        {{ score_from_bounds('recency_days', 'recency', [1, 2, 3, 4]) }} as recency_score,
        {{ frequency_score('frequency') }} as frequency_score,
        {{ score_from_bounds('monetary', 'monetary', [5, 4, 3, 2]) }} as monetary_score,
        previous_frequency,
        {{ score_from_bounds('previous_recency_days', 'earlier_recency', [1, 2, 3, 4]) }} as previous_recency_score,
        {{ frequency_score('previous_frequency') }} as previous_frequency_score,
        {{ score_from_bounds('previous_monetary', 'earlier_monetary', [5, 4, 3, 2]) }} as previous_monetary_score
    from month_ends

),

final as (

    select
        scored.month_end,
        scored.customer_id,
        cast(scored.recency_days as integer) as recency_days,
        cast(scored.frequency as integer) as frequency,
        scored.monetary,
        scored.recency_score,
        scored.frequency_score,
        scored.monetary_score,
        rfm_segments.rfm_segment,
        rfm_segments.churn_risk_tier,
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
