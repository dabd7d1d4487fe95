with hypotheses as (

    select * from {{ ref('hypotheses') }}

),

tests as (

    select * from {{ ref('int_hypothesis_tests') }}

),

final as (

    select
        cast(hypotheses.hypothesis_id as integer) as hypothesis_id,
        cast(hypotheses.claim as string) as claim,
        cast(hypotheses.unit_of_analysis as string) as unit_of_analysis,
        cast(hypotheses.test as string) as test,
        cast(tests.n as bigint) as n,
        cast(tests.statistic as double) as statistic,
        cast(tests.p_value as double) as p_value,
        cast(tests.p_value_adjusted as double) as p_value_adjusted,
        cast(hypotheses.effect_measure as string) as effect_measure,
        cast(tests.effect_size as double) as effect_size,
        cast(tests.effect_low as double) as effect_low,
        cast(tests.effect_high as double) as effect_high,
        cast(hypotheses.smallest_effect_of_interest as double) as smallest_effect_of_interest,
        cast(hypotheses.expected_direction as string) as expected_direction,
        cast(tests.verdict as string) as verdict,
        cast(hypotheses.explanation as string) as explanation
    from hypotheses
    inner join tests on hypotheses.hypothesis_id = tests.hypothesis_id

)

select * from final
