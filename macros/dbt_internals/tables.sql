{#
    The folder of everything in SQL that reaches into dbt's own parts; those in Python are in pipeline/base/dbt_internals.py.
    Each says what it gains and what breaks without it. `DBT_PLAIN=1` leaves dbt as it comes: slower, and the same warehouse.
#}
{% macro is_dbt_plain() -%}
    {{ return(env_var('DBT_PLAIN', '0') == '1') }}
{%- endmacro %}

{#
    How a table is built on DuckDB, whose transactions cover the making of tables: the old one is dropped and the new one made
    in one transaction, so that others see the one or the other. dbt's own way is to build under another name, to rename twice and
    to drop: statements of a millisecond, each with ten of dbt around them. Options that no model uses (indexes, grants,
    comments from dbt) are left out. Without it: slower. Python models are always built this way: dbt runs them from the
    outermost materialization only.
#}
{% materialization table, adapter='duckdb', supported_languages=['sql', 'python'] %}
    {%- if is_dbt_plain() and model['language'] == 'sql' -%}
        {{ return(dbt.materialization_table_duckdb()) }}
    {%- endif -%}
    {%- set existing = load_cached_relation(this) -%}
    {%- set built = this.incorporate(type='table') -%}
    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {%- if existing is not none -%}
        {%- do adapter.drop_relation(existing) -%}
    {%- endif -%}
    {% call statement('main', language=model['language']) -%}
        {%- if has_texts_as_they_are() -%}
            {{ create_table_of_columns(built, compiled_code) }}
        {%- else -%}
            {{ create_table_as(False, built, compiled_code, model['language']) }}
        {%- endif %}
    {%- endcall %}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({'relations': [built]}) }}
{% endmaterialization %}

{#
    Random texts of 32 letters: to look for a way to compress them costs as much as the rest of writing a table, and halves them at
    best. In the build file they stay as they are; publishing compresses everything. A model that repeats them row after row,
    where they compress well, says `ids_repeat`; the pipeline sets COMPRESS_IDS where the disk is too small.
#}
{% macro stored_as_it_is(column) -%}
    {%- if
        column in ['order_id', 'order_customer_id', 'customer_id', 'review_id']
        and not config.get('ids_repeat')
        and env_var('COMPRESS_IDS', 'no') != 'yes'
        and not is_dbt_plain()
    -%}
        using compression uncompressed
    {%- endif -%}
{%- endmacro %}

{# Whether a model without contract has such a column. One with a contract lists its columns in any case. #}
{% macro has_texts_as_they_are() -%}
    {%- if model['language'] == 'sql' and not config.get('contract').enforced -%}
        {%- for column in model['columns'] if stored_as_it_is(column) -%}
            {{ return(true) }}
        {%- endfor -%}
    {%- endif -%}
    {{ return(false) }}
{%- endmacro %}

{% macro create_table_of_columns(relation, sql) -%}
    create table {{ relation }} (
        {%- for column in get_column_schema_from_query(sql) %}
        {{ adapter.quote(column.name) }} {{ column.dtype }} {{ stored_as_it_is(column.name) }}{{ ',' if not loop.last }}
        {%- endfor %}
    );
    insert into {{ relation }} (
        {{ sql }}
    );
{%- endmacro %}

{# dbt's own, for models with a contract, and how the ids are stored. Without it: slower, a smaller build file. #}
{% macro duckdb__get_table_columns_and_constraints() -%}
    (
        {%- for column in model['columns'].values() %}
        {{ adapter.quote(column.name) }} {{ column.data_type }} {{ stored_as_it_is(column.name) }}{{ ',' if not loop.last }}
        {%- endfor %}
    )
{%- endmacro %}

{#
    How a seed is read. dbt-duckdb's own writes the file's path into a statement as it is, and DuckDB takes it for a pattern: in a
    project below `Ana's work (1)` or `copy[2]` no seed could be read. Never switched off.
#}
{% macro duckdb__load_csv_rows(model, agate_table) -%}
    {%- set file = adapter.get_seed_file_path(model) -%}
    {%- set path = modules.re.sub('([*?\\[])', '[\\1]', file) | replace("'", "''") -%}
    {%- set sql = 'copy ' ~ this.render() ~ " from '" ~ path ~ "' (format csv, header true, delimiter ',')" -%}
    {%- do adapter.add_query(sql, abridge_sql_log=True) -%}
    {{ return(sql) }}
{%- endmacro %}
