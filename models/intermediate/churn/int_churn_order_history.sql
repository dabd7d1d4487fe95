with

-- Only the columns needed: the windows below keep every row in memory.
orders as (

    select
        order_id,
        customer_id,
        customer_order_number,
        is_valid_order,
        purchased_at,
        order_date,
        cast(delivered_at as date) as delivered_date,
        delivery_days,
        delay_days,
        is_late,
        item_count,
        order_value,
        freight_value,
        payment_value,
        max_installments,
        coalesce(payment_type, 'unknown') as payment_type,
        coalesce(main_category, 'unknown') as main_category,
        coalesce(customer_state, 'unknown') as customer_state,
        coalesce(customer_region, 'unknown') as customer_region
    from {{ ref('fct_orders') }}

),

customers as (

    select
        customer_id,
        order_count,
        valid_order_count
    from {{ ref('dim_customers') }}

),

-- The past cut-offs are for fitting and testing, where more people than this teach nothing new. Chosen by a digest
-- of the id: the same people at every past cut-off, and no choice that depends on what they bought.
sampled_customers as (

    select customer_id
    from customers
    where valid_order_count > 0
    order by md5(customer_id), customer_id
    limit {{ var('churn_training_customers') }}

),

valid_orders as (

    select
        orders.*,
        lag(orders.order_date) over (
            partition by orders.customer_id order by orders.customer_order_number
        ) as previous_order_date,
        lead(orders.order_date) over (
            partition by orders.customer_id order by orders.customer_order_number
        ) as next_order_date,
        row_number() over (
            partition by orders.customer_id, orders.main_category order by orders.customer_order_number
        ) as nth_order_in_category,
        max(orders.payment_value) over (
            partition by orders.customer_id order by orders.customer_order_number
            rows between unbounded preceding and 1 preceding
        ) as largest_earlier_payment
    from orders
    where orders.is_valid_order

),

-- What was known of a person right after each of their orders: all running totals, so no later order can enter.
final as (

    select
        valid_orders.customer_id,
        valid_orders.order_id,
        valid_orders.customer_order_number,
        valid_orders.order_date,
        valid_orders.next_order_date,
        valid_orders.delivered_date,
        valid_orders.delivery_days,
        valid_orders.delay_days,
        valid_orders.is_late,
        valid_orders.item_count,
        valid_orders.payment_value,
        valid_orders.payment_type,
        valid_orders.max_installments,
        valid_orders.main_category,
        valid_orders.customer_state,
        valid_orders.customer_region,
        sampled_customers.customer_id is not null as is_sampled,
        customers.order_count > 1 as has_other_orders,
        {{ days_between('valid_orders.previous_order_date', 'valid_orders.order_date') }} as gap_days,
        min(valid_orders.order_date) over running as first_order_date,
        sum(valid_orders.payment_value) over running as running_payment,
        max(valid_orders.payment_value) over running as largest_payment,
        sum(valid_orders.item_count) over running as running_items,
        sum(valid_orders.order_value) over running as running_order_value,
        sum(valid_orders.freight_value) over running as running_freight,
        sum(case when valid_orders.nth_order_in_category = 1 then 1 else 0 end) over running as category_count,
        max(
            case
                when valid_orders.largest_earlier_payment is null then valid_orders.customer_order_number
                when valid_orders.payment_value > valid_orders.largest_earlier_payment
                    then valid_orders.customer_order_number
            end
        ) over running as largest_order_number,
        sum(
            {{ days_between('valid_orders.previous_order_date', 'valid_orders.order_date') }}
            * {{ days_between('valid_orders.previous_order_date', 'valid_orders.order_date') }}
        ) over running as running_squared_gap
    from valid_orders
    inner join customers on valid_orders.customer_id = customers.customer_id
    left join sampled_customers on valid_orders.customer_id = sampled_customers.customer_id
    window running as (
        partition by valid_orders.customer_id order by valid_orders.customer_order_number
        rows between unbounded preceding and current row
    )

)

select * from final
