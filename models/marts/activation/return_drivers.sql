with counts as (

    select * from {{ ref('int_return_driver_counts') }}
    where people >= {{ var('return_driver_min_people') }}

),

tests as (

    select * from {{ ref('int_return_driver_tests') }}

),

totals as (

    select
        driver,
        horizon_days,
        {{ ratio('sum(returned)', 'sum(people)') }} as overall_rate
    from {{ ref('int_return_driver_counts') }}
    group by 1, 2

),

rates as (

    select
        counts.*,
        totals.overall_rate
    from counts
    inner join totals on counts.driver = totals.driver and counts.horizon_days = totals.horizon_days

),

final as (

    select
        rates.driver,
        rates.driver_value,
        rates.horizon_days,
        rates.people,
        rates.returned,
        {{ ratio('rates.returned', 'rates.people') }} as return_rate,
        {{ wilson_bound('rates.returned', 'rates.people', '-') }} as return_rate_low,
        {{ wilson_bound('rates.returned', 'rates.people', '+') }} as return_rate_high,
        {{ ratio(
            'rates.returned + ' ~ var('return_driver_prior_people') ~ ' * rates.overall_rate',
            'rates.people + ' ~ var('return_driver_prior_people')
        ) }} as shrunk_return_rate,
        rates.overall_rate,
        rates.revenue,
        {{ ratio('rates.revenue', 'rates.people', 4) }} as revenue_per_person,
        {{ rounded('tests.ratio', 9) }} as ratio_to_others,
        {{ rounded('tests.ratio_low', 9) }} as ratio_low,
        {{ rounded('tests.ratio_high', 9) }} as ratio_high,
        {{ rounded('tests.p_value_adjusted', 9) }} as p_value_adjusted,
        cast(coalesce(tests.verdict, 'no_clear_difference') as string) as verdict
    from rates
    left join tests
        on
            rates.driver = tests.driver
            and rates.driver_value = tests.driver_value
            and rates.horizon_days = tests.horizon_days

)

select * from final
