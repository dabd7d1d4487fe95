with customers as (

    select * from {{ ref('dim_customers') }}

),

orders as (

    select * from {{ ref('fct_orders') }}

),

calendar as (

    select * from {{ ref('int_shop_calendar') }}

),

-- Everyone is followed for the same time, to the end of the last complete month at the latest.
followed as (

    select
        customers.customer_id,
        cast(customers.first_valid_order_at as date) as first_order_date,
        customers.first_order_state as state,
        customers.first_order_region as region,
        customers.first_order_category as category,
        customers.first_order_payment_type as payment_type
    from customers
    cross join calendar
    where
        {{ days_between('customers.first_valid_order_at', add_months('calendar.last_complete_month', 1)) }}
        >= {{ var('hypothesis_follow_up_days') }}

),

second_occasions as (

    select distinct
        customer_id,
        order_date
    from orders
    where customer_occasion_number = 2

),

outcomes as (

    select
        followed.*,
        case
            when
                {{ days_between('followed.first_order_date', 'second_occasions.order_date') }}
                < {{ var('hypothesis_follow_up_days') }}
                then 1
            else 0
        end as has_returned
    from followed
    left join second_occasions on followed.customer_id = second_occasions.customer_id

),

by_dimension as (

    {% for dimension in ['state', 'region', 'category', 'payment_type'] %}
        select
            '{{ dimension }}' as dimension,
            {{ dimension }} as dimension_value,
            count(*) as customers,
            sum(has_returned) as returned
        from outcomes
        group by {{ dimension }}
        {{ 'union all' if not loop.last }}
    {% endfor %}

),

totals as (

    select
        *,
        sum(customers) over (partition by dimension) - customers as other_customers,
        sum(returned) over (partition by dimension) - returned as other_returned
    from by_dimension

),

-- A value against all others of its dimension, by a chi-square test of two shares; it needs five expected people in
-- each cell.
compared as (

    select
        *,
        cast(returned + other_returned as double) / (customers + other_customers) as overall_rate,
        case
            when
                other_customers > 0
                and least(customers, other_customers)
                * cast(
                    least(returned + other_returned, customers + other_customers - returned - other_returned) as double
                )
                / (customers + other_customers) >= 5
                then
                    (
                        cast(returned as double) / customers
                        - cast(other_returned as double) / nullif(other_customers, 0)
                    ) / sqrt(
                        cast(returned + other_returned as double) / (customers + other_customers)
                        * (1 - cast(returned + other_returned as double) / (customers + other_customers))
                        * (1e0 / customers + 1e0 / nullif(other_customers, 0))
                    )
        end as z_score
    from totals

),

tested as (

    select
        *,
        {{ two_sided_normal('z_score') }} as p_value
    from compared

),

-- Benjamini and Hochberg's adjustment within the dimension: the smallest of what this and the larger p-values come to.
ranked as (

    select
        *,
        p_value * count(p_value) over (partition by dimension)
        / nullif(count(p_value) over (partition by dimension order by p_value nulls last), 0) as p_value_by_rank
    from tested

),

adjusted as (

    select
        *,
        case
            when p_value is not null
                then least(
                    1,
                    min(p_value_by_rank) over (
                        partition by dimension
                        order by p_value nulls last
                        rows between current row and unbounded following
                    )
                )
        end as p_value_adjusted
    from ranked

),

final as (

    select
        dimension,
        dimension_value,
        cast({{ var('hypothesis_follow_up_days') }} as integer) as follow_up_days,
        cast(customers as bigint) as customers,
        cast(returned as bigint) as returned,
        {{ ratio('returned', 'customers') }} as return_rate,
        {{ wilson_bound('returned', 'customers', '-') }} as return_rate_low,
        {{ wilson_bound('returned', 'customers', '+') }} as return_rate_high,
        {{ rounded('overall_rate', 9) }} as overall_rate,
        {{ rounded('p_value_adjusted', 6) }} as p_value_adjusted,
        case
            when p_value_adjusted is null then 'too few'
            when p_value_adjusted >= 0.05 then 'as others'
            when z_score > 0 then 'above others'
            else 'below others'
        end as comparison
    from adjusted

)

select * from final
