{%- set country = var('shop_country') -%}

-- States, provinces or whatever the shop's country is divided into. Codes mean nothing without a country: MA is
-- Massachusetts or Maranhão.
with final as (

    {% if country == 'BR' %}
        select
            state,
            iso_code,
            state_name,
            region,
            latitude,
            longitude,
            true as is_always_listed
        from {{ ref('brazilian_states') }}
    {% else %}
        -- Of other countries no grouping into regions and no capitals are kept, and only states with somebody in them are
        -- listed.
        select
            state,
            iso_code,
            state_name,
            'not grouped' as region,
            cast(null as double) as latitude,
            cast(null as double) as longitude,
            false as is_always_listed
        from {{ ref('subdivisions') }}
        where country = {{ "'" ~ country ~ "'" if country else 'null' }}
    {% endif %}

)

select * from final
