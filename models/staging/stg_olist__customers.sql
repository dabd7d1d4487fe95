with source as (

    select * from {{ source('olist', 'customers') }}

),

-- The raw customer_id is minted per order. From here on customer_id is the person.
renamed as (

    select
        customer_id as order_customer_id,
        customer_unique_id as customer_id,
        customer_zip_code_prefix as zip_code_prefix,
        customer_city as city,
        customer_state as state
    from source

)

select * from renamed
