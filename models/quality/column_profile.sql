{%- set profiled = [
    source('olist', 'orders'),
    source('olist', 'customers'),
    source('olist', 'order_items'),
    source('olist', 'order_payments'),
    source('olist', 'order_reviews'),
    source('olist', 'products'),
    source('olist', 'sellers'),
    source('olist', 'geolocation'),
    source('olist', 'category_translation'),
] -%}
{#- of these nothing is said in a shop that has none -#}
{%- set extras = [
    source('olist', 'order_discounts'),
    source('olist', 'refunds'),
    source('olist', 'product_costs'),
    source('olist', 'acquisition_costs'),
    source('olist', 'order_channels'),
    source('olist', 'campaign_events'),
] -%}

with {{ all_column_profile_ctes(profiled + extras) }},

all_columns as (

    {{ column_profile_union(profiled + extras) }}

),

final as (

    select
        source_table,
        column_number,
        column_name,
        row_count,
        cast(row_count - filled_value as bigint) as null_count,
        {{ ratio('row_count - filled_value', 'row_count') }} as null_share,
        cast(distinct_value as bigint) as distinct_count,
        min_value,
        max_value,
        row_count > 0 and row_count - filled_value > {{ var('mostly_empty_min_share') }} * row_count as is_mostly_empty
    from all_columns
    where
        row_count > 0
        or source_table not in (
            {% for table in extras %}
                '{{ table.identifier }}'{{ ',' if not loop.last }}
            {% endfor %}
        )

)

select * from final
