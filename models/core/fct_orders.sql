{{ config(materialized='windowed', window_by='purchased_at') }}

with orders as (

    select * from {{ ref('int_orders') }}
    {{ where_in_window('purchased_at') }}

),

order_items as (

    select * from {{ ref('int_order_items_rolled_up') }}

),

payments as (

    select * from {{ ref('stg_olist__order_payments') }}
    {{ where_order_in_window() }}

),

order_reviews as (

    select * from {{ ref('int_order_reviews_rolled_up') }}

),

states as (

    select * from {{ ref('int_shop_states') }}

),

-- A shop without any payment is paid what its items and their freight cost.
payment_rows as (

    select count(*) as payment_rows from {{ ref('stg_olist__order_payments') }}

),

-- The type of the largest payment; of equals, the one made first.
order_payments as (

    select
        order_id,
        count(*) as payment_count,
        sum(payment_value) as payment_value,
        -sum(case when payment_value < 0 then payment_value else 0 end) as refunded_value,
        max(installments) as max_installments,
        {{ first_by('payment_type', ['-payment_value', 'payment_number', 'payment_type']) }} as payment_type
    from payments
    group by 1

),

-- Orders before the window keep their numbers, and those inside it go on counting from there; an ordinary run has
-- none. A day lies before the window or in it, never in both.
earlier_orders as (

    select
        customer_id,
        count(*) as valid_orders,
        max({{ 'customer_occasion_number' if is_windowed_run() else '0' }}) as occasions
    from {{ this if is_windowed_run() else 'orders' }}
    where is_valid_order and customer_id is not null and {{ is_before_window('purchased_at') }}
    group by 1

),

-- Nearly everyone has a single valid order, which is the first; only those of the others are put in order.
valid_orders as (

    select
        customer_id,
        count(*) as valid_orders
    from orders
    where is_valid_order and customer_id is not null
    group by 1

),

orders_of_several as (

    select
        orders.order_id,
        row_number() over (
            partition by orders.customer_id order by orders.purchased_at, orders.order_id
        ) as order_number,
        dense_rank() over (
            partition by orders.customer_id order by cast(orders.purchased_at as date)
        ) as occasion_number
    from orders
    inner join valid_orders on orders.customer_id = valid_orders.customer_id
    where
        orders.is_valid_order
        and valid_orders.valid_orders > 1

),

-- Each of the three sides has one row per order by now, so nothing multiplies.
joined as (

    select
        orders.*,
        orders.order_status = 'delivered' as is_delivered,
        order_items.item_count,
        order_items.seller_count,
        order_items.item_value,
        order_items.freight_value,
        order_items.main_category,
        case
            when payment_rows.payment_rows = 0 then order_items.item_value + order_items.freight_value
            else order_payments.payment_value
        end as payment_value,
        order_payments.refunded_value,
        order_payments.payment_count,
        order_payments.payment_type,
        order_payments.max_installments,
        order_reviews.review_count,
        order_reviews.review_score,
        order_reviews.answered_at as review_answered_at,
        states.region,
        case
            when orders.order_status = 'delivered'
                then {{ days_between('orders.purchased_at', 'orders.delivered_at') }}
        end as delivery_days,
        case
            when orders.order_status = 'delivered'
                then {{ days_between('orders.estimated_delivery_date', 'orders.delivered_at') }}
        end as delay_days,
        case
            when orders.is_valid_order and orders.customer_id is not null
                then coalesce(orders_of_several.order_number, 1) + coalesce(earlier_orders.valid_orders, 0)
        end as customer_order_number,
        case
            when orders.is_valid_order and orders.customer_id is not null
                then coalesce(orders_of_several.occasion_number, 1) + coalesce(earlier_orders.occasions, 0)
        end as customer_occasion_number
    from orders
    cross join payment_rows
    left join order_items on orders.order_id = order_items.order_id
    left join order_payments on orders.order_id = order_payments.order_id
    left join order_reviews on orders.order_id = order_reviews.order_id
    left join states on orders.state = states.state
    left join orders_of_several on orders.order_id = orders_of_several.order_id
    left join earlier_orders on orders.customer_id = earlier_orders.customer_id

),

final as (

    select
        order_id,
        customer_id,
        order_customer_id,
        order_status,
        is_valid_order,
        is_delivered,
        purchased_at,
        cast(purchased_at as date) as order_date,
        {{ month_of('purchased_at') }} as order_month,
        approved_at,
        shipped_at,
        delivered_at,
        estimated_delivery_date,
        cast(delivery_days as integer) as delivery_days,
        cast(delay_days as integer) as delay_days,
        delay_days > 0 as is_late,
        cast(coalesce(item_count, 0) as integer) as item_count,
        cast(coalesce(seller_count, 0) as integer) as seller_count,
        cast(coalesce(item_value, 0) as decimal(18, 2)) as item_value,
        cast(coalesce(freight_value, 0) as decimal(18, 2)) as freight_value,
        cast(coalesce(item_value, 0) + coalesce(freight_value, 0) as decimal(18, 2)) as order_value,
        cast(coalesce(payment_value, 0) as decimal(18, 2)) as payment_value,
        cast(coalesce(refunded_value, 0) as decimal(18, 2)) as refunded_value,
        cast(coalesce(payment_count, 0) as integer) as payment_count,
        payment_type,
        max_installments,
        cast(coalesce(review_count, 0) as integer) as review_count,
        review_score,
        review_answered_at,
        main_category,
        cast(city as string) as customer_city,
        cast(zip_code_prefix as string) as customer_zip_code_prefix,
        cast(state as string) as customer_state,
        cast(coalesce(region, 'unknown') as string) as customer_region,
        cast(customer_order_number as integer) as customer_order_number,
        cast(customer_occasion_number as integer) as customer_occasion_number
    from joined

)

select * from final
