with own_counts as (

    select
        standing,
        basis,
        curve,
        bin,
        sum(is_return) as returned,
        count(*) as waits
    from {{ ref('int_next_order_waits') }}
    group by 1, 2, 3, 4

),

counts as (

    select
        standing,
        basis,
        bin,
        sum(returned) as returned,
        sum(waits) as waits
    from own_counts
    group by 1, 2, 3

),

ranges as (

    select
        standing,
        basis,
        min(bin) as first_bin,
        max(bin) as last_bin
    from counts
    group by 1, 2
    having sum(returned) >= {{ var('next_order_min_returns') }}

),

digits as (

    select listed.digit
    from (
        values (0), (1), (2), (3), (4), (5), (6), (7), (8), (9)
    ) as listed (digit)

),

-- e to the power of -20 to 30 is more than any wait comes to.
bins as (

    select cast(100 * hundreds.digit + 10 * tens.digit + ones.digit - {{ 20 * next_order_steps() }} as integer) as bin
    from digits as hundreds
    cross join digits as tens
    cross join digits as ones

),

dense as (

    select
        ranges.standing,
        ranges.basis,
        bins.bin,
        coalesce(counts.returned, 0) as returned,
        coalesce(counts.waits, 0) as waits
    from ranges
    inner join bins on bins.bin between ranges.first_bin and ranges.last_bin
    left join counts
        on
            ranges.standing = counts.standing
            and ranges.basis = counts.basis
            and bins.bin = counts.bin

),

at_risk as (

    select
        *,
        sum(waits) over (
            partition by standing, basis order by bin desc
            rows between unbounded preceding and current row
        ) as waiting
    from dense

),

-- Of those who were lost from sight within a step half are counted as seen (actuarial life table).
hazards as (

    select
        standing,
        basis,
        bin,
        cast(
            ln(greatest(1 - returned / (waiting - (waits - returned) / 2e0), 1e-9)) as decimal(28, 12)
        ) as log_step
    from at_risk
    where waiting >= {{ var('cohort_min_customers') }}

),

everyones_curve as (

    select
        standing,
        basis,
        bin,
        log_step,
        sum(log_step) over (
            partition by standing, basis order by bin
            rows between unbounded preceding and current row
        ) as log_staying
    from hazards

),

-- Had everyone of a category, or with so many gaps, come at everyone's pace: so many would have.
compared as (

    select
        own_counts.standing,
        own_counts.basis,
        own_counts.curve,
        sum(own_counts.returned) as returned,
        -sum(
            cast(
                own_counts.waits
                * (cast(everyones_curve.log_staying as double) - cast(everyones_curve.log_step as double) / 2)
                as decimal(28, 9)
            )
        ) as expected_returns
    from own_counts
    inner join everyones_curve
        on
            own_counts.standing = everyones_curve.standing
            and own_counts.basis = everyones_curve.basis
            and own_counts.bin = everyones_curve.bin
    group by 1, 2, 3

),

-- Too few returns say little: the pace is pulled to everyone's, and where there are hardly any it is everyone's.
paces as (

    select
        standing,
        basis,
        curve,
        case
            when basis = 'category' and returned < {{ var('next_order_min_returns') }} then 1
            else {{ rounded(
                '(returned + ' ~ var('next_order_min_returns') ~ ')'
                ' / (cast(expected_returns as double) + ' ~ var('next_order_min_returns') ~ ')', 9
            ) }}
        end as pace,
        case
            when basis = 'category' and returned < {{ var('next_order_min_returns') }} then 'shop'
            else basis
        end as basis_told
    from compared

),

final as (

    select
        paces.standing,
        paces.basis,
        paces.curve,
        paces.basis_told,
        everyones_curve.bin,
        {{ rounded('paces.pace * cast(everyones_curve.log_step as double)', 9) }} as log_step,
        {{ rounded('paces.pace * cast(everyones_curve.log_staying as double)', 9) }} as log_staying
    from paces
    inner join everyones_curve
        on paces.standing = everyones_curve.standing and paces.basis = everyones_curve.basis

)

select * from final
