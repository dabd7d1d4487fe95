with hypotheses as (

    select * from {{ ref('hypotheses') }}

),

counts as (

    select * from {{ ref('int_hypothesis_counts') }}

),

-- Equal values are in one quarter.
positions as (

    select
        counts.*,
        hypotheses.test,
        hypotheses.compared_group,
        hypotheses.reference_group,
        cast(sum(counts.units) over (partition by counts.hypothesis_id order by counts.x) as double) as units_up_to_it,
        cast(sum(counts.units) over (partition by counts.hypothesis_id) as double) as all_units
    from counts
    inner join hypotheses on counts.hypothesis_id = hypotheses.hypothesis_id

),

quarters as (

    select
        *,
        ceil(4 * units_up_to_it / all_units) as quarter_number,
        min(ceil(4 * units_up_to_it / all_units)) over (partition by hypothesis_id) as first_quarter_number
    from positions

),

-- Where one value is so common that it fills the first quarter and more, it is the lowest one.
grouped as (

    select
        hypothesis_id,
        test,
        y,
        units,
        case
            when test in ('rank_correlation', 'rate_trend')
                then case
                    when quarter_number = first_quarter_number then 'lowest quarter'
                    when quarter_number = 4 then 'highest quarter'
                    when quarter_number = 2 then 'second quarter'
                    else 'third quarter'
                end
            when test = 'kruskal_wallis' then x_label
            when test in ('independence', 'goodness_of_fit', 'linear_trend') then cast(cast(x as integer) as string)
            when x = 1 then compared_group
            else reference_group
        end as group_name
    from quarters

),

-- The kinds of sale days beside the sale days as a whole.
kinds as (

    select
        hypothesis_id,
        test,
        y,
        units,
        x_label as group_name
    from positions
    where test = 'ratio_of_means' and x = 1

),

all_groups as (

    select * from grouped
    union all
    select * from kinds

),

by_value as (

    select
        hypothesis_id,
        test,
        group_name,
        y,
        sum(units) as units
    from all_groups
    group by hypothesis_id, test, group_name, y

),

cumulated as (

    select
        *,
        sum(units) over (partition by hypothesis_id, group_name order by y) as units_up_to_it,
        sum(units) over (partition by hypothesis_id, group_name) as group_units
    from by_value

),

-- In a goodness of fit y is the exposure, and the value is orders per exposure in relation to all.
summed as (

    select
        hypothesis_id,
        test,
        group_name,
        sum(units) as n,
        sum(y) as exposure,
        cast(sum(cast(units as decimal(18, 0)) * cast(y as decimal(18, 9))) as double) as total,
        min(case when 2 * units_up_to_it >= group_units then y end) as median_value
    from cumulated
    group by hypothesis_id, test, group_name

),

final as (

    select
        cast(hypothesis_id as integer) as hypothesis_id,
        cast(group_name as string) as group_name,
        cast(n as bigint) as n,
        case
            when test = 'goodness_of_fit'
                then {{ ratio(
                    'n * sum(exposure) over (partition by hypothesis_id)',
                    'exposure * sum(n) over (partition by hypothesis_id)'
                ) }}
            else {{ ratio('total', 'n') }}
        end as mean_value,
        case when test <> 'goodness_of_fit' then {{ rounded('median_value', 9) }} end as median_value
    from summed
    where n > 0 or test = 'goodness_of_fit'

)

select * from final
