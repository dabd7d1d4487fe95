-- And unseen months come last: a value after a NULL would be a hole in the curve.
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

final as (

    select *
    from steps
    where
        cumulative_revenue_per_customer < value_before
        or (
            months_since_first_order > 0
            and cumulative_revenue_per_customer is not null
            and value_before is null
        )

)

select * from final
