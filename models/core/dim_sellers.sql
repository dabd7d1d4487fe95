with sellers as (

    select
        seller_id,
        zip_code_prefix,
        {{ clean_city('city') }} as city,
        state
    from {{ ref('stg_olist__sellers') }}

),

zip_locations as (

    select * from {{ ref('int_zip_locations') }}

),

states as (

    select * from {{ ref('int_shop_states') }}

),

{{ sold_later_only('seller_id') }},

-- A city cell may hold a zip code, an e-mail address or a state's code; then the zip prefix knows better.
final as (

    select
        sellers.seller_id,
        sellers.zip_code_prefix,
        cast(
            case
                when {{ is_no_city('sellers.city') }} then zip_locations.city
                else coalesce(sellers.city, zip_locations.city)
            end as string
        ) as city,
        cast(coalesce(sellers.state, 'unknown') as string) as state,
        states.state_name,
        cast(coalesce(states.region, 'unknown') as string) as region,
        zip_locations.latitude,
        zip_locations.longitude
    from sellers
    left join zip_locations on sellers.zip_code_prefix = zip_locations.zip_code_prefix
    left join states on sellers.state = states.state
    left join sold_later_only on sellers.seller_id = sold_later_only.seller_id
    where sold_later_only.seller_id is null

)

select * from final
