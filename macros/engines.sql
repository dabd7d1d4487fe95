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
    arg_min_null({{ value }}, row({{ keys | join(', ') }}))
{%- endmacro %}

{% macro spark__first_by(value, keys) -%}
    min_by({{ value }}, struct({{ keys | join(', ') }}))
{%- endmacro %}

{% macro last_by(value, keys) -%}
    {{ return(adapter.dispatch('last_by')(value, keys)) }}
{%- endmacro %}

{% macro duckdb__last_by(value, keys) -%}
    arg_max_null({{ value }}, row({{ keys | join(', ') }}))
{%- endmacro %}

{% macro spark__last_by(value, keys) -%}
    max_by({{ value }}, struct({{ keys | join(', ') }}))
{%- endmacro %}

{#
    Division as double, NULL when the divisor is zero, rounded so that the last bits of a double never decide a class:
    DuckDB divides decimals as doubles, Spark as decimals of six digits.
#}
{% macro ratio(numerator, denominator, digits=9) -%}
    round(cast({{ numerator }} as double) / nullif(cast({{ denominator }} as double), 0), {{ digits }})
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

{# Flag that makes regexp_replace replace every match: DuckDB needs it, Spark always does. #}
{% macro regexp_everywhere() -%}
    {{ return(adapter.dispatch('regexp_everywhere')()) }}
{%- endmacro %}

{% macro duckdb__regexp_everywhere() -%}
    , 'g'
{%- endmacro %}

{% macro spark__regexp_everywhere() -%}
{%- endmacro %}

{# Version of the engine that runs the query, with its name's letter where the engine gives one (v2.0.0). #}
{% macro engine_version() -%}
    version()
{%- endmacro %}
