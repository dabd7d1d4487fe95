{#- Rules that several models share, each written once. Nothing here is engine-specific. -#}

{#- Fifth of the population a value falls in: ceil(5 x cume_dist), from whole counts. Exact: one correctly rounded division of whole
    numbers cannot pass an integer, so equal values get equal fifths on every engine. -#}
{% macro fifth(at_or_below, population) -%}
    cast(ceil(cast(5 * {{ at_or_below }} as double) / cast({{ population }} as double)) as integer)
{%- endmacro %}

{#- Frequency score of a number of shopping occasions, from the declared thresholds. -#}
{% macro frequency_score(occasions) -%}
    case
        {% for threshold in var('frequency_score_thresholds')[1:] | reverse -%}
        when {{ occasions }} >= {{ threshold }} then {{ 6 - loop.index }}
        {% endfor -%}
        else 1
    end
{%- endmacro %}

{#- Score of a value from the values at which scores begin, going up the axis (columns `<prefix>_1` .. `<prefix>_5`); `scores` from
    the last to begin to the second, what is left is the first. A score nobody has begins nowhere (NULL) and is passed over. -#}
{% macro score_from_bounds(value, prefix, scores) -%}
    case
        {% for score in scores -%}
        when {{ value }} >= {{ prefix }}_{{ score }} then {{ score }}
        {% endfor -%}
        else {{ 5 if scores[0] == 1 else 1 }}
    end
{%- endmacro %}

{#- Weighted score of the three scores, exact: scores that should tie, tie. -#}
{% macro rfm_weighted_score(recency_score, frequency_score, monetary_score) -%}
    cast(
        cast({{ var('rfm_weight_recency') }} as decimal(9, 4)) * {{ recency_score }}
        + cast({{ var('rfm_weight_frequency') }} as decimal(9, 4)) * {{ frequency_score }}
        + cast({{ var('rfm_weight_monetary') }} as decimal(9, 4)) * {{ monetary_score }}
        as decimal(9, 4)
    )
{%- endmacro %}

{#- Sum of all values greater than a row's own: equal rows get equal sums, whatever the order they come in. -#}
{% macro sum_of_larger(value) -%}
    cast(
        sum({{ value }}) over (order by {{ value }} desc) - sum({{ value }}) over (partition by {{ value }})
        as decimal(28, 2)
    )
{%- endmacro %}

{#- ABC class from the revenue before the item and in all, both decimal: no float decides on which side of the line an item lies. -#}
{% macro abc_class(revenue, revenue_before, total_revenue) -%}
    case
        when {{ revenue }} <= 0 then 'C'
        when {{ revenue_before }} < {{ var('abc_a_max_share') }} * {{ total_revenue }} then 'A'
        when {{ revenue_before }} < {{ var('abc_b_max_share') }} * {{ total_revenue }} then 'B'
        else 'C'
    end
{%- endmacro %}

{#- Sample standard deviation / mean of n values from their exact sum and sum of squares (decimal or whole). Both parts of the
    fraction are exact until the one division; the result is rounded so that class limits are met alike everywhere. NULL for n < 2
    and for a mean of zero. -#}
{% macro coefficient_of_variation(n, total, total_of_squares) -%}
    {%- set variation -%}
        sqrt(
            cast({{ n }} * ({{ n }} * {{ total_of_squares }} - {{ total }} * {{ total }}) as double)
            / cast(nullif(({{ n }} - 1) * ({{ total }} * {{ total }}), 0) as double)
        )
    {%- endset -%}
    {{ rounded(variation, 9) }}
{%- endmacro %}

{#- XYZ class of a coefficient of variation; a mean of zero has none and is as unsteady as can be. -#}
{% macro xyz_class(variation, x_max, y_max) -%}
    case
        when {{ variation }} <= {{ x_max }} then 'X'
        when {{ variation }} <= {{ y_max }} then 'Y'
        else 'Z'
    end
{%- endmacro %}

{#- Two-sided p-value of a standard normal score, to seven decimals: Abramowitz and Stegun (1964), formula 26.2.17. No engine here has the
    error function. -#}
{% macro two_sided_normal(z) -%}
    {%- set t = '(1e0 / (1 + 0.2316419e0 * abs(' ~ z ~ ')))' -%}
    2 * exp(-{{ z }} * {{ z }} / 2e0) / sqrt(2 * pi()) * {{ t }} * (
        0.319381530e0 + {{ t }} * (-0.356563782e0 + {{ t }} * (1.781477937e0 + {{ t }} * (
            -1.821255978e0 + {{ t }} * 1.330274429e0
        )))
    )
{%- endmacro %}

{#- Bound of the 95 % Wilson score interval of a proportion; side is '-' or '+'. 1.959963984540054 is the normal quantile at 0.975. -#}
{% macro wilson_bound(successes, trials, side) -%}
    {%- set z = '1.959963984540054e0' -%}
    {%- set bound -%}
        (
            {{ successes }} + {{ z }} * {{ z }} / 2
            {{ side }} {{ z }} * sqrt(
                cast({{ successes }} as double) * ({{ trials }} - {{ successes }}) / {{ trials }} + {{ z }} * {{ z }} / 4
            )
        ) / ({{ trials }} + {{ z }} * {{ z }})
    {%- endset -%}
    {{ rounded(bound, 9) }}
{%- endmacro %}

{#-
    The CTEs from order lines to ABC and XYZ of whatever is sold or sells, ending in `described`. `entities` is a CTE with every
    `key`, sold or not; `order_items` and `calendar` are CTEs of these names. Months without sales are zeros that need no row: they
    add nothing to a sum or to a sum of squares, only to the number of months.
-#}
{% macro abc_xyz_by_units(entities, key) -%}
monthly_sales as (

    select
        {{ key }},
        order_month,
        sum(coalesce(quantity, 1)) as units,
        sum(price) as revenue
    from order_items
    where is_valid_order
    group by {{ key }}, order_month

),

totals as (

    select
        monthly_sales.{{ key }},
        min(monthly_sales.order_month) as first_sale_month,
        sum(monthly_sales.revenue) as revenue,
        sum(monthly_sales.units) as units,
        sum(
            case when monthly_sales.order_month <= calendar.last_complete_month then monthly_sales.units else 0 end
        ) as complete_units,
        sum(
            case
                when monthly_sales.order_month <= calendar.last_complete_month
                    then cast(monthly_sales.units as decimal(38, 0)) * monthly_sales.units
                else 0
            end
        ) as complete_unit_squares
    from monthly_sales
    cross join calendar
    group by monthly_sales.{{ key }}

),

measured as (

    select
        {{ entities }}.{{ key }},
        totals.first_sale_month,
        cast(coalesce(totals.revenue, 0) as decimal(18, 2)) as revenue,
        cast(coalesce(totals.units, 0) as bigint) as units,
        cast(
            greatest(
                coalesce({{ months_between('totals.first_sale_month', 'calendar.last_complete_month') }} + 1, 0), 0
            ) as integer
        ) as complete_months,
        cast(coalesce(totals.complete_units, 0) as decimal(38, 0)) as complete_units,
        cast(coalesce(totals.complete_unit_squares, 0) as decimal(38, 0)) as complete_unit_squares
    from {{ entities }}
    left join totals on {{ entities }}.{{ key }} = totals.{{ key }}
    cross join calendar

),

cumulated as (

    select
        *,
        {{ sum_of_larger('revenue') }} as revenue_before,
        cast(sum(revenue) over () as decimal(28, 2)) as total_revenue,
        complete_months >= {{ var('product_xyz_min_months') }}
        and complete_units >= {{ var('product_xyz_min_units') }} as has_history
    from measured

),

varied as (

    select
        *,
        case
            when has_history
                then {{ coefficient_of_variation('complete_months', 'complete_units', 'complete_unit_squares') }}
        end as monthly_units_cv
    from cumulated

),

classified as (

    select
        *,
        {{ ratio('revenue', 'total_revenue') }} as revenue_share,
        {{ ratio('revenue_before', 'total_revenue') }} as cumulative_share_before,
        {{ abc_class('revenue', 'revenue_before', 'total_revenue') }} as abc_class,
        case when has_history then {{ ratio('complete_units', 'complete_months') }} end as mean_monthly_units,
        case
            when has_history
                then {{ xyz_class('monthly_units_cv', var('product_xyz_x_max_cv'), var('product_xyz_y_max_cv')) }}
            else 'insufficient_history'
        end as xyz_class
    from varied

),

abc_xyz_descriptions as (

    select * from {{ ref('abc_xyz_descriptions') }}
    where scope = 'product'

),

coded as (

    select
        *,
        case
            when xyz_class = 'insufficient_history' then xyz_class
            else abc_class || '_' || xyz_class
        end as abc_xyz_segment
    from classified

),

described as (

    select
        coded.*,
        abc_xyz_descriptions.description_en,
        abc_xyz_descriptions.description_ru
    from coded
    left join abc_xyz_descriptions on coded.abc_xyz_segment = abc_xyz_descriptions.abc_xyz_segment

)
{%- endmacro %}
