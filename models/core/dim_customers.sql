with orders as (

    select * from {{ ref('fct_orders') }}

),

zip_locations as (

    select * from {{ ref('int_zip_locations') }}

),

states as (

    select * from {{ ref('int_shop_states') }}

),

people as (

    select
        customer_id,
        count(*) as order_count,
        sum(case when is_valid_order then 1 else 0 end) as valid_order_count,
        coalesce(max(customer_occasion_number), 0) as occasion_count,
        min(purchased_at) as first_order_at,
        max(purchased_at) as last_order_at,
        max(order_id) as highest_order_id
    from orders
    where customer_id is not null
    group by 1

),

-- Only those who ordered more than once have a last order among others.
last_of_several as (

    select
        orders.customer_id,
        {{ last_by('orders.order_id', ['orders.purchased_at', 'orders.order_id']) }} as order_id
    from orders
    inner join people on orders.customer_id = people.customer_id
    where people.order_count > 1
    group by 1

),

last_order_ids as (

    select
        people.*,
        coalesce(last_of_several.order_id, people.highest_order_id) as last_order_id
    from people
    left join last_of_several on people.customer_id = last_of_several.customer_id

),

-- People move: where they are is read from the latest order, what a cohort is cut by from the first valid one.
final as (

    select
        people.customer_id,
        cast(last_orders.customer_zip_code_prefix as string) as zip_code_prefix,
        cast(last_orders.customer_city as string) as city,
        cast(last_orders.customer_state as string) as state,
        states.state_name,
        cast(last_orders.customer_region as string) as region,
        zip_locations.latitude,
        zip_locations.longitude,
        people.first_order_at,
        people.last_order_at,
        cast(people.order_count as integer) as order_count,
        cast(people.valid_order_count as integer) as valid_order_count,
        cast(people.occasion_count as integer) as occasion_count,
        people.occasion_count > 1 as is_repeat_customer,
        cast(first_orders.purchased_at as timestamp) as first_valid_order_at,
        cast(first_orders.customer_state as string) as first_order_state,
        cast(first_orders.customer_region as string) as first_order_region,
        cast(
            case when people.valid_order_count > 0 then coalesce(first_orders.main_category, 'unknown') end as string
        ) as first_order_category,
        cast(
            case when people.valid_order_count > 0 then coalesce(first_orders.payment_type, 'unknown') end as string
        ) as first_order_payment_type
    from last_order_ids as people
    inner join orders as last_orders on people.last_order_id = last_orders.order_id
    left join orders as first_orders
        on people.customer_id = first_orders.customer_id and first_orders.customer_order_number = 1
    left join zip_locations on last_orders.customer_zip_code_prefix = zip_locations.zip_code_prefix
    left join states on last_orders.customer_state = states.state

)

select * from final
