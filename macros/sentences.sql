{#
    Numbers as they stand in a sentence, in English and in Russian: 1,234 and 1 234, 12.3 and 12,3. A number that is not
    there makes the whole sentence NULL, and it is left out.
#}
{% macro number_text(value, language) -%}
    {%- set grouped = grouped_digits(rounded(value, 0)) -%}
    {%- if language == 'ru' -%} replace({{ grouped }}, ',', ' ') {%- else -%} {{ grouped }} {%- endif -%}
{%- endmacro %}

{# Beside a column `currency_symbol`, such as that of the mart `shop`. #}
{% macro money_text(value, language) -%}
    (currency_symbol || ' ' || {{ number_text(value, language) }})
{%- endmacro %}

{# A share in percent; signed for a change. The sign stands apart, so that a minus is a minus and not a hyphen. #}
{% macro percent_text(value, language, digits=1, signed=false) -%}
    {%- set number -%}
        cast(cast({{ rounded('abs(' ~ value ~ ') * 100', digits) }} as decimal(18, {{ digits }})) as string)
    {%- endset -%}
    {%- set written = "replace(" ~ number ~ ", '.', ',')" if language == 'ru' else number -%}
    {%- if signed -%}
        (case when {{ value }} < 0 then '−' else '+' end || {{ written }})
    {%- else -%} {{ written }} {%- endif -%}
{%- endmacro %}

{# '2018 Q2' in either language, from the first day of the quarter. #}
{% macro quarter_text(day, language) -%}
    {%- set year = 'cast(cast(extract(year from ' ~ day ~ ') as integer) as string)' -%}
    {%- set quarter = 'cast(cast(extract(quarter from ' ~ day ~ ') as integer) as string)' -%}
    {%- if language == 'ru' -%} ({{ quarter }} || '-й кв. ' || {{ year }}) {%- else -%} ({{ year }} || ' Q' || {{ quarter }}) {%- endif -%}
{%- endmacro %}

{# 'Aug 2018', 'август 2018'. #}
{% macro month_text(day, language) -%}
    {%- set names = {
        'en': ['January', 'February', 'March', 'April', 'May', 'June', 'July', 'August', 'September', 'October', 'November', 'December'],
        'ru': ['январь', 'февраль', 'март', 'апрель', 'май', 'июнь', 'июль', 'август', 'сентябрь', 'октябрь', 'ноябрь', 'декабрь'],
    } -%}
    (
        case cast(extract(month from {{ day }}) as integer)
            {%- for name in names[language] %}
            when {{ loop.index }} then '{{ name }} '
            {%- endfor %}
        end
        || cast(cast(extract(year from {{ day }}) as integer) as string)
    )
{%- endmacro %}

{# A verdict of retention_by_quarter within a sentence. #}
{% macro verdict_text(verdict, language) -%}
    case {{ verdict }}
        when 'better' then '{{ 'лучше' if language == 'ru' else 'better' }}'
        when 'worse' then '{{ 'хуже' if language == 'ru' else 'worse' }}'
        when 'no clear change' then '{{ 'явного изменения нет' if language == 'ru' else 'no clear change' }}'
    end
{%- endmacro %}
