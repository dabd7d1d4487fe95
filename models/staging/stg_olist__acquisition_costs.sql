with source as (

    select * from {{ source('olist', 'acquisition_costs') }}

),

renamed as (

    select
        cost_month,
        channel,
        cost_value
    from source

)

select * from renamed
