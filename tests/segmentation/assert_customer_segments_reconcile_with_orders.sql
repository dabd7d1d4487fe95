-- People, orders and money of every customer-level segmentation, and of its summaries, equal the valid orders.
with totals as (

    select
        'fct_orders' as mart,
        count(distinct customer_id) as customers,
        count(*) as orders,
        sum(payment_value) as revenue
    from {{ ref('fct_orders') }}
    where is_valid_order and customer_id is not null

    union all

    select
        'customer_rfm' as mart,
        count(*) as customers,
        sum(order_count) as orders,
        sum(monetary) as revenue
    from {{ ref('customer_rfm') }}

    union all

    select
        'customer_segments' as mart,
        count(*) as customers,
        sum(order_count) as orders,
        sum(monetary) as revenue
    from {{ ref('customer_segments') }}

    union all

    select
        'segment_summary' as mart,
        sum(customers) as customers,
        sum(orders) as orders,
        sum(revenue) as revenue
    from {{ ref('segment_summary') }}

    union all

    select
        'geo_segments' as mart,
        sum(customers) as customers,
        sum(orders) as orders,
        sum(revenue) as revenue
    from {{ ref('geo_segments') }}

    union all

    select
        'segment_cells' as mart,
        sum(customers) as customers,
        sum(orders) as orders,
        sum(revenue) as revenue
    from {{ ref('segment_cells') }}

),

final as (

    select
        totals.*,
        orders.customers as expected_customers,
        orders.orders as expected_orders,
        orders.revenue as expected_revenue
    from totals
    inner join totals as orders on orders.mart = 'fct_orders'
    where
        coalesce(totals.customers, 0) <> coalesce(orders.customers, 0)
        or coalesce(totals.orders, 0) <> coalesce(orders.orders, 0)
        or coalesce(totals.revenue, 0) <> coalesce(orders.revenue, 0)

)

select * from final
