with segment_history as (

    select * from {{ ref('segment_history') }}

),

orders as (

    select * from {{ ref('fct_orders') }}

),

rfm_segments as (

    select * from {{ ref('rfm_segments') }}

),

calendar as (

    select * from {{ ref('int_shop_calendar') }}

),

-- Scoring holds its bands against who returned itself, with the model that ships.
scored_bands as (

    {{ scores_of_this_day('return_band_backtest') }}

),

month_ends as (

    select distinct month_end
    from segment_history

),

closed_windows as (

    select
        month_ends.month_end,
        {{ add_days('month_ends.month_end', 1) }} as cutoff_date,
        {{ add_days('month_ends.month_end', 1 + var('churn_horizon_days')) }} as window_end_date,
        row_number() over (order by month_ends.month_end desc) as windows_ago
    from month_ends
    inner join calendar
        on {{ add_days('month_ends.month_end', 1 + var('churn_horizon_days')) }} <= calendar.as_of_date

),

cutoffs as (

    select *
    from closed_windows
    where windows_ago <= {{ var('segment_backtest_cutoffs') }}

),

returners as (

    select distinct
        cutoffs.month_end,
        orders.customer_id
    from orders
    inner join cutoffs
        on
            orders.order_date >= cutoffs.cutoff_date
            and orders.order_date < cutoffs.window_end_date
    where orders.is_valid_order

),

-- What was said of each person on that day, from data up to that day only, and whether they came back.
judged as (

    select
        cutoffs.cutoff_date,
        segment_history.recency_score,
        segment_history.frequency_score,
        segment_history.monetary_score,
        count(*) as people,
        count(returners.customer_id) as returned
    from segment_history
    inner join cutoffs on segment_history.month_end = cutoffs.month_end
    left join returners
        on
            segment_history.month_end = returners.month_end
            and segment_history.customer_id = returners.customer_id
    group by
        cutoffs.cutoff_date,
        segment_history.recency_score,
        segment_history.frequency_score,
        segment_history.monetary_score

),

named as (

    select
        judged.cutoff_date,
        judged.people,
        judged.returned,
        rfm_segments.rfm_segment,
        rfm_segments.churn_risk_tier,
        rfm_segments.loyalty_group
    from judged
    inner join rfm_segments
        on
            judged.recency_score = rfm_segments.recency_score
            and judged.frequency_score = rfm_segments.frequency_score
            and judged.monetary_score = rfm_segments.monetary_score

),

-- One branch per kind of label: kind, label, cut-off, people, returned. Further kinds are further branches.
labelled as (

    {% for label_kind in ['rfm_segment', 'churn_risk_tier', 'loyalty_group'] %}
        select
            '{{ label_kind }}' as label_kind,
            {{ label_kind }} as label,
            cutoff_date,
            sum(people) as people,
            sum(returned) as returned
        from named
        group by {{ label_kind }}, cutoff_date
        union all
    {% endfor %}
    select
        label_kind,
        label,
        cutoff_date,
        people,
        returned
    from scored_bands

),

final as (

    select
        label_kind,
        label,
        cutoff_date,
        cast({{ var('churn_horizon_days') }} as integer) as horizon_days,
        cast(people as bigint) as people,
        cast(returned as bigint) as returned,
        {{ ratio('returned', 'people') }} as return_rate,
        {{ wilson_bound('returned', 'people', '-') }} as return_rate_low,
        {{ wilson_bound('returned', 'people', '+') }} as return_rate_high
    from labelled

)

select * from final
