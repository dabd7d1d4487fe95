with outcomes as (

    select * from {{ ref('int_campaign_outcomes') }}

),

-- Before the planned day nobody's outcome is told: looking again and again finds effects that are not there.
final as (

    select
        launch_id,
        customer_id,
        arm,
        stratum,
        first_exported_at,
        first_event_at,
        is_over,
        case when is_over then occasions end as occasions,
        case when is_over then revenue end as revenue
    from outcomes

)

select * from final
