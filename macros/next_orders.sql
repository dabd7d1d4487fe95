{#
    When people order next, seen `days_back` days before the warehouse's day and from what was known then. Waits from one shopping
    occasion to the next are put on a scale of their own (logarithm of the days, less that of the person's usual gap), and a life
    table over those who have come and those who are still waiting says how many of them come when. What someone has waited already
    is given; where a curve was seen by too few, nothing is said.
#}
{% macro next_order_windows(days_back=0) -%}
{%- set horizons = [7, 30, 90] %}
{#- twenty steps of the logarithm: each is five per cent of the wait longer than the one before #}
{%- set steps = 20 %}
with calendar as (

    select {{ add_days('as_of_date', -days_back) }} as cutoff_date
    from {{ ref('int_shop_calendar') }}

),

orders as (

    select
        orders.customer_id,
        orders.customer_occasion_number,
        orders.order_date
    from {{ ref('fct_orders') }} as orders
    inner join calendar on orders.order_date < calendar.cutoff_date
    where orders.is_valid_order and orders.customer_id is not null

),

customers as (

    select
        customer_id,
        first_order_category
    from {{ ref('dim_customers') }}

),

occasions as (

    select distinct
        customer_id,
        customer_occasion_number,
        order_date
    from orders

),

later_occasions as (

    select
        customer_id,
        customer_occasion_number - 1 as customer_occasion_number,
        order_date
    from occasions
    where customer_occasion_number > 1

),

-- Who has not come again was seen to stay away until yesterday; nothing is known of what follows.
waits as (

    select
        occasions.customer_id,
        occasions.customer_occasion_number,
        occasions.order_date,
        {{ days_between('occasions.order_date', 'coalesce(later_occasions.order_date, calendar.cutoff_date)') }} as days,
        case when later_occasions.order_date is null then 0 else 1 end as is_return
    from occasions
    cross join calendar
    left join later_occasions
        on
            occasions.customer_id = later_occasions.customer_id
            and occasions.customer_occasion_number = later_occasions.customer_occasion_number

),

-- Decimals add up to the same whatever the order.
gaps as (

    select
        customer_id,
        customer_occasion_number + 1 as customer_occasion_number,
        cast({{ rounded('ln(cast(days as double))', 9) }} as decimal(18, 9)) as log_days
    from waits
    where is_return = 1

),

usual_gap as (

    select {{ ratio('sum(log_days)', 'count(*)') }} as log_days
    from gaps

),

-- Only the gaps that lay behind at the time: a wait is never measured by itself.
own_gaps as (

    select
        customer_id,
        customer_occasion_number,
        sum(log_days) over (
            partition by customer_id order by customer_occasion_number
            rows between unbounded preceding and current row
        ) as log_days
    from gaps

),

scaled as (

    select
        waits.*,
        waits.customer_occasion_number - 1 as gaps,
        case
            when waits.customer_occasion_number = 1 then 0
            else {{ rounded(
                '(cast(own_gaps.log_days as double) + ' ~ var('next_order_prior_gaps') ~ ' * usual_gap.log_days)'
                ' / (waits.customer_occasion_number - 1 + ' ~ var('next_order_prior_gaps') ~ ')', 9
            ) }}
        end as log_scale,
        case when waits.customer_occasion_number = 1 then 'category' else 'own rhythm' end as basis,
        case
            when waits.customer_occasion_number = 1 then customers.first_order_category
            when waits.customer_occasion_number = 2 then '1 gap'
            when waits.customer_occasion_number = 3 then '2 gaps'
            when waits.customer_occasion_number <= 6 then '3 to 5 gaps'
            else '6 or more gaps'
        end as curve
    from waits
    cross join usual_gap
    inner join customers on waits.customer_id = customers.customer_id
    left join own_gaps
        on
            waits.customer_id = own_gaps.customer_id
            and waits.customer_occasion_number = own_gaps.customer_occasion_number

),

-- An order lies between the end of the day before and that of its own day.
binned as (

    select
        basis,
        curve,
        cast(floor({{ rounded('ln(days + case when is_return = 1 then 0.5e0 else 0e0 end) - log_scale', 9) }} * {{ steps }}) as integer)
            as bin,
        is_return
    from scaled

),

own_counts as (

    select
        basis,
        curve,
        bin,
        sum(is_return) as returns,
        count(*) as waits
    from binned
    group by 1, 2, 3

),

counts as (

    select
        basis,
        bin,
        sum(returns) as returns,
        sum(waits) as waits
    from own_counts
    group by 1, 2

),

ranges as (

    select
        basis,
        min(bin) as first_bin,
        max(bin) as last_bin
    from counts
    group by 1
    having sum(returns) >= {{ var('next_order_min_returns') }}

),

digits as (

    select digit
    from (
        values {% for digit in range(10) %}({{ digit }}){{ ', ' if not loop.last }}{% endfor %}
    ) as listed (digit)

),

-- e to the power of -20 to 30 is more than any wait comes to.
bins as (

    select cast(100 * hundreds.digit + 10 * tens.digit + ones.digit - {{ 20 * steps }} as integer) as bin
    from digits as hundreds
    cross join digits as tens
    cross join digits as ones

),

dense as (

    select
        ranges.basis,
        bins.bin,
        coalesce(counts.returns, 0) as returns,
        coalesce(counts.waits, 0) as waits
    from ranges
    inner join bins on bins.bin between ranges.first_bin and ranges.last_bin
    left join counts on ranges.basis = counts.basis and bins.bin = counts.bin

),

at_risk as (

    select
        *,
        sum(waits) over (
            partition by basis order by bin desc
            rows between unbounded preceding and current row
        ) as waiting
    from dense

),

-- Of those who were lost from sight within a step half are counted as seen (actuarial life table).
hazards as (

    select
        basis,
        bin,
        cast(
            ln(greatest(1 - returns / (waiting - (waits - returns) / 2e0), 1e-9)) as decimal(28, 12)
        ) as log_step
    from at_risk
    where waiting >= {{ var('cohort_min_customers') }}

),

everyones_curve as (

    select
        basis,
        bin,
        log_step,
        sum(log_step) over (
            partition by basis order by bin
            rows between unbounded preceding and current row
        ) as log_staying
    from hazards

),

-- Had everyone of a category, or with so many gaps, come at everyone's pace: so many would have.
compared as (

    select
        own_counts.basis,
        own_counts.curve,
        sum(own_counts.returns) as returns,
        -sum(
            cast(
                own_counts.waits
                * (cast(everyones_curve.log_staying as double) - cast(everyones_curve.log_step as double) / 2)
                as decimal(28, 9)
            )
        ) as expected_returns
    from own_counts
    inner join everyones_curve on own_counts.basis = everyones_curve.basis and own_counts.bin = everyones_curve.bin
    group by 1, 2

),

-- Too few returns say little: the pace is pulled to everyone's, and where there are hardly any it is everyone's.
paces as (

    select
        basis,
        curve,
        case
            when basis = 'category' and returns < {{ var('next_order_min_returns') }} then 1
            else {{ rounded(
                '(returns + ' ~ var('next_order_min_returns') ~ ') / (cast(expected_returns as double) + ' ~ var('next_order_min_returns') ~ ')', 9
            ) }}
        end as pace,
        case
            when basis = 'category' and returns < {{ var('next_order_min_returns') }} then 'shop'
            else basis
        end as basis_told
    from compared

),

cumulated as (

    select
        paces.basis,
        paces.curve,
        everyones_curve.bin,
        {{ rounded('paces.pace * cast(everyones_curve.log_step as double)', 9) }} as log_step,
        {{ rounded('paces.pace * cast(everyones_curve.log_staying as double)', 9) }} as log_staying
    from paces
    inner join everyones_curve on paces.basis = everyones_curve.basis

),

ends as (

    select
        basis,
        curve,
        min(log_staying) as log_staying
    from cumulated
    group by 1, 2

),

-- Most people of most shops never come again, so being late is measured by those who did.
late as (

    select
        cumulated.basis,
        cumulated.curve,
        min(cumulated.bin) + 1 as late_bin
    from cumulated
    inner join ends on cumulated.basis = ends.basis and cumulated.curve = ends.curve
    where
        ends.log_staying < 0
        and {{ rounded('1 - exp(cumulated.log_staying)', 9) }} >= {{ rounded('0.8 * (1 - exp(ends.log_staying))', 9) }}
    group by 1, 2

),

-- Half, and four in five, of those who have waited until a step have come by the end of another.
quantiles as (

    select
        reached.basis,
        reached.curve,
        reached.bin,
        min(
            case
                when {{ rounded('later.log_staying - reached.log_staying + reached.log_step', 9) }} <= {{ rounded('ln(0.5e0)', 9) }}
                    then later.bin
            end
        ) + 1 as median_bin,
        min(
            case
                when {{ rounded('later.log_staying - reached.log_staying + reached.log_step', 9) }} <= {{ rounded('ln(0.2e0)', 9) }}
                    then later.bin
            end
        ) + 1 as four_fifths_bin
    from cumulated as reached
    inner join cumulated as later
        on reached.basis = later.basis and reached.curve = later.curve and reached.bin <= later.bin
    group by 1, 2, 3

),

waiting_people as (

    select
        scaled.customer_id,
        scaled.gaps,
        scaled.order_date,
        scaled.days,
        scaled.log_scale,
        scaled.basis,
        scaled.curve,
        paces.basis_told,
        late.late_bin
    from scaled
    inner join paces on scaled.basis = paces.basis and scaled.curve = paces.curve
    left join late on scaled.basis = late.basis and scaled.curve = late.curve
    where scaled.is_return = 0

),

placed as (

    select
        *,
        {{ rounded('(ln(cast(days as double)) - log_scale) * ' ~ steps, 6) }} as place_today
        {%- for horizon in horizons %},
        {{ rounded('(ln(days + ' ~ horizon ~ 'e0) - log_scale) * ' ~ steps, 6) }} as place_{{ horizon }}
        {%- endfor %}
    from waiting_people

),

looked_up as (

    select
        placed.*,
        today.log_staying - (floor(placed.place_today) + 1 - placed.place_today) * today.log_step as log_staying_today,
        quantiles.median_bin,
        quantiles.four_fifths_bin
        {%- for horizon in horizons %},
        in_{{ horizon }}.log_staying
        - (floor(placed.place_{{ horizon }}) + 1 - placed.place_{{ horizon }}) * in_{{ horizon }}.log_step
            as log_staying_{{ horizon }}
        {%- endfor %}
    from placed
    left join cumulated as today
        on
            placed.basis = today.basis
            and placed.curve = today.curve
            and cast(floor(placed.place_today) as integer) = today.bin
    left join quantiles
        on
            placed.basis = quantiles.basis
            and placed.curve = quantiles.curve
            and cast(floor(placed.place_today) as integer) = quantiles.bin
    {%- for horizon in horizons %}
    left join cumulated as in_{{ horizon }}
        on
            placed.basis = in_{{ horizon }}.basis
            and placed.curve = in_{{ horizon }}.curve
            and cast(floor(placed.place_{{ horizon }}) as integer) = in_{{ horizon }}.bin
    {%- endfor %}

),

dated as (

    select
        looked_up.*,
        calendar.cutoff_date,
        {%- for column in ['late', 'median', 'four_fifths'] %}
        {{ add_days(
            'looked_up.order_date',
            'ceil(' ~ rounded('exp(looked_up.' ~ column ~ '_bin / ' ~ steps ~ 'e0 + looked_up.log_scale)', 6) ~ ') - 1'
        ) }} as {{ column }}_date{{ ',' if not loop.last }}
        {%- endfor %}
    from looked_up
    cross join calendar

),

final as (

    select
        customer_id,
        cutoff_date,
        basis_told as basis,
        cast(gaps as integer) as gaps,
        order_date as last_order_date,
        cast(days as integer) as days_waited,
        case when gaps > 0 then {{ rounded('exp(log_scale)', 1) }} end as usual_gap_days,
        late_date as usual_latest_date,
        late_date < cutoff_date as is_overdue,
        case when median_date < cutoff_date then cutoff_date else median_date end as median_next_order_date,
        case when four_fifths_date < cutoff_date then cutoff_date else four_fifths_date end as four_fifths_next_order_date
        {%- for horizon in horizons %},
        {{ rounded('1 - exp(log_staying_' ~ horizon ~ ' - log_staying_today)', 6) }} as order_probability_{{ horizon }}_days
        {%- endfor %}
    from dated

)

select * from final
{%- endmacro %}
