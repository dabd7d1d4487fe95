{#
    Two days side by side: `now`, and `past`, `past_days` before it. What is said today and what would have been said then
    are rows of the same models, so that one cannot know more than the other. Orders from a cut-off day on are not known yet.
#}
{% macro standings(past_days) -%}
    select
        'now' as standing,
        cast(as_of_date as date) as cutoff_date
    from {{ ref('int_shop_calendar') }}
    union all
    select
        'past' as standing,
        {{ add_days('as_of_date', -past_days) }} as cutoff_date
    from {{ ref('int_shop_calendar') }}
{%- endmacro %}
