with source as (

    select * from {{ source('olist', 'campaign_events') }}

),

renamed as (

    select
        launch_id,
        customer_unique_id as customer_id,
        event,
        event_at
    from source

)

select * from renamed
