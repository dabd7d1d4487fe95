with source as (

    select * from {{ source('olist', 'order_discounts') }}

),

renamed as (

    select
        order_id,
        discount_code,
        discount_value
    from source

)

select * from renamed
