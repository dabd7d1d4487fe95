with activity as (

    select * from {{ ref('int_cohort_period_activity') }}

),

-- Each customer once per dimension: the dimensions are read one after the other, never crossed.
by_dimension as (

    {% for dimension in ['state', 'region', 'category', 'payment_type'] %}
        select
            '{{ dimension }}' as dimension,
            first_order_{{ dimension }} as dimension_value,
            cohort_month,
            periods_since_first_occasion,
            active_customers,
            orders,
            revenue
        from activity
        {{ 'union all' if not loop.last }}
    {% endfor %}

),

{{ cohort_cells('by_dimension', ['dimension', 'dimension_value'], 'periods_since_first_occasion') }},

-- The first occasion itself is in the cumulated money and no return.
final as (

    select
        dimension,
        dimension_value,
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
