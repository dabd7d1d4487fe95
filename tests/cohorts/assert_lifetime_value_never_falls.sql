-- Unless an order gave back more than it was paid. And unseen months come last: a value after a NULL would be a hole in
-- the curve.
with curves as (

    select
        'all' as dimension,
        'all' as dimension_value,
        cohort_month,
        months_since_first_order,
        cumulative_revenue_per_customer
    from {{ ref('cohort_retention') }}

    union all

    select
        dimension,
        dimension_value,
        cohort_month,
        months_since_first_order,
        cumulative_revenue_per_customer
    from {{ ref('cohort_retention_by_dimension') }}

    union all

    select
        concat('30 days by ', dimension) as dimension,
        dimension_value,
        cohort_month,
        periods_since_first_occasion as months_since_first_order,
        cumulative_revenue_per_customer
    from {{ ref('cohort_retention_30_days_by_dimension') }}

    union all

    select
        '30 days' as dimension,
        'all' as dimension_value,
        cohort_month,
        periods_since_first_occasion as months_since_first_order,
        cumulative_revenue_per_customer
    from {{ ref('cohort_retention_30_days') }}

    union all

    select
        period_kind as dimension,
        cohort_set as dimension_value,
        first_cohort_month as cohort_month,
        period_number as months_since_first_order,
        cumulative_revenue_per_customer
    from {{ ref('cohort_curves') }}

),

steps as (

    select
        *,
        lag(cumulative_revenue_per_customer) over (
            partition by dimension, dimension_value, cohort_month
            order by months_since_first_order
        ) as value_before
    from curves

),

orders_below_zero as (

    select count(*) as orders
    from {{ ref('fct_orders') }}
    where payment_value < 0

),

final as (

    select steps.*
    from steps
    cross join orders_below_zero
    where
        (steps.cumulative_revenue_per_customer < steps.value_before and orders_below_zero.orders = 0)
        or (
            steps.months_since_first_order > 0
            and steps.cumulative_revenue_per_customer is not null
            and steps.value_before is null
        )

)

select * from final
