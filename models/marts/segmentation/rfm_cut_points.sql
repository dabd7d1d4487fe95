with customer_rfm as (

    select * from {{ ref('customer_rfm') }}

),

-- Where each score was first seen, going up the axis. Scores nobody has begin nowhere and have no row.
observed as (

    select
        'recency' as axis,
        recency_score as score,
        cast(min(recency_days) as decimal(18, 4)) as begins_at,
        count(*) as customers
    from customer_rfm
    group by recency_score

    union all

    select
        'monetary' as axis,
        monetary_score as score,
        cast(min(monetary) as decimal(18, 4)) as begins_at,
        count(*) as customers
    from customer_rfm
    group by monetary_score

),

frequency_counts as (

    select
        frequency_score,
        count(*) as customers
    from customer_rfm
    group by frequency_score

),

-- Declared, not observed: a score nobody has yet is kept.
thresholds as (

    {% for threshold in var('frequency_score_thresholds') %}
        select
            {{ loop.index }} as score,
            cast({{ threshold }} as decimal(18, 4)) as begins_at
        {{ 'union all' if not loop.last }}
    {% endfor %}

),

declared as (

    select
        'frequency' as axis,
        thresholds.score,
        thresholds.begins_at,
        coalesce(frequency_counts.customers, 0) as customers
    from thresholds
    left join frequency_counts on thresholds.score = frequency_counts.frequency_score

),

bands as (

    select * from observed
    union all
    select * from declared

),

-- Each band ends where the next begins, and the outer two are open: every value has exactly one score, also one that
-- nobody had when the bands were cut.
bounded as (

    select
        axis,
        score,
        case
            when lag(begins_at) over (partition by axis order by begins_at) is not null then begins_at
        end as lower_bound,
        lead(begins_at) over (partition by axis order by begins_at) as upper_bound,
        customers
    from bands

),

final as (

    select
        axis,
        score,
        lower_bound,
        upper_bound,
        case axis
            when 'recency' then 'days'
            when 'frequency' then 'occasions'
            when 'monetary' then 'money'
        end as unit,
        customers
    from bounded

)

select * from final
