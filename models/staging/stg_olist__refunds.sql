with source as (

    select * from {{ source('olist', 'refunds') }}

),

renamed as (

    select
        refund_id,
        order_id,
        refunded_at,
        refund_value
    from source

)

select * from renamed
