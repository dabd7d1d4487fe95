with source as (

    select * from {{ source('campaigns', 'campaign_members') }}

),

final as (

    select
        launch_id,
        audience,
        channel,
        launched_at,
        starts_on,
        ends_on,
        condition,
        control_share,
        stratified_by,
        contact_cost,
        expected_return_rate,
        planned_difference,
        customer_id,
        stratum,
        draw,
        arm
    from source

)

select * from final
