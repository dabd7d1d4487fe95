{#
    Create the score tables, empty, so that every model builds before the first scoring; a table of another shape is made
    again. Columns and types are those of the source `scores`: scoring writes by name into what it finds here.
    Plain queries only: adapter.get_relation would open a transaction that no hook commits.
#}
{% macro create_scores_tables() -%}
    {%- if execute and flags.WHICH in ['run', 'build', 'test'] -%}
        {%- do run_query('create schema if not exists scores') -%}
        {%- for table in graph.sources.values() if table.source_name == 'scores' -%}
            {%- set definitions = [] -%}
            {%- for column in table.columns.values() -%}
                {%- set data_type = dbt.type_string() if column.data_type == 'varchar' else column.data_type -%}
                {%- do definitions.append(column.name ~ ' ' ~ data_type) -%}
            {%- endfor -%}
            {{ create_scores_table(table.name, definitions | join(', '), table.columns.keys() | list) }}
        {%- endfor -%}
    {%- endif -%}
{%- endmacro %}

{# The columns of a score table, from the YAML of its source. A unit test sees no sources: it gets the columns of its rows. #}
{% macro score_columns(name) -%}
    {%- if execute and 'sources' in graph -%}
        {%- for column in graph.sources['source.' ~ project_name ~ '.scores.' ~ name].columns %}
    scores.{{ column }}{{ ',' if not loop.last }}
        {%- endfor -%}
    {%- else %}
    scores.*
    {%- endif -%}
{%- endmacro %}

{# What was found out on another day, or for another horizon, answers another question and is passed on by nobody. #}
{% macro scores_of_this_day(name, of_a_horizon=true) -%}
    select {{ score_columns(name) }}
    from {{ ref('stg_scores__' ~ name) }} as scores
    inner join {{ ref('int_shop_calendar') }} as calendar on scores.as_of_date = calendar.as_of_date
    {%- if of_a_horizon %}
    where scores.horizon_days = {{ var('churn_horizon_days') }}
    {%- endif %}
{%- endmacro %}
