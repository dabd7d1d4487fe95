with geolocation as (

    select * from {{ ref('stg_olist__geolocation') }}

),

-- Exact decimals, each place once: neither repeated rows nor their order can move a mean.
places as (

    select distinct
        zip_code_prefix,
        cast(latitude as decimal(11, 8)) as latitude,
        cast(longitude as decimal(11, 8)) as longitude,
        city,
        state
    from geolocation

),

-- Of Brazil: from Chui to Caburai and from the Moa to Fernando de Noronha. A mistyped minus sign lands in Portugal.
points as (

    select distinct
        zip_code_prefix,
        latitude,
        longitude
    from places
    where {{ is_in_shop_country('latitude', 'longitude') }}

),

centres as (

    select
        zip_code_prefix,
        count(*) as point_count,
        {{ ratio('sum(latitude)', 'count(*)', 6) }} as latitude,
        {{ ratio('sum(longitude)', 'count(*)', 6) }} as longitude
    from points
    group by 1

),

spellings as (

    select
        zip_code_prefix,
        city,
        state,
        count(*) as places
    from places
    group by 1, 2, 3

),

names as (

    select
        zip_code_prefix,
        {{ clean_city('city') }} as city,
        state,
        sum(places) as places
    from spellings
    group by 1, 2, 3

),

-- The name given most often; of equals, the first in the alphabet.
main_names as (

    select
        zip_code_prefix,
        {{ first_by('city', ['-places', "coalesce(city, '')", "coalesce(state, '')"]) }} as city,
        {{ first_by('state', ['-places', "coalesce(city, '')", "coalesce(state, '')"]) }} as state
    from names
    group by 1

),

final as (

    select
        main_names.zip_code_prefix,
        main_names.city,
        main_names.state,
        centres.latitude,
        centres.longitude,
        coalesce(centres.point_count, 0) as point_count
    from main_names
    left join centres on main_names.zip_code_prefix = centres.zip_code_prefix

)

select * from final
