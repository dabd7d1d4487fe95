{#
    The only file with SQL that DuckDB and Spark spell differently. Models call these macros and stay portable;
    a third engine needs its own `<adapter>__` versions here and nothing else.
#}

{# Whole calendar days from start to end: midnights crossed, not 24-hour periods. #}
{% macro days_between(start, end) -%}
    {{ return(adapter.dispatch('days_between')(start, end)) }}
{%- endmacro %}

{% macro duckdb__days_between(start, end) -%}
    date_diff('day', cast({{ start }} as date), cast({{ end }} as date))
{%- endmacro %}

{% macro spark__days_between(start, end) -%}
    datediff(cast({{ end }} as date), cast({{ start }} as date))
{%- endmacro %}

{# Calendar months from one month to another, whatever the day of the month. #}
{% macro months_between(start_month, end_month) -%}
    (
        (extract(year from {{ end_month }}) - extract(year from {{ start_month }})) * 12
        + extract(month from {{ end_month }}) - extract(month from {{ start_month }})
    )
{%- endmacro %}

{# First day of the month, as a DATE: date_trunc alone gives a DATE or a TIMESTAMP, depending on the engine's version. #}
{% macro month_of(moment) -%}
    cast(date_trunc('month', {{ moment }}) as date)
{%- endmacro %}

{% macro add_days(day, days) -%}
    {{ return(adapter.dispatch('add_days')(day, days)) }}
{%- endmacro %}

{% macro duckdb__add_days(day, days) -%}
    (cast({{ day }} as date) + cast({{ days }} as integer))
{%- endmacro %}

{% macro spark__add_days(day, days) -%}
    date_add(cast({{ day }} as date), cast({{ days }} as int))
{%- endmacro %}

{% macro add_months(day, months) -%}
    {{ return(adapter.dispatch('add_months')(day, months)) }}
{%- endmacro %}

{% macro duckdb__add_months(day, months) -%}
    cast(cast({{ day }} as date) + to_months(cast({{ months }} as integer)) as date)
{%- endmacro %}

{% macro spark__add_months(day, months) -%}
    add_months(cast({{ day }} as date), cast({{ months }} as int))
{%- endmacro %}

{# Monday = 1 .. Sunday = 7. #}
{% macro iso_weekday(day) -%}
    {{ return(adapter.dispatch('iso_weekday')(day)) }}
{%- endmacro %}

{% macro duckdb__iso_weekday(day) -%}
    cast(isodow({{ day }}) as integer)
{%- endmacro %}

{% macro spark__iso_weekday(day) -%}
    (weekday({{ day }}) + 1)
{%- endmacro %}

{#
    Value of the row with the smallest (first_by) or largest (last_by) key. The keys must order the rows TOTALLY and hold
    no NULL: on a tie each engine keeps whichever row it met first, and two runs differ. A NULL value of the chosen row
    is returned as NULL, as Spark does; DuckDB's plain arg_min would skip to the next row.
#}
{% macro first_by(value, keys) -%}
    {{ return(adapter.dispatch('first_by')(value, keys)) }}
{%- endmacro %}

{% macro duckdb__first_by(value, keys) -%}
    arg_min_null({{ value }}, {{ keys[0] if keys | length == 1 else 'row(' ~ keys | join(', ') ~ ')' }})
{%- endmacro %}

{% macro spark__first_by(value, keys) -%}
    min_by({{ value }}, struct({{ keys | join(', ') }}))
{%- endmacro %}

{% macro last_by(value, keys) -%}
    {{ return(adapter.dispatch('last_by')(value, keys)) }}
{%- endmacro %}

{% macro duckdb__last_by(value, keys) -%}
    arg_max_null({{ value }}, {{ keys[0] if keys | length == 1 else 'row(' ~ keys | join(', ') ~ ')' }})
{%- endmacro %}

{% macro spark__last_by(value, keys) -%}
    max_by({{ value }}, struct({{ keys | join(', ') }}))
{%- endmacro %}

{#
    Division as double, NULL when the divisor is zero, rounded so that the last bits of a double never decide a class:
    DuckDB divides decimals as doubles, Spark as decimals of six digits.
#}
{% macro ratio(numerator, denominator, digits=9) -%}
    {{ rounded('cast(' ~ numerator ~ ' as double) / nullif(cast(' ~ denominator ~ ' as double), 0)', digits) }}
{%- endmacro %}

{#
    A double, rounded. Half-way cases are common among ratios, and Spark looks at the decimal digits of a double where DuckDB
    multiplies and looks at the whole number; the models call this macro and never `round`.
#}
{% macro rounded(value, digits) -%}
    {{ return(adapter.dispatch('rounded')(value, digits)) }}
{%- endmacro %}

{% macro duckdb__rounded(value, digits) -%}
    round({{ value }}, {{ digits }})
{%- endmacro %}

{% macro spark__rounded(value, digits) -%}
    (round(({{ value }}) * 1e{{ digits }}) / 1e{{ digits }})
{%- endmacro %}

{#
    Median of whole numbers or ratios, as a double: the mean of the middle two where their number is even, and hence of one
    digit more than a ratio.
#}
{% macro median_of(value) -%}
    {{ rounded('percentile_cont(0.5) within group (order by ' ~ value ~ ')', 10) }}
{%- endmacro %}

{# One row per day or month from start to end, both included; no row when either is NULL. Select-list item, alone in its CTE. #}
{% macro date_spine(start, end) -%}
    {{ return(adapter.dispatch('spine')(start, end, 'day')) }}
{%- endmacro %}

{% macro month_spine(start, end) -%}
    {{ return(adapter.dispatch('spine')(start, end, 'month')) }}
{%- endmacro %}

{% macro duckdb__spine(start, end, step) -%}
    unnest(
        cast(generate_series(cast({{ start }} as date), cast({{ end }} as date), interval 1 {{ step }}) as date [])
    )
{%- endmacro %}

{# Spark counts backwards when the end lies before the start, hence the guard. #}
{% macro spark__spine(start, end, step) -%}
    explode(
        case
            when cast({{ start }} as date) <= cast({{ end }} as date)
                then sequence(cast({{ start }} as date), cast({{ end }} as date), interval 1 {{ step }})
            else cast(array() as array<date>)
        end
    )
{%- endmacro %}

{# A whole number as a text with a comma between thousands: 1,234,567. #}
{% macro grouped_digits(value) -%}
    {{ return(adapter.dispatch('grouped_digits')(value)) }}
{%- endmacro %}

{% macro duckdb__grouped_digits(value) -%}
    format('{:,}', cast({{ value }} as bigint))
{%- endmacro %}

{% macro spark__grouped_digits(value) -%}
    format_number(cast({{ value }} as bigint), 0)
{%- endmacro %}

{# Flag that makes regexp_replace replace every match: DuckDB needs it, Spark always does. #}
{% macro regexp_everywhere() -%}
    {{ return(adapter.dispatch('regexp_everywhere')()) }}
{%- endmacro %}

{% macro duckdb__regexp_everywhere() -%}
    , 'g'
{%- endmacro %}

{% macro spark__regexp_everywhere() -%}
{%- endmacro %}

{# Version of the engine that runs the query: v2.0.0 of DuckDB, Spark 4.3.0. #}
{% macro engine_version() -%}
    {{ return(adapter.dispatch('engine_version')()) }}
{%- endmacro %}

{% macro duckdb__engine_version() -%}
    version()
{%- endmacro %}

{% macro spark__engine_version() -%}
    concat('Spark ', substring_index(version(), ' ', 1))
{%- endmacro %}

{#
    Texts are `string` in SQL, which both engines know; contracts say `varchar`, as the published file does, and reach Spark
    through dbt's own macro.
#}
{% macro spark__cast(field, type) -%}
    cast({{ field }} as {{ 'string' if type == 'varchar' else type }})
{%- endmacro %}

{#
    The landing as tables of the engine. On DuckDB the plugin makes views of it when dbt connects
    (pipeline/landing/dbt_plugin.py); Spark gets a table over each folder, made again in every run, because its files may have
    changed.
#}
{% macro create_landing_tables() -%}
    {%- if execute and flags.WHICH in ['run', 'build', 'test', 'seed'] -%}
        {{ adapter.dispatch('create_landing_tables')() }}
    {%- endif -%}
{%- endmacro %}

{% macro default__create_landing_tables() -%}
{%- endmacro %}

{% macro spark__create_landing_tables() -%}
    {%- for source in graph.sources.values() if source.source_meta.is_landed -%}
        {%- set folder = env_var('WAREHOUSE_DIR') ~ '/landing/' ~ source.name -%}
        {%- do run_query('create schema if not exists ' ~ source.schema) -%}
        {%- do run_query('drop table if exists ' ~ source.schema ~ '.' ~ source.name) -%}
        {%- do run_query(
            'create table ' ~ source.schema ~ '.' ~ source.name ~ ' using parquet location ' ~ spark_text(folder)
        ) -%}
    {%- endfor -%}
{%- endmacro %}

{# A text as Spark reads it, whatever it holds. #}
{% macro spark_text(value) -%}
    {{ return("'" ~ value | replace('\\', '\\\\') | replace("'", "\\'") ~ "'") }}
{%- endmacro %}

{#
    One score table, empty where there is none, made again where it has another shape. Spark only looks at the folder that the
    pipeline writes the scores into, which may have changed since the last run.
#}
{% macro create_scores_table(name, definitions, columns) -%}
    {{ adapter.dispatch('create_scores_table')('scores.' ~ name, definitions, columns) }}
{%- endmacro %}

{% macro duckdb__create_scores_table(name, definitions, columns) -%}
    {%- do run_query('create table if not exists ' ~ name ~ ' (' ~ definitions ~ ')') -%}
    {%- set found = run_query('select * from ' ~ name ~ ' limit 0').column_names -%}
    {%- if found | list != columns -%}
        {%- do run_query('drop table ' ~ name) -%}
        {%- do run_query('create table ' ~ name ~ ' (' ~ definitions ~ ')') -%}
    {%- endif -%}
{%- endmacro %}

{% macro spark__create_scores_table(name, definitions, columns) -%}
    {%- set folder = env_var('WAREHOUSE_DIR') ~ '/spark/' ~ name | replace('.', '.db/') -%}
    {%- do run_query('drop table if exists ' ~ name) -%}
    {%- do run_query('create table ' ~ name ~ ' (' ~ definitions ~ ') using parquet location ' ~ spark_text(folder)) -%}
{%- endmacro %}
