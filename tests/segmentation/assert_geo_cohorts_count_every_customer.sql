-- The heat map's counts, cut by cohort, are those of the segments in every state.
with geo_cohorts as (

    select
        customer_state,
        rfm_segment,
        sum(customers) as customers
    from {{ ref('geo_cohorts') }}
    group by customer_state, rfm_segment

),

segment_summary as (

    select
        customer_state,
        rfm_segment,
        sum(customers) as customers
    from {{ ref('segment_summary') }}
    group by customer_state, rfm_segment

),

final as (

    select
        geo_cohorts.customers as customers_on_the_map,
        segment_summary.customers as customers_in_the_summary,
        coalesce(geo_cohorts.customer_state, segment_summary.customer_state) as customer_state,
        coalesce(geo_cohorts.rfm_segment, segment_summary.rfm_segment) as rfm_segment
    from geo_cohorts
    full outer join segment_summary
        on
            geo_cohorts.customer_state = segment_summary.customer_state
            and geo_cohorts.rfm_segment = segment_summary.rfm_segment
    where coalesce(geo_cohorts.customers, 0) <> coalesce(segment_summary.customers, 0)

)

select * from final
