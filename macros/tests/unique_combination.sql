{# A key of several columns: no NULL in any of them, no combination twice. #}
{% test unique_combination(model, columns) %}

    select
        {{ columns | join(', ') }},
        count(*) as occurrences
    from {{ model }}
    group by {{ columns | join(', ') }}
    having
        count(*) > 1
        {% for column in columns %}
        or {{ column }} is null
        {% endfor %}

{% endtest %}
