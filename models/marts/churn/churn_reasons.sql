with

scores as (

    {{ scores_of_this_day('customer_churn_scores') }}

),

reasons as (

    {% for rank in [1, 2, 3] %}
        select
            churn_band,
            return_rank_band,
            horizon_days,
            {{ rank }} as reason_rank,
            reason_{{ rank }}_topic as reason_topic,
            reason_{{ rank }}_contribution as contribution
        from scores
        where reason_{{ rank }}_topic is not null
        {{ 'union all' if not loop.last }}
    {% endfor %}

),

summed as (

    select
        churn_band,
        return_rank_band,
        horizon_days,
        reason_topic,
        case when contribution > 0 then 'raises the risk' else 'lowers the risk' end as direction,
        count(*) as customers,
        sum(case when reason_rank = 1 then 1 else 0 end) as first_reason_customers,
        sum(cast(contribution as decimal(18, 9))) as total_contribution
    from reasons
    group by 1, 2, 3, 4, 5

),

final as (

    select
        churn_band,
        return_rank_band,
        reason_topic,
        direction,
        horizon_days,
        customers,
        cast(first_reason_customers as bigint) as first_reason_customers,
        {{ ratio('total_contribution', 'customers') }} as mean_contribution
    from summed

)

select * from final
