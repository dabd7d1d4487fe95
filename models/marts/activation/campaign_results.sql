with campaigns as (

    select * from {{ ref('campaigns') }}

),

tests as (

    select * from {{ ref('int_campaign_tests') }}

),

sums as (

    select * from {{ ref('int_campaign_sums') }}

),

measures as (

    select
        listed.measure,
        listed.measure_en,
        listed.measure_ru
    from (
        values
        ('return_rate', 'Came back', 'Вернулись'),
        ('revenue_per_person', 'Revenue per person', 'Выручка на человека')
    ) as listed (measure, measure_en, measure_ru)

),

returned as (

    select
        launch_id,
        sum(case when arm = 'treated' then returned end) as treated_returned,
        sum(case when arm = 'control' then returned end) as control_returned
    from sums
    group by 1

),

judged as (

    select
        campaigns.*,
        measures.measure,
        measures.measure_en,
        measures.measure_ru,
        tests.treated_value,
        tests.control_value,
        tests.difference,
        tests.difference_low,
        tests.difference_high,
        tests.ratio,
        tests.ratio_low,
        tests.ratio_high,
        tests.p_value,
        tests.split_p_value,
        tests.detectable_difference,
        case when campaigns.is_over then returned.treated_returned end as treated_returned,
        case when campaigns.is_over then returned.control_returned end as control_returned,
        case
            when not campaigns.is_over then 'too_early'
            when campaigns.people_written_to = 0 then 'not_sent'
            else coalesce(tests.verdict, 'cannot_tell')
        end as verdict
    from campaigns
    cross join measures
    left join returned on campaigns.launch_id = returned.launch_id
    left join tests on campaigns.launch_id = tests.launch_id and measures.measure = tests.measure

),

final as (

    select
        judged.launch_id,
        judged.measure,
        cast(judged.measure_en as string) as measure_en,
        cast(judged.measure_ru as string) as measure_ru,
        judged.audience,
        judged.channel,
        judged.starts_on,
        judged.ends_on,
        judged.is_over,
        judged.treated_people,
        judged.control_people,
        judged.people_written_to,
        cast(judged.treated_returned as bigint) as treated_returned,
        cast(judged.control_returned as bigint) as control_returned,
        judged.treated_value,
        judged.control_value,
        judged.difference,
        judged.difference_low,
        judged.difference_high,
        judged.ratio,
        judged.ratio_low,
        judged.ratio_high,
        judged.p_value,
        judged.split_p_value,
        judged.split_p_value >= 0.001 as is_split_sound,
        case when judged.measure = 'return_rate' then judged.planned_difference end as planned_difference,
        judged.detectable_difference,
        case
            when judged.measure = 'revenue_per_person'
                then cast(judged.difference * judged.treated_people as decimal(18, 2))
        end as incremental_revenue,
        case
            when judged.measure = 'revenue_per_person'
                then cast(judged.difference_low * judged.treated_people as decimal(18, 2))
        end as incremental_revenue_low,
        case
            when judged.measure = 'revenue_per_person'
                then cast(judged.difference_high * judged.treated_people as decimal(18, 2))
        end as incremental_revenue_high,
        judged.cost,
        judged.verdict,
        cast(
            case judged.verdict
                when 'too_early' then 'Too early: nothing is said before the planned day'
                when 'not_sent' then 'Nobody was written to'
                when 'broken_split' then 'The arms are not of the sizes that were drawn: no result'
                when 'worked' then 'It worked'
                when 'harmed' then 'It did harm'
                when 'no_effect_that_matters' then 'No effect that would matter'
                else 'Cannot tell'
            end as string
        ) as verdict_en,
        cast(
            case judged.verdict
                when 'too_early' then 'Рано: до назначенного дня ничего не сообщается'
                when 'not_sent' then 'Никому не написали'
                when 'broken_split' then 'Размеры групп не те, что были назначены: результата нет'
                when 'worked' then 'Сработало'
                when 'harmed' then 'Повредило'
                when 'no_effect_that_matters' then 'Значимого эффекта нет'
                else 'Сказать нельзя'
            end as string
        ) as verdict_ru
    from judged

)

select * from final
