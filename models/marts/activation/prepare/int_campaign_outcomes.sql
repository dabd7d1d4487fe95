{#
    A person may have been written in another spelling when the campaign was launched, or have been two people then: the
    arm of the earlier row stays, of one launch the smaller draw's.
#}
with members as (

    select * from {{ ref('stg_campaigns__members') }}

),

exports as (

    select * from {{ ref('stg_campaigns__exports') }}

),

events as (

    select * from {{ ref('stg_olist__campaign_events') }}

),

customers as (

    select * from {{ ref('dim_customers') }}

),

orders as (

    select * from {{ ref('fct_orders') }}

),

calendar as (

    select * from {{ ref('int_shop_calendar') }}

),

known_members as (

    select
        members.*,
        coalesce(customers.customer_id, respelt.customer_id, members.customer_id) as person_id
    from members
    left join customers on members.customer_id = customers.customer_id
    left join customers as respelt
        on
            customers.customer_id is null
            and {{ same_person('members.customer_id') }} = {{ same_person('respelt.customer_id') }}

),

distinct_members as (

    select
        launch_id,
        person_id as customer_id,
        {{ first_by('arm', ['draw', 'customer_id']) }} as arm,
        {{ first_by('stratum', ['draw', 'customer_id']) }} as stratum,
        min(starts_on) as starts_on,
        min(ends_on) as ends_on
    from known_members
    group by 1, 2

),

written_to as (

    select
        launch_id,
        {{ same_person('customer_id') }} as customer_id,
        min(exported_at) as first_exported_at
    from exports
    group by 1, 2

),

-- What the tool that sends reports; whoever opened or clicked was sent it, whatever is missing.
reached as (

    select
        launch_id,
        {{ same_person('customer_id') }} as customer_id,
        min(event_at) as first_event_at,
        max(case when event in ('opened', 'clicked') then 1 else 0 end) as opened,
        max(case when event = 'clicked' then 1 else 0 end) as clicked
    from events
    group by 1, 2

),

outcomes as (

    select
        members.launch_id,
        members.customer_id,
        count(distinct case when orders.order_date >= members.starts_on then orders.order_date end) as occasions,
        sum(case when orders.order_date >= members.starts_on then orders.payment_value end) as revenue,
        sum(case when orders.order_date < members.starts_on then orders.payment_value end) as revenue_before
    from distinct_members as members
    inner join orders on members.customer_id = orders.customer_id
    where
        orders.is_valid_order
        and orders.order_date < members.ends_on
        and orders.order_date >= {{ add_days('members.starts_on', -var('campaign_days_before')) }}
    group by 1, 2

),

final as (

    select
        members.launch_id,
        members.customer_id,
        members.arm,
        members.stratum,
        coalesce(calendar.as_of_date >= members.ends_on, false) as is_over,
        cast(coalesce(outcomes.occasions, 0) as integer) as occasions,
        case when outcomes.occasions > 0 then 1 else 0 end as returned,
        cast(coalesce(outcomes.revenue, 0) as decimal(18, 2)) as revenue,
        cast(coalesce(outcomes.revenue_before, 0) as decimal(18, 2)) as revenue_before,
        written_to.first_exported_at,
        reached.first_event_at,
        coalesce(reached.opened, 0) as opened,
        coalesce(reached.clicked, 0) as clicked
    from distinct_members as members
    cross join calendar
    left join outcomes on members.launch_id = outcomes.launch_id and members.customer_id = outcomes.customer_id
    left join written_to
        on
            members.launch_id = written_to.launch_id
            and {{ same_person('members.customer_id') }} = written_to.customer_id
    left join reached
        on
            members.launch_id = reached.launch_id
            and {{ same_person('members.customer_id') }} = reached.customer_id

)

select * from final
