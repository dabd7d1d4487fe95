{#
    What holds for a whole table, checked by one query and told apart in its answer: one row per broken rule, with how many
    rows break it.

    key       columns that name a row: no NULL in any of them, no combination twice
    not_null  further columns without NULL
    rules     SQL conditions that every row must meet; as with a CHECK constraint, a condition that is NULL is met
#}
{% test table_rules(model, key=[], not_null=[], rules=[]) %}

    {%- set conditions = [] -%}
    {%- for column in key + not_null -%}
        {%- do conditions.append(column ~ ' is not null') -%}
    {%- endfor -%}
    {%- set conditions = conditions + rules -%}

    select
        listed.rule,
        case listed.number
            {%- if key %}
            when 0 then repeated.broken_rows
            {%- endif %}
            {%- for condition in conditions %}
            when {{ loop.index }} then counted.broken_{{ loop.index }}
            {%- endfor %}
        end as broken_rows
    from (
        select
            count(*) as row_count
            {%- for condition in conditions %},
            sum(case when not ({{ condition }}) then 1 else 0 end) as broken_{{ loop.index }}
            {%- endfor %}
        from {{ model }}
    ) as counted
    {%- if key %}
    cross join (
        select coalesce(sum(occurrences), 0) as broken_rows
        from (
            select count(*) as occurrences
            from {{ model }}
            group by {{ key | join(', ') }}
            having count(*) > 1
        ) as repeated_keys
    ) as repeated
    {%- endif %}
    cross join (
        values
        {%- if key %}
        (0, '{{ key | join(', ') }} once only'){{ ',' if conditions }}
        {%- endif %}
        {%- for condition in conditions %}
        ({{ loop.index }}, '{{ condition | replace("'", "''") }}'){{ ',' if not loop.last }}
        {%- endfor %}
    ) as listed (number, rule)
    where
        case listed.number
            {%- if key %}
            when 0 then repeated.broken_rows
            {%- endif %}
            {%- for condition in conditions %}
            when {{ loop.index }} then counted.broken_{{ loop.index }}
            {%- endfor %}
        end > 0

{% endtest %}
