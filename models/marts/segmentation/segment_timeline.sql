with customer_months as (

    select * from {{ ref('int_customer_months') }}

),

customer_segments as (

    select * from {{ ref('customer_segments') }}

),

calendar as (

    select * from {{ ref('int_shop_calendar') }}

),

months as (

    select {{ month_spine('first_order_month', 'last_complete_month') }} as order_month
    from calendar

),

-- Customer and month is the grain here, so customers can be counted and then added up without a distinct.
activity as (

    select
        customer_months.order_month,
        customer_segments.churn_risk_tier,
        customer_segments.abc_xyz_segment,
        count(*) as customers,
        sum(customer_months.orders) as orders,
        sum(customer_months.revenue) as revenue
    from customer_months
    inner join customer_segments on customer_months.customer_id = customer_segments.customer_id
    group by customer_months.order_month, customer_segments.churn_risk_tier, customer_segments.abc_xyz_segment

),

by_segmentation as (

    {% for segmentation in ['churn_risk_tier', 'abc_xyz_segment'] %}
        select
            '{{ segmentation }}' as segmentation,
            {{ segmentation }} as segment,
            order_month,
            sum(customers) as customers,
            sum(orders) as orders,
            sum(revenue) as revenue
        from activity
        group by {{ segmentation }}, order_month
        {{ 'union all' if not loop.last }}
    {% endfor %}

),

segments as (

    select distinct
        segmentation,
        segment
    from by_segmentation

),

grid as (

    select
        months.order_month,
        segments.segmentation,
        segments.segment
    from months
    cross join segments

),

final as (

    select
        grid.order_month,
        grid.segmentation,
        grid.segment,
        cast(coalesce(by_segmentation.customers, 0) as bigint) as customers,
        cast(coalesce(by_segmentation.orders, 0) as bigint) as orders,
        cast(coalesce(by_segmentation.revenue, 0) as decimal(18, 2)) as revenue
    from grid
    left join by_segmentation
        on
            grid.order_month = by_segmentation.order_month
            and grid.segmentation = by_segmentation.segmentation
            and grid.segment = by_segmentation.segment

)

select * from final
