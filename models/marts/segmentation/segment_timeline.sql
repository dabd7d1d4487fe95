with customer_months as (

    select * from {{ ref('int_customer_months') }}

),

segment_history as (

    select * from {{ ref('segment_history') }}

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

-- The tier of a customer is the one at the end of that month; the ABC-XYZ code is today's, for it has no history.
-- Customer and month is the grain here, so customers can be counted and then added up without a distinct.
by_segmentation as (

    select
        'churn_risk_tier' as segmentation,
        segment_history.churn_risk_tier as segment,
        customer_months.order_month,
        count(*) as customers,
        sum(customer_months.orders) as orders,
        sum(customer_months.revenue) as revenue
    from customer_months
    inner join segment_history
        on
            customer_months.customer_id = segment_history.customer_id
            and last_day(customer_months.order_month) = segment_history.month_end
    group by segment_history.churn_risk_tier, customer_months.order_month

    union all

    select
        'abc_xyz_segment' as segmentation,
        customer_segments.abc_xyz_segment as segment,
        customer_months.order_month,
        count(*) as customers,
        sum(customer_months.orders) as orders,
        sum(customer_months.revenue) as revenue
    from customer_months
    inner join customer_segments on customer_months.customer_id = customer_segments.customer_id
    group by customer_segments.abc_xyz_segment, customer_months.order_month

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
