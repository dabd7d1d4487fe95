with activity as (

    select * from {{ ref('int_cohort_period_activity') }}

),

{{ cohort_cells('activity', [], 'periods_since_first_occasion') }},

-- The first occasion itself is in the cumulated money and no return.
final as (

    select
        cohort_month,
        periods_since_first_occasion,
        cohort_size,
        active_customers,
        retention_rate,
        retention_low,
        retention_high,
        orders,
        revenue,
        cumulative_revenue,
        cumulative_revenue_per_customer,
        is_observable,
        is_small_cell
    from cohort_cells
    where periods_since_first_occasion >= 0

)

select * from final
