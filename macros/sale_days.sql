{#
    Whether a day is one of Brazil's sales or one of the seven days up to a holiday on which people give presents; by rules, for any
    year. `kinds` in their order: the first that fits names the day.
#}
{% macro sale_day(day) -%}
    {%- set month = 'extract(month from ' ~ day ~ ')' -%}
    {%- set days_since_friday = '((' ~ iso_weekday(day) ~ ' + 2) % 7)' -%}
    {%- set last_friday = add_days(day, '-' ~ days_since_friday) -%}
    case
        when
            {{ days_since_friday }} <= 3
            and extract(month from {{ last_friday }}) = 11
            and extract(day from {{ last_friday }}) between 23 and 29
            then 'Black Friday to Monday'
        when {{ month }} = 3 and extract(day from {{ day }}) between 9 and 15 then 'week to Consumer Day'
        {%- for name, gift_month in [("Mother''s Day", 5), ("Father''s Day", 8)] %}
        when {{ is_week_to_second_sunday(day, gift_month) }} then 'week to {{ name }}'
        {%- endfor %}
        when {{ month }} = 6 and extract(day from {{ day }}) between 6 and 12 then 'week to Lovers'' Day'
        when {{ month }} = 10 and extract(day from {{ day }}) between 6 and 12 then 'week to Children''s Day'
        when {{ month }} = 12 and extract(day from {{ day }}) between 19 and 25 then 'week to Christmas'
    end
{%- endmacro %}

{# Whether a day is the second Sunday of a month or one of the six days before it. #}
{% macro is_week_to_second_sunday(day, month) -%}
    {%- set next_sunday = add_days(day, '(7 - ' ~ iso_weekday(day) ~ ')') -%}
    (
        extract(month from {{ next_sunday }}) = {{ month }} and extract(day from {{ next_sunday }}) between 8 and 14
    )
{%- endmacro %}
