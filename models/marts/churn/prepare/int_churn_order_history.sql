with

-- Only the columns needed: the windows below keep every row in memory.
orders as (

    select
        order_id,
        customer_id,
        customer_order_number,
        customer_occasion_number,
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

valid_orders as (

    select
        orders.*,
        customers.order_count > 1 as has_other_orders,
        customers.valid_order_count > 1 as has_other_valid_orders
    from orders
    inner join customers on orders.customer_id = customers.customer_id
    where orders.is_valid_order

),

-- Nearly everyone has a single valid order and needs no window: only the orders of the others are sorted.
orders_of_several as (

    select
        *,
        row_number() over (
            partition by customer_id, main_category order by customer_order_number
        ) as nth_order_in_category
    from valid_orders
    where has_other_valid_orders

),

-- A person's orders of one day are one occasion. What does not add up (category, payment type, delivery) is that of
-- its last order.
occasions_of_several as (

    select
        customer_id,
        customer_occasion_number,
        order_date,
        {{ last_by('order_id', ['customer_order_number']) }} as order_id,
        sum(payment_value) as payment_value,
        sum(item_count) as item_count,
        sum(order_value) as order_value,
        sum(freight_value) as freight_value,
        sum(case when nth_order_in_category = 1 then 1 else 0 end) as new_categories
    from orders_of_several
    group by customer_id, customer_occasion_number, order_date

),

neighbours as (

    select
        *,
        lag(order_date) over (partition by customer_id order by customer_occasion_number) as previous_order_date,
        lead(order_date) over (partition by customer_id order by customer_occasion_number) as next_order_date,
        max(payment_value) over (
            partition by customer_id order by customer_occasion_number
            rows between unbounded preceding and 1 preceding
        ) as largest_earlier_payment
    from occasions_of_several

),

-- What was known of a person right after each of their occasions: all running totals, so no later one can enter.
running_totals as (

    select
        order_id,
        payment_value,
        item_count,
        next_order_date,
        {{ days_between('previous_order_date', 'order_date') }} as gap_days,
        min(order_date) over running as first_order_date,
        sum(payment_value) over running as running_payment,
        max(payment_value) over running as largest_payment,
        sum(item_count) over running as running_items,
        sum(order_value) over running as running_order_value,
        sum(freight_value) over running as running_freight,
        sum(new_categories) over running as category_count,
        max(
            case
                when largest_earlier_payment is null then customer_occasion_number
                when payment_value > largest_earlier_payment then customer_occasion_number
            end
        ) over running as largest_occasion_number,
        sum(
            {{ days_between('previous_order_date', 'order_date') }}
            * {{ days_between('previous_order_date', 'order_date') }}
        ) over running as running_squared_gap
    from neighbours
    window running as (
        partition by customer_id order by customer_occasion_number
        rows between unbounded preceding and current row
    )

),

final as (

    select
        valid_orders.customer_id,
        valid_orders.customer_occasion_number,
        valid_orders.order_date,
        running_totals.next_order_date,
        valid_orders.delivered_date,
        valid_orders.delivery_days,
        valid_orders.delay_days,
        valid_orders.is_late,
        coalesce(running_totals.item_count, valid_orders.item_count) as item_count,
        coalesce(running_totals.payment_value, valid_orders.payment_value) as payment_value,
        valid_orders.payment_type,
        valid_orders.max_installments,
        valid_orders.main_category,
        valid_orders.customer_state,
        valid_orders.customer_region,
        valid_orders.has_other_orders,
        running_totals.gap_days,
        coalesce(running_totals.first_order_date, valid_orders.order_date) as first_order_date,
        coalesce(running_totals.running_payment, valid_orders.payment_value) as running_payment,
        coalesce(running_totals.largest_payment, valid_orders.payment_value) as largest_payment,
        coalesce(running_totals.running_items, valid_orders.item_count) as running_items,
        coalesce(running_totals.running_order_value, valid_orders.order_value) as running_order_value,
        coalesce(running_totals.running_freight, valid_orders.freight_value) as running_freight,
        coalesce(running_totals.category_count, 1) as category_count,
        coalesce(running_totals.largest_occasion_number, 1) as largest_occasion_number,
        running_totals.running_squared_gap
    from valid_orders
    left join running_totals on valid_orders.order_id = running_totals.order_id
    where not valid_orders.has_other_valid_orders or running_totals.order_id is not null

)

select * from final
