with hypotheses as (

    select * from {{ ref('hypotheses') }}

),

tests as (

    select * from {{ ref('int_hypothesis_tests') }}

),

groups as (

    select * from {{ ref('hypothesis_groups') }}

),

valued as (

    select
        groups.hypothesis_id,
        groups.group_name,
        groups.n,
        hypotheses.compared_group,
        hypotheses.reference_group,
        case hypotheses.group_statistic when 'median' then groups.median_value else groups.mean_value end as group_value
    from groups
    inner join hypotheses on groups.hypothesis_id = hypotheses.hypothesis_id

),

-- Two declared groups, or the highest and the lowest of many. Groups under 30 units say nothing of their own.
compared as (

    select
        hypothesis_id,
        {{ last_by('group_name', ['group_value', 'group_name']) }} as highest_group,
        {{ first_by('group_name', ['group_value', 'group_name']) }} as lowest_group
    from valued
    where compared_group is null and n >= 30
    group by hypothesis_id

),

pairs as (

    select
        hypotheses.hypothesis_id,
        coalesce(hypotheses.compared_group, compared.highest_group) as compared_group,
        coalesce(hypotheses.reference_group, compared.lowest_group) as reference_group
    from hypotheses
    left join compared on hypotheses.hypothesis_id = compared.hypothesis_id

),

paired as (

    select
        pairs.*,
        ones.group_value as compared_value,
        others.group_value as reference_value
    from pairs
    left join valued as ones
        on pairs.hypothesis_id = ones.hypothesis_id and pairs.compared_group = ones.group_name
    left join valued as others
        on pairs.hypothesis_id = others.hypothesis_id and pairs.reference_group = others.group_name

),

answered as (

    select
        hypotheses.*,
        tests.n,
        tests.statistic,
        tests.p_value,
        tests.p_value_adjusted,
        tests.effect_size,
        tests.effect_low,
        tests.effect_high,
        tests.verdict,
        paired.compared_group as shown_group,
        paired.reference_group as shown_reference,
        paired.compared_value,
        paired.reference_value,
        case
            when tests.verdict = 'not_tested' then null
            when hypotheses.study_verdict = 'no' then tests.verdict in ('negligible', 'rejected')
            when hypotheses.study_verdict in ('yes', 'slightly') then tests.verdict = 'supported'
        end as agrees_with_study
    from hypotheses
    inner join tests on hypotheses.hypothesis_id = tests.hypothesis_id
    left join paired on hypotheses.hypothesis_id = paired.hypothesis_id

),

final as (

    select
        cast(hypothesis_id as integer) as hypothesis_id,
        claim,
        unit_of_analysis,
        test,
        cast(n as bigint) as n,
        statistic,
        p_value,
        p_value_adjusted,
        effect_measure,
        effect_size,
        effect_low,
        effect_high,
        smallest_effect_of_interest,
        expected_direction,
        verdict,
        group_measure,
        group_statistic,
        shown_group as compared_group,
        compared_value,
        shown_reference as reference_group,
        reference_value,
        {{ ratio('compared_value - reference_value', 'reference_value') }} as relative_effect,
        study_verdict,
        agrees_with_study,
        case when not agrees_with_study then why_we_may_differ end as why_different,
        explanation
    from answered

)

select * from final
