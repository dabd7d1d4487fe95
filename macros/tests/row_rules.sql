{#
    Row-level rules of a model, all checked in one scan. `rules` is a list of SQL conditions every row must meet; as with a CHECK
    constraint, a condition that is NULL is met. Returns the rows that break a rule, with the first rule broken.
#}
{% test row_rules(model, rules) %}

    select
        case
            {%- for rule in rules %}
            when not ({{ rule }}) then '{{ rule | replace("'", "''") }}'
            {%- endfor %}
        end as broken_rule,
        *
    from {{ model }}
    where
        {% for rule in rules %}
        {{ 'or ' if not loop.first }}not ({{ rule }})
        {% endfor %}

{% endtest %}
