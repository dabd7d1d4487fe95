-- Scored from the cut points and the cells alone, every customer comes out as in customer_rfm: scores, segment, group
-- and risk tier.
with customers as (

    select * from {{ ref('customer_rfm') }}

),

cut_points as (

    select * from {{ ref('rfm_cut_points') }}

),

rfm_segments as (

    select * from {{ ref('rfm_segments') }}

),

-- Few combinations of values exist, and each needs scoring once only.
looked_up as (

    {% for axis, column in [
        ('recency', 'recency_days'), ('frequency', 'frequency'), ('monetary', 'monetary')
    ] %}
        select
            '{{ axis }}' as axis,
            cast(axis_values.{{ column }} as decimal(18, 4)) as axis_value,
            count(*) as bands,
            max(cut_points.score) as score
        from (select distinct {{ column }} from customers) as axis_values
        left join cut_points
            on
                cut_points.axis = '{{ axis }}'
                and axis_values.{{ column }} >= coalesce(cut_points.lower_bound, axis_values.{{ column }})
                and axis_values.{{ column }} < coalesce(cut_points.upper_bound, axis_values.{{ column }} + 1)
        group by axis_values.{{ column }}
        {{ 'union all' if not loop.last }}
    {% endfor %}

),

scored as (

    select
        customers.customer_id,
        customers.rfm_segment,
        customers.loyalty_group,
        customers.churn_risk_tier,
        recency.bands + frequency.bands + monetary.bands as bands,
        recency.score as recency_score,
        frequency.score as frequency_score,
        monetary.score as monetary_score
    from customers
    left join looked_up as recency
        on customers.recency_days = recency.axis_value and recency.axis = 'recency'
    left join looked_up as frequency
        on customers.frequency = frequency.axis_value and frequency.axis = 'frequency'
    left join looked_up as monetary
        on customers.monetary = monetary.axis_value and monetary.axis = 'monetary'

),

named as (

    select
        scored.*,
        rfm_segments.rfm_segment as segment_by_cut_points,
        rfm_segments.loyalty_group as group_by_cut_points,
        rfm_segments.churn_risk_tier as tier_by_cut_points
    from scored
    left join rfm_segments
        on
            scored.recency_score = rfm_segments.recency_score
            and scored.frequency_score = rfm_segments.frequency_score
            and scored.monetary_score = rfm_segments.monetary_score

),

final as (

    select *
    from named
    where
        coalesce(bands, 0) <> 3
        or coalesce(segment_by_cut_points, '') <> rfm_segment
        or coalesce(group_by_cut_points, '') <> loyalty_group
        or coalesce(tier_by_cut_points, '') <> churn_risk_tier

)

select * from final
