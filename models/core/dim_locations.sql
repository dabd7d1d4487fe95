with zip_locations as (

    select * from {{ ref('int_zip_locations') }}

),

states as (

    select * from {{ ref('int_shop_states') }}

),

final as (

    select
        zip_locations.zip_code_prefix,
        zip_locations.city,
        zip_locations.state,
        cast(states.iso_code as string) as state_iso,
        states.state_name,
        cast(coalesce(states.region, 'unknown') as string) as region,
        zip_locations.latitude,
        zip_locations.longitude,
        cast(zip_locations.point_count as integer) as point_count
    from zip_locations
    left join states on zip_locations.state = states.state

)

select * from final
