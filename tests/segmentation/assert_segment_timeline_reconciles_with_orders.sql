-- Each segmentation holds every valid order of the complete months once.
with orders as (

    select
        count(*) as orders,
        coalesce(sum(orders.payment_value), 0) as revenue
    from {{ ref('fct_orders') }} as orders
    inner join {{ ref('int_shop_calendar') }} as calendar on orders.order_month <= calendar.last_complete_month
    where orders.is_valid_order and orders.customer_id is not null

),

timeline as (

    select
        segmentation,
        sum(orders) as orders,
        sum(revenue) as revenue
    from {{ ref('segment_timeline') }}
    group by segmentation

),

final as (

    select
        timeline.segmentation,
        timeline.orders,
        timeline.revenue,
        orders.orders as expected_orders,
        orders.revenue as expected_revenue
    from timeline
    cross join orders
    where timeline.orders <> orders.orders or timeline.revenue <> orders.revenue

)

select * from final
