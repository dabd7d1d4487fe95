-- Every cell once, named as the seed's description says: whoever moves a cell moves the rule and this test with it.
with rfm_segments as (

    select * from {{ ref('rfm_segments') }}

),

scores as (

    select distinct recency_score as score
    from rfm_segments
    where recency_score between 1 and 5

),

cells as (

    select
        recency.score as recency_score,
        frequency.score as frequency_score,
        monetary.score as monetary_score
    from scores as recency
    cross join scores as frequency
    cross join scores as monetary

),

ruled as (

    select
        *,
        case
            when frequency_score >= 3 and recency_score >= 4 and monetary_score >= 4 then 'Champions'
            when frequency_score >= 3 and recency_score >= 3 then 'Loyal'
            when frequency_score >= 3 and monetary_score >= 4 then 'Can''t lose'
            when frequency_score >= 3 then 'At risk'
            when frequency_score = 2 and recency_score >= 4 then 'Potential loyalists'
            when frequency_score = 2 and recency_score = 3 then 'Need attention'
            when frequency_score = 2 then 'At risk'
            when recency_score = 5 then 'New'
            when recency_score = 4 then 'Promising'
            when recency_score = 3 then 'About to sleep'
            when recency_score = 2 then 'Hibernating'
            else 'Lost'
        end as rfm_segment,
        case
            when frequency_score >= 3 and recency_score >= 3 then 'low'
            when frequency_score = 2 and recency_score >= 3 then 'medium'
            else 'high'
        end as churn_risk_tier,
        case
            when frequency_score >= 3 then 'loyal'
            when frequency_score = 2 then 'potentially_loyal'
            else 'one_time'
        end as loyalty_group
    from cells

),

counted as (

    select
        count(*) as cells,
        count(distinct rfm_cell) as distinct_cells,
        count(distinct rfm_segment) as segments
    from rfm_segments

),

misnamed as (

    select
        ruled.recency_score,
        ruled.frequency_score,
        ruled.monetary_score,
        rfm_segments.rfm_segment,
        ruled.rfm_segment as segment_by_rule
    from ruled
    left join rfm_segments
        on
            ruled.recency_score = rfm_segments.recency_score
            and ruled.frequency_score = rfm_segments.frequency_score
            and ruled.monetary_score = rfm_segments.monetary_score
    where
        rfm_segments.rfm_segment is null
        or rfm_segments.rfm_segment <> ruled.rfm_segment
        or rfm_segments.churn_risk_tier <> ruled.churn_risk_tier
        or rfm_segments.loyalty_group <> ruled.loyalty_group
        or rfm_segments.rfm_cell
        <> concat(ruled.recency_score, ruled.frequency_score, ruled.monetary_score)

),

final as (

    select concat('cell ', recency_score, frequency_score, monetary_score, ' is not as the rule says') as problem
    from misnamed

    union all

    select 'not 125 cells, or one twice' as problem
    from counted
    where cells <> 125 or distinct_cells <> 125

    union all

    select 'not eleven segments' as problem
    from counted
    where segments <> 11

)

select * from final {{ unless_dry_run() }}
