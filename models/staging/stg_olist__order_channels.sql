with source as (

    select * from {{ source('olist', 'order_channels') }}

),

renamed as (

    select
        order_id,
        lower(channel) as channel
    from source

)

select * from renamed
