{#
    Ends a test that asks a seed to hold something. In a dry run (`dbt build --empty`) every table is empty on purpose, and
    what is missing says nothing.
#}
{% macro unless_dry_run() -%}
    {%- if flags.EMPTY -%}
        where false
    {%- endif -%}
{%- endmacro %}
