with orders as (

    select
        order_id,
        order_value,
        payment_value + refunded_value as paid_value
    from {{ ref('fct_orders') }}

),

discounts as (

    select
        order_id,
        sum(discount_value) as discount_value
    from {{ ref('stg_olist__order_discounts') }}
    group by 1

),

refunds as (

    select
        order_id,
        sum(refund_value) as refund_value
    from {{ ref('stg_olist__refunds') }}
    group by 1

),

channel_months as (

    select * from {{ ref('acquisition_channels') }}

),

members as (

    select * from {{ ref('campaign_members') }}

),

launches as (

    select distinct launch_id
    from members

),

events as (

    select
        launch_id,
        {{ same_person('customer_id') }} as customer_id,
        count(*) as events
    from {{ ref('stg_olist__campaign_events') }}
    group by 1, 2

),

known_events as (

    select
        events.launch_id,
        events.customer_id,
        events.events,
        members.arm,
        launches.launch_id is not null as is_known_launch
    from events
    left join launches on events.launch_id = launches.launch_id
    left join members
        on
            events.launch_id = members.launch_id
            and events.customer_id = {{ same_person('members.customer_id') }}

),

large_discounts as (

    select
        'order_discounts' as source_table,
        discounts.order_id as row_key,
        'discount larger than its order' as problem,
        discounts.discount_value as found_value,
        greatest(orders.order_value, orders.paid_value) as expected_value,
        'Counts as an order with a coupon; no figure takes the amount off.' as handled_by
    from discounts
    inner join orders on discounts.order_id = orders.order_id
    where discounts.discount_value > greatest(orders.order_value, orders.paid_value)

),

large_refunds as (

    select
        'refunds' as source_table,
        refunds.order_id as row_key,
        'refund larger than its order' as problem,
        refunds.refund_value as found_value,
        orders.paid_value as expected_value,
        'Taken off in full in monthly_net_revenue: look whether one was written twice.' as handled_by
    from refunds
    inner join orders on refunds.order_id = orders.order_id
    where refunds.refund_value > orders.paid_value

),

idle_costs as (

    select
        'acquisition_costs' as source_table,
        cast(acquired_month as string) || ' ' || channel as row_key,
        'spending without a new customer' as problem,
        acquisition_cost as found_value,
        0 as expected_value,
        'Kept in acquisition_channels with its verdict: look whether order_channels calls the channel so.' as handled_by
    from channel_months
    where verdict = 'cost_without_customers'

),

strange_events as (

    select
        'campaign_events' as source_table,
        launch_id || ' ' || customer_id as row_key,
        case
            when not is_known_launch then 'event of an unknown campaign'
            when arm is null then 'event of a person outside the campaign'
            else 'held-out person who was written to'
        end as problem,
        events as found_value,
        0 as expected_value,
        case
            when arm is null then 'Left out of every figure.'
            else 'Stays in the control; counted in campaigns, and makes the effect look smaller.'
        end as handled_by
    from known_events
    where arm is null or arm <> 'treated'

),

doubtful as (

    select * from large_discounts
    union all
    select * from large_refunds
    union all
    select * from idle_costs
    union all
    select * from strange_events

),

final as (

    select
        cast(source_table as string) as source_table,
        cast(row_key as string) as row_key,
        cast(problem as string) as problem,
        cast(found_value as decimal(18, 2)) as found_value,
        cast(expected_value as decimal(18, 2)) as expected_value,
        cast(handled_by as string) as handled_by
    from doubtful

)

select * from final
