{# Late among deliveries: NULL, not zero, where deliveries were seen and none of them had a promised day. #}
{% macro late_orders() -%}
    case
        when count(is_late) > 0 or count(delivery_days) = 0 then sum(case when is_late then 1 else 0 end)
    end
{%- endmacro %}

{# Number of the logarithmic price bin, five per decade. Rounded first, so that 10.00 is never just below its own bound. #}
{% macro price_bin(price) -%}
    cast(floor({{ rounded('log10(cast(' ~ price ~ ' as double)) * 5', 6) }}) as integer)
{%- endmacro %}

{# Price at which a bin starts, rounded to cents. #}
{% macro price_bin_bound(price_bin) -%}
    {{ rounded('power(10.0, (' ~ price_bin ~ ') / 5.0)', 2) }}
{%- endmacro %}

{# Number of the bucket a row (driver, driver_value) of `review_drivers` falls into. #}
{% macro review_driver_bucket_number() -%}
    case
        {%- for driver, buckets in review_driver_buckets().items() %}
        {%- for bucket in buckets %}
        when driver = '{{ driver }}' and {{ bucket.condition }} then {{ loop.index }}
        {%- endfor %}
        {%- endfor %}
    end
{%- endmacro %}

{# The same bucket in words, from (driver, bucket_number). #}
{% macro review_driver_bucket_label() -%}
    case
        {%- for driver, buckets in review_driver_buckets().items() %}
        {%- for bucket in buckets %}
        when driver = '{{ driver }}' and bucket_number = {{ loop.index }} then '{{ bucket.label }}'
        {%- endfor %}
        {%- endfor %}
    end
{%- endmacro %}

{# What an order is sorted by in `review_drivers`: for each driver its buckets in order, the first that fits counts. #}
{% macro review_driver_buckets() -%}
    {{ return({
        'delay against the promised day': [
            {'label': '15 or more days early', 'condition': 'driver_value <= -15'},
            {'label': '8 to 14 days early', 'condition': 'driver_value <= -8'},
            {'label': '1 to 7 days early', 'condition': 'driver_value <= -1'},
            {'label': 'on the promised day', 'condition': 'driver_value = 0'},
            {'label': '1 to 3 days late', 'condition': 'driver_value <= 3'},
            {'label': '4 to 7 days late', 'condition': 'driver_value <= 7'},
            {'label': '8 to 14 days late', 'condition': 'driver_value <= 14'},
            {'label': '15 or more days late', 'condition': 'driver_value >= 15'},
            {'label': 'no delivery date', 'condition': 'driver_value is null'},
        ],
        'days from purchase to delivery': [
            {'label': 'up to 3 days', 'condition': 'driver_value <= 3'},
            {'label': '4 to 7 days', 'condition': 'driver_value <= 7'},
            {'label': '8 to 14 days', 'condition': 'driver_value <= 14'},
            {'label': '15 to 21 days', 'condition': 'driver_value <= 21'},
            {'label': '22 to 30 days', 'condition': 'driver_value <= 30'},
            {'label': '31 or more days', 'condition': 'driver_value >= 31'},
            {'label': 'no delivery date', 'condition': 'driver_value is null'},
        ],
        'items in the order': [
            {'label': '0 items', 'condition': 'driver_value = 0'},
            {'label': '1 item', 'condition': 'driver_value = 1'},
            {'label': '2 items', 'condition': 'driver_value = 2'},
            {'label': '3 items', 'condition': 'driver_value = 3'},
            {'label': '4 or more items', 'condition': 'driver_value >= 4'},
        ],
        'sellers in the order': [
            {'label': '0 sellers', 'condition': 'driver_value = 0'},
            {'label': '1 seller', 'condition': 'driver_value = 1'},
            {'label': '2 sellers', 'condition': 'driver_value = 2'},
            {'label': '3 or more sellers', 'condition': 'driver_value >= 3'},
        ],
    }) }}
{%- endmacro %}
