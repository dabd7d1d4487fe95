with source as (

    select * from {{ source('campaigns', 'campaign_exports') }}

),

final as (

    select
        launch_id,
        exported_at,
        format as list_format,
        customer_id
    from source

)

select * from final
