{#
    Tables of which only the tail is built again when the pipeline refreshes: the environment variable
    DBT_ENV_CUSTOM_ENV_REFRESH_FROM_MONTH names the first month ('2018-09') whose raw rows have changed. Rows before it stay as
    they are, rows from it on are deleted and built again. Without the variable, or where there is no table yet, such a model is
    an ordinary table. The month is needed when models run, never when they are parsed: a variable of that prefix dbt reads at
    run time, after any other kind it would parse these models, and what hangs on them, again for every month. With DBT_PLAIN=1
    the pipeline names no month and builds everything. Without it: every refresh is a whole build.
#}
{% macro window_start() -%}
    {{ return(dbt_metadata_envs.get('REFRESH_FROM_MONTH', '')) }}
{%- endmacro %}

{# Whether this model keeps its earlier rows in this run. #}
{% macro is_windowed_run() -%}
    {%- if not execute or not window_start() -%}
        {{ return(false) }}
    {%- endif -%}
    {%- set existing = load_cached_relation(this) -%}
    {{ return(existing is not none and existing.is_table) }}
{%- endmacro %}

{# First day of the window as an SQL literal. #}
{% macro window_start_day() -%}
    cast('{{ window_start() }}-01' as timestamp)
{%- endmacro %}

{# `where` clause that leaves only moments inside the window; nothing in an ordinary run. #}
{% macro where_in_window(moment) -%}
    {%- if is_windowed_run() -%}
        where {{ moment }} >= {{ window_start_day() }}
    {%- endif -%}
{%- endmacro %}

{# Whether a moment lies before the window; false in an ordinary run, whose window is everything. #}
{% macro is_before_window(moment) -%}
    {%- if is_windowed_run() -%}
        {{ moment }} < {{ window_start_day() }}
    {%- else -%}
        false
    {%- endif -%}
{%- endmacro %}

{# `where` clause that leaves only rows of orders inside the window, for rows without a moment of their own. #}
{% macro where_order_in_window(order_id='order_id') -%}
    {%- if is_windowed_run() or not execute -%}
        {#- called while dbt parses too: that is how it learns that orders come first -#}
        where {{ order_id }} in (
            select order_id from {{ ref('int_orders') }} where purchased_at >= {{ window_start_day() }}
        )
    {%- endif -%}
{%- endmacro %}

{#
    Materialization of such a table. `window_by` names the column that says where a row lies: a moment, or `order_id` for rows
    that lie where their order does.
#}
{% materialization windowed, default %}
    {%- if not is_windowed_run() -%}
        {{ return(context['materialization_table_' ~ adapter.type()]()) }}
    {%- endif -%}

    {%- set window_by = config.require('window_by') -%}
    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {%- set columns = adapter.get_columns_in_relation(this) | map(attribute='quoted') | join(', ') -%}
    {% call statement('clear window') -%}
        delete from {{ this }}
        where
        {%- if window_by == 'order_id' %}
            order_id not in (
                select order_id from {{ this.incorporate(path={'schema': 'intermediate', 'identifier': 'int_orders'}) }}
                where purchased_at < {{ window_start_day() }}
            )
        {%- else %}
            {{ window_by }} >= {{ window_start_day() }}
        {%- endif %}
    {%- endcall %}
    {% call statement('main') -%}
        insert into {{ this }} ({{ columns }})
        select {{ columns }} from ({{ sql }}) as built
    {%- endcall %}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({'relations': [this]}) }}
{% endmaterialization %}
