{# Names of the raw tables, as described in the sources' YAML; dbt knows them only once it executes. #}
{% macro raw_tables() -%}
    {%- if not execute -%}
        {{ return([]) }}
    {%- endif -%}
    {{ return(graph.sources.values() | selectattr('source_name', 'equalto', 'olist') | map(attribute='name') | list) }}
{%- endmacro %}

{# Columns of a raw table, as documented in the sources' YAML; dbt knows them only once it executes. #}
{% macro raw_column_names(table_name) -%}
    {%- if not execute -%}
        {{ return(['unknown_while_parsing']) }}
    {%- endif -%}
    {%- set node = graph.sources['source.' ~ project_name ~ '.olist.' ~ table_name] -%}
    {{ return(node.columns.values() | map(attribute='name') | list) }}
{%- endmacro %}

{# Identifiers and free text have no minimum worth showing, and the profile is open to people who may see neither. #}
{% macro is_range_shown(column_name) -%}
    {%- set is_identifier = column_name.endswith('_id') and column_name != 'order_item_id' -%}
    {{ return(not (is_identifier or column_name.startswith('review_comment'))) }}
{%- endmacro %}

{#
    The profile of a raw table, given as its relation, as CTEs: one scan counts all columns into one wide row, which is then turned upright, one row
    per column. The last CTE is `<table>_profile`.
#}
{% macro column_profile_ctes(relation) -%}
{%- set table_name = relation.identifier -%}
{%- set columns = raw_column_names(table_name) -%}
{{ table_name }}_wide as (

    select
        {%- for column in columns %}
        {%- set cell = nothing_if_blank(column) if column.startswith('review_comment') else column %}
        count({{ cell }}) as filled_{{ loop.index }},
        count(distinct {{ cell }}) as distinct_{{ loop.index }},
        {%- if is_range_shown(column) %}
        cast(min({{ column }}) as string) as min_{{ loop.index }},
        cast(max({{ column }}) as string) as max_{{ loop.index }},
        {%- endif %}
        {%- endfor %}
        count(*) as row_count
    from {{ relation }}

),

{{ table_name }}_columns as (

    select * from (
        values
        {%- for column in columns %}
        ({{ loop.index }}, '{{ column }}'){{ ',' if not loop.last }}
        {%- endfor %}
    ) as listed (column_number, column_name)

),

{{ table_name }}_profile as (

    select
        '{{ table_name }}' as source_table,
        columns.column_number,
        columns.column_name,
        wide.row_count,
        {%- for measure in ['filled', 'distinct', 'min', 'max'] %}
        case
            {%- for column in columns if measure in ['filled', 'distinct'] or is_range_shown(column) %}
            when columns.column_name = '{{ column }}' then wide.{{ measure }}_{{ columns.index(column) + 1 }}
            {%- endfor %}
        end as {{ measure }}_value{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ table_name }}_wide as wide
    cross join {{ table_name }}_columns as columns

)
{%- endmacro %}

{% macro all_column_profile_ctes(relations) -%}
    {%- for relation in relations -%}
    {{ column_profile_ctes(relation) }}{{ ',\n\n' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}

{% macro column_profile_union(relations) -%}
    {%- for relation in relations %}
    select * from {{ relation.identifier }}_profile
    {{ 'union all' if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{#
    Rows of a CTE that show each of several oddities, counted in one scan: one row per oddity. An oddity has a name, a
    condition and the rule that handles it; where a row of the CTE stands for several raw rows, `rows` says for how many.
#}
{% macro anomaly_counts(cte, source_table, anomalies, rows='1') -%}
    select
        '{{ source_table }}' as source_table,
        oddities.anomaly,
        case oddities.number
            {%- for anomaly in anomalies %}
            when {{ loop.index }} then wide.rows_{{ loop.index }}
            {%- endfor %}
        end as row_count,
        wide.checked_rows,
        oddities.handled_by
    from (
        select
            {%- for anomaly in anomalies %}
            sum(case when {{ anomaly.condition }} then {{ anomaly.rows | default(rows) }} else 0 end) as rows_{{ loop.index }},
            {%- endfor %}
            sum({{ rows }}) as checked_rows
        from {{ cte }}
    ) as wide
    cross join (
        values
        {%- for anomaly in anomalies %}
        ({{ loop.index }}, '{{ anomaly.name }}', '{{ anomaly.handled_by }}'){{ ',' if not loop.last }}
        {%- endfor %}
    ) as oddities (number, anomaly, handled_by)
{%- endmacro %}

{# Every oddity of `anomaly_checks`, counted. #}
{% macro all_anomaly_counts() -%}
    {%- for check in anomaly_checks() %}
    {{ anomaly_counts(check.cte, check.source_table, check.anomalies, check.rows | default('1')) }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
{%- endmacro %}
