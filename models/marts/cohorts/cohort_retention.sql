with activity as (

    select * from {{ ref('int_cohort_activity') }}

),

{{ cohort_cells('activity', []) }},

final as (

    select
        cohort_month,
        months_since_first_order,
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

)

select * from final
