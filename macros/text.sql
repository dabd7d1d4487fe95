{# A list of words as SQL literals: ('canceled', 'unavailable'). #}
{% macro sql_list(words) -%}
    ({%- for word in words -%} '{{ word }}' {%- if not loop.last %}, {% endif -%} {%- endfor -%})
{%- endmacro %}

{#
    One spelling per place: lower case, no accents, one kind of apostrophe, and nothing after a slash, comma, bracket or
    spaced dash ('Sao Paulo / SP', 'lages - sc', 'jacare (cabreuva)'). The customers' names are in this form already.
#}
{% macro clean_city(city) -%}
    {%- set bare = "translate(lower(" ~ city ~ "), 'áàâãäéèêëíìîïóòôõöúùûüçñ´`', 'aaaaaeeeeiiiiooooouuuucn''''')" -%}
    trim(regexp_replace(regexp_replace({{ bare }}, '( - |[/,(\\\\]).*', ''), ' +', ' '{{ regexp_everywhere() }}))
{%- endmacro %}

{# The shop's country in degrees, where its box is known: Brazil's, Fernando de Noronha included. Else the whole world. #}
{% macro shop_box() -%}
    {%- if var('shop_country') == 'BR' -%}
        {{ return({'south': -33.76, 'north': 5.28, 'west': -74.0, 'east': -32.3}) }}
    {%- endif -%}
    {{ return({'south': -90, 'north': 90, 'west': -180, 'east': 180}) }}
{%- endmacro %}

{# A point that lies in the shop's country. #}
{% macro is_in_shop_country(latitude, longitude) -%}
    ({{ latitude }} between {{ shop_box().south }} and {{ shop_box().north }}
    and {{ longitude }} between {{ shop_box().west }} and {{ shop_box().east }})
{%- endmacro %}

{# English name of an ISO weekday number (Monday = 1). #}
{% macro weekday_name(number) -%}
    case {{ number }}
        {%- for day in ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'] %}
        when {{ loop.index }} then '{{ day }}'
        {%- endfor %}
    end
{%- endmacro %}

{# A cleaned city cell that holds a zip code, an e-mail address or a state's code instead of a name. #}
{% macro is_no_city(city) -%}
    ({{ city }} like '%@%' or {{ city }} between '0' and '9~' or length({{ city }}) <= 2)
{%- endmacro %}

{# The integers from first to last as rows, both included. #}
{% macro integer_rows(first, last) -%}
    values
    {%- for number in range(first, last + 1) %}
    ({{ number }}){{ ',' if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{# A text, or NULL when nothing but spaces, tabs and line ends is in it. #}
{% macro nothing_if_blank(text) -%}
    case
        when translate({{ text }}, concat(' ', chr(9), chr(10), chr(13), chr(160)), '') <> '' then {{ text }}
    end
{%- endmacro %}
