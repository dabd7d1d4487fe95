with standings as (

    {{ standings(90) }}

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
    from {{ ref('fct_orders') }}
    where is_valid_order and customer_id is not null

),

later_occasions as (

    select
        customer_id,
        customer_occasion_number - 1 as customer_occasion_number,
        order_date
    from occasions
    where customer_occasion_number > 1

),

followed as (

    select
        occasions.customer_id,
        occasions.customer_occasion_number,
        occasions.order_date,
        later_occasions.order_date as next_order_date
    from occasions
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
        next_order_date,
        cast(
            {{ rounded('ln(cast(' ~ days_between('order_date', 'next_order_date') ~ ' as double))', 9) }}
            as decimal(18, 9)
        ) as log_days
    from followed
    where next_order_date is not null

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

usual_gaps as (

    select
        standings.standing,
        {{ ratio('sum(gaps.log_days)', 'count(*)') }} as log_days
    from gaps
    inner join standings on gaps.next_order_date < standings.cutoff_date
    group by 1

),

-- Who has not come again was seen to stay away until the day before the cut-off; nothing is known of what follows.
waits as (

    select
        standings.standing,
        standings.cutoff_date,
        followed.*,
        case when followed.next_order_date < standings.cutoff_date then 1 else 0 end as is_return,
        {{ days_between(
            'followed.order_date',
            'least(coalesce(followed.next_order_date, standings.cutoff_date), standings.cutoff_date)'
        ) }} as days_waited
    from followed
    inner join standings on followed.order_date < standings.cutoff_date

),

scaled as (

    select
        waits.*,
        waits.customer_occasion_number - 1 as gaps,
        case
            when waits.customer_occasion_number = 1 then 0
            else {{ rounded(
                '(cast(own_gaps.log_days as double) + ' ~ var('next_order_prior_gaps') ~ ' * usual_gaps.log_days)'
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
    inner join customers on waits.customer_id = customers.customer_id
    -- where nobody has come again there is no usual gap
    left join usual_gaps on waits.standing = usual_gaps.standing
    left join own_gaps
        on
            waits.customer_id = own_gaps.customer_id
            and waits.customer_occasion_number = own_gaps.customer_occasion_number

),

-- An order lies between the end of the day before and that of its own day.
final as (

    select
        standing,
        cutoff_date,
        customer_id,
        cast(gaps as integer) as gaps,
        order_date,
        next_order_date,
        cast(days_waited as integer) as days_waited,
        is_return,
        log_scale,
        basis,
        curve,
        cast(
            floor(
                {{ rounded('ln(days_waited + case when is_return = 1 then 0.5e0 else 0e0 end) - log_scale', 9) }}
                * {{ next_order_steps() }}
            ) as integer
        ) as bin
    from scaled

)

select * from final
