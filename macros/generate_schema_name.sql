{# Schemas are named as written (`marts`, not `main_marts`): users and dashboards query them by that name. #}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ (custom_schema_name or target.schema) | trim }}
{%- endmacro %}
