-- In each of the four dimensions every cell adds up to the undimensioned one, and is unseen where that is unseen.
with cohorts as (

    select * from {{ ref('cohort_retention') }}

),

summed as (

    select
        dimension,
        cohort_month,
        months_since_first_order,
        sum(cohort_size) as cohort_size,
        sum(active_customers) as active_customers,
        sum(orders) as orders,
        sum(revenue) as revenue,
        sum(cumulative_revenue) as cumulative_revenue,
        count(active_customers) as observed_values,
        count(*) as dimension_values
    from {{ ref('cohort_retention_by_dimension') }}
    group by dimension, cohort_month, months_since_first_order

),

dimensions as (

    select distinct dimension
    from summed

),

expected as (

    select
        dimensions.dimension,
        cohorts.*
    from dimensions
    cross join cohorts

),

final as (

    select
        coalesce(expected.dimension, summed.dimension) as dimension,
        coalesce(expected.cohort_month, summed.cohort_month) as cohort_month,
        coalesce(expected.months_since_first_order, summed.months_since_first_order) as months_since_first_order
    from expected
    full outer join summed
        on
            expected.dimension = summed.dimension
            and expected.cohort_month = summed.cohort_month
            and expected.months_since_first_order = summed.months_since_first_order
    where
        coalesce(expected.cohort_size, 0) <> coalesce(summed.cohort_size, 0)
        or coalesce(expected.active_customers, -1) <> coalesce(summed.active_customers, -1)
        or coalesce(expected.orders, -1) <> coalesce(summed.orders, -1)
        or coalesce(expected.revenue, -1) <> coalesce(summed.revenue, -1)
        or coalesce(expected.cumulative_revenue, -1) <> coalesce(summed.cumulative_revenue, -1)
        or summed.observed_values <> case when expected.is_observable then summed.dimension_values else 0 end

)

select * from final
