with zip_locations as (

    select * from {{ ref('int_zip_locations') }}

),

states as (

    select * from {{ ref('brazilian_states') }}

),

final as (

    select
        cast(zip_locations.zip_code_prefix as string) as zip_code_prefix,
        cast(zip_locations.city as string) as city,
        cast(zip_locations.state as string) as state,
        cast(states.iso_code as string) as state_iso,
        cast(states.state_name as string) as state_name,
        cast(coalesce(states.region, 'unknown') as string) as region,
        cast(zip_locations.latitude as double) as latitude,
        cast(zip_locations.longitude as double) as longitude,
        cast(zip_locations.point_count as integer) as point_count
    from zip_locations
    left join states on zip_locations.state = states.state

)

select * from final
