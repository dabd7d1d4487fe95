-- read twice, once for each standing: a view, so that nobody is written twice
{{ config(materialized='view') }}

{%- set horizons = [7, 30, 90] %}
{%- set steps = next_order_steps() %}

with waits as (

    select * from {{ ref('int_next_order_waits') }}
    where is_return = 0

),

curves as (

    select * from {{ ref('int_next_order_curves') }}

),

quantiles as (

    select * from {{ ref('int_next_order_quantiles') }}

),

ends as (

    select
        standing,
        basis,
        curve,
        min(basis_told) as basis_told,
        min(log_staying) as log_staying
    from curves
    group by 1, 2, 3

),

-- Most people of most shops never come again, so being late is measured by those who did.
told as (

    select
        ends.standing,
        ends.basis,
        ends.curve,
        ends.basis_told,
        min(
            case
                when
                    ends.log_staying < 0
                    and {{ rounded('1 - exp(curves.log_staying)', 9) }}
                    >= {{ rounded('0.8 * (1 - exp(ends.log_staying))', 9) }}
                    then curves.bin
            end
        ) + 1 as late_bin
    from ends
    inner join curves
        on ends.standing = curves.standing and ends.basis = curves.basis and ends.curve = curves.curve
    group by 1, 2, 3, 4

),

placed as (

    select
        waits.*,
        told.basis_told,
        told.late_bin,
        {%- for horizon in horizons %}
            {{ rounded('(ln(waits.days_waited + ' ~ horizon ~ 'e0) - waits.log_scale) * ' ~ steps, 6) }}
                as place_{{ horizon }},
        {%- endfor %}
        {{ rounded('(ln(cast(waits.days_waited as double)) - waits.log_scale) * ' ~ steps, 6) }} as place_today
    from waits
    inner join told
        on waits.standing = told.standing and waits.basis = told.basis and waits.curve = told.curve

),

looked_up as (

    select
        placed.*,
        today.log_staying - (floor(placed.place_today) + 1 - placed.place_today) * today.log_step as log_staying_today,
        {%- for horizon in horizons %}
            in_{{ horizon }}.log_staying
            - (floor(placed.place_{{ horizon }}) + 1 - placed.place_{{ horizon }}) * in_{{ horizon }}.log_step
                as log_staying_{{ horizon }},
        {%- endfor %}
        quantiles.median_bin,
        quantiles.four_fifths_bin
    from placed
    left join curves as today
        on
            placed.standing = today.standing
            and placed.basis = today.basis
            and placed.curve = today.curve
            and cast(floor(placed.place_today) as integer) = today.bin
    left join quantiles
        on
            placed.standing = quantiles.standing
            and placed.basis = quantiles.basis
            and placed.curve = quantiles.curve
            and cast(floor(placed.place_today) as integer) = quantiles.bin
    {%- for horizon in horizons %}
        left join curves as in_{{ horizon }}
            on
                placed.standing = in_{{ horizon }}.standing
                and placed.basis = in_{{ horizon }}.basis
                and placed.curve = in_{{ horizon }}.curve
                and cast(floor(placed.place_{{ horizon }}) as integer) = in_{{ horizon }}.bin
    {%- endfor %}

),

dated as (

    select
        {%- for column in ['late', 'median', 'four_fifths'] %}
            {{ add_days(
                'order_date', 'ceil(' ~ rounded('exp(' ~ column ~ '_bin / ' ~ steps ~ 'e0 + log_scale)', 6) ~ ') - 1'
            ) }} as {{ column }}_date,
        {%- endfor %}
        looked_up.*
    from looked_up

),

final as (

    select
        standing,
        customer_id,
        cutoff_date,
        basis_told as basis,
        gaps,
        order_date as last_order_date,
        days_waited,
        case when gaps > 0 then {{ rounded('exp(log_scale)', 1) }} end as usual_gap_days,
        late_date as usual_latest_date,
        late_date < cutoff_date as is_overdue,
        case when median_date < cutoff_date then cutoff_date else median_date end as median_next_order_date,
        case
            when four_fifths_date < cutoff_date then cutoff_date
            else four_fifths_date
        end as four_fifths_next_order_date,
        {%- for horizon in horizons %}
            {{ rounded('1 - exp(log_staying_' ~ horizon ~ ' - log_staying_today)', 6) }}
                as order_probability_{{ horizon }}_days,
        {%- endfor %}
        next_order_date
    from dated

)

select * from final
