with hypotheses as (

    select * from {{ ref('hypotheses') }}

),

tests as (

    select * from {{ ref('int_hypothesis_tests') }}

),

final as (

    select
        hypotheses.hypothesis_id,
        hypotheses.claim,
        hypotheses.unit_of_analysis,
        hypotheses.test,
        tests.n,
        tests.statistic,
        tests.p_value,
        tests.p_value_adjusted,
        hypotheses.effect_measure,
        tests.effect_size,
        tests.effect_low,
        tests.effect_high,
        hypotheses.smallest_effect_of_interest,
        hypotheses.expected_direction,
        tests.verdict,
        hypotheses.explanation
    from hypotheses
    inner join tests on hypotheses.hypothesis_id = tests.hypothesis_id

)

select * from final
