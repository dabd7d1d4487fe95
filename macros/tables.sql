{#
    How a table is built on DuckDB, whose transactions cover the making of tables: the old one is dropped and the new one made
    in one transaction, so that others see the one or the other. dbt's own way is to build under another name, to rename twice and
    to drop: statements of a millisecond, each with ten of dbt around them. Options that no model uses (indexes, grants,
    comments from dbt) are left out.
#}
{% materialization table, adapter='duckdb', supported_languages=['sql', 'python'] %}
    {%- set existing = load_cached_relation(this) -%}
    {%- set built = this.incorporate(type='table') -%}
    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {%- if existing is not none -%}
        {%- do adapter.drop_relation(existing) -%}
    {%- endif -%}
    {% call statement('main', language=model['language']) -%}
        {{ create_table_as(False, built, compiled_code, model['language']) }}
    {%- endcall %}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({'relations': [built]}) }}
{% endmaterialization %}
