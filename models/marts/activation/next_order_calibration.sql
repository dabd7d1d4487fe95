{%- set bands = [
    (0.4, '7: 40 % and more'), (0.2, '6: 20 to 40 %'), (0.1, '5: 10 to 20 %'), (0.05, '4: 5 to 10 %'),
    (0.02, '3: 2 to 5 %'), (0.01, '2: 1 to 2 %'),
] -%}
with next_orders as (

    select * from {{ ref('int_next_orders') }}
    where standing = 'past'

),

horizons as (

    select listed.horizon_days
    from (values (7), (30), (90)) as listed (horizon_days)

),

predicted as (

    select
        next_orders.cutoff_date,
        next_orders.basis,
        horizons.horizon_days,
        case horizons.horizon_days
            when 7 then next_orders.order_probability_7_days
            when 30 then next_orders.order_probability_30_days
            else next_orders.order_probability_90_days
        end as probability,
        case
            when next_orders.next_order_date < {{ add_days('next_orders.cutoff_date', 'horizons.horizon_days') }} then 1
            else 0
        end as has_ordered
    from next_orders
    cross join horizons

),

banded as (

    select
        cutoff_date,
        basis,
        horizon_days,
        case
            {%- for bound, name in bands %}
                when probability >= {{ bound }} then '{{ name }}'
            {%- endfor %}
            else '1: under 1 %'
        end as probability_band,
        count(*) as people,
        sum(cast(probability as decimal(9, 6))) as expected,
        sum(has_ordered) as ordered
    from predicted
    where probability is not null
    group by 1, 2, 3, 4

),

counted as (

    select * from banded
    union all
    select
        cutoff_date,
        basis,
        horizon_days,
        'all' as probability_band,
        sum(people) as people,
        sum(expected) as expected,
        sum(ordered) as ordered
    from banded
    group by 1, 2, 3

),

measured as (

    select
        counted.*,
        {{ ratio('expected', 'people', 6) }} as predicted_share,
        {{ ratio('ordered', 'people', 6) }} as actual_share,
        {{ wilson_bound('ordered', 'people', '-') }} as actual_low,
        {{ wilson_bound('ordered', 'people', '+') }} as actual_high
    from counted
    where counted.people >= {{ var('cohort_min_customers') }}

),

judged as (

    select
        measured.*,
        case
            when measured.predicted_share > measured.actual_high then 'too_high'
            when measured.predicted_share < measured.actual_low then 'too_low'
            else 'kept'
        end as verdict
    from measured

),

final as (

    select
        cutoff_date,
        cast(basis as string) as basis,
        cast(horizon_days as integer) as horizon_days,
        cast(probability_band as string) as probability_band,
        cast(people as bigint) as people,
        predicted_share,
        cast(ordered as bigint) as people_who_ordered,
        actual_share,
        actual_low,
        actual_high,
        cast(verdict as string) as verdict,
        cast(
            case verdict
                when 'kept' then 'As many came as was said'
                when 'too_high' then 'Fewer came than was said'
                else 'More came than was said'
            end as string
        ) as verdict_en,
        cast(
            case verdict
                when 'kept' then 'Пришло столько, сколько обещано'
                when 'too_high' then 'Пришло меньше, чем обещано'
                else 'Пришло больше, чем обещано'
            end as string
        ) as verdict_ru
    from judged

)

select * from final
