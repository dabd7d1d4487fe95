with customers as (

    select * from {{ ref('dim_customers') }}

),

orders as (

    select * from {{ ref('fct_orders') }}

),

second_occasions as (

    select
        customer_id,
        min(order_date) as second_occasion_date
    from orders
    where customer_occasion_number = 2
    group by customer_id

),

first_deliveries as (

    select
        customer_id,
        case
            when is_late then 'late'
            when is_delivered then 'on time'
            else 'not delivered'
        end as first_delivery
    from orders
    where customer_order_number = 1

),

final as (

    select
        customers.customer_id,
        cast(date_trunc('quarter', customers.first_valid_order_at) as date) as acquisition_quarter,
        coalesce(customers.first_order_region, 'unknown') as region,
        coalesce(customers.first_order_category, 'unknown') as category,
        coalesce(customers.first_order_payment_type, 'unknown') as payment_type,
        coalesce(first_deliveries.first_delivery, 'not delivered') as delivery,
        {{ days_between('customers.first_valid_order_at', 'second_occasions.second_occasion_date') }}
            as days_to_second_occasion
    from customers
    left join second_occasions on customers.customer_id = second_occasions.customer_id
    left join first_deliveries on customers.customer_id = first_deliveries.customer_id
    where customers.first_valid_order_at is not null

)

select * from final
