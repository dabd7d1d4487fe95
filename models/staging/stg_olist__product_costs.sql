with source as (

    select * from {{ source('olist', 'product_costs') }}

),

renamed as (

    select
        product_id,
        unit_cost
    from source

)

select * from renamed
