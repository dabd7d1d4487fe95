{# A number from 0 to 1 drawn from a digest of an id, by steps of 1/65,536: the same for an id on every day and engine. #}
{% macro place_of(id) -%}
    (
        {%- for place in range(1, 5) %}
        (instr('0123456789abcdef', substr(md5({{ id }}), {{ place }}, 1)) - 1) / {{ 16 ** place }}.0{{ ' +' if not loop.last }}
        {%- endfor %}
    )
{%- endmacro %}
