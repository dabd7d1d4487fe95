with calendar as (

    select
        hidden_from,
        orders_hidden_from,
        later_orders
    from {{ ref('int_shop_calendar') }}

),

load_summary as (

    select
        coalesce(sum(raw_rows), 0) as raw_rows,
        coalesce(sum(landed_rows), 0) as landed_rows,
        coalesce(sum(quarantined_rows), 0) as quarantined_rows,
        coalesce(sum(repeated_rows), 0) as repeated_rows,
        coalesce(sum(superseded_rows), 0) as superseded_rows
    from {{ source('load', 'load_summary') }}

),

load_balance as (

    select
        raw_rows,
        landed_rows + quarantined_rows + repeated_rows + superseded_rows as accounted_rows
    from load_summary

),

landed as (

    select sum(row_count) as table_rows
    from {{ ref('column_profile') }}
    where column_number = 1

),

-- The raw side is read from the landed files themselves, not through the models under test.
raw_orders as (

    select
        orders.order_id,
        case
            when customers.customer_id is null then orders.customer_id
            else customers.customer_unique_id
        end as customer_id
    from {{ source('olist', 'orders') }} as orders
    left join {{ source('olist', 'customers') }} as customers on orders.customer_id = customers.customer_id
    cross join calendar
    where orders.order_purchase_timestamp < calendar.orders_hidden_from

),

landed_orders as (

    select count(*) as order_rows
    from {{ source('olist', 'orders') }}

),

raw_order_totals as (

    select
        count(*) as order_rows,
        count(distinct customer_id) as people,
        count(*) - count(customer_id) as orders_without_person
    from raw_orders

),

raw_item_totals as (

    select
        count(*) as item_rows,
        coalesce(sum(items.price), 0) as item_value,
        coalesce(sum(items.freight_value), 0) as freight_value
    from {{ source('olist', 'order_items') }} as items
    inner join raw_orders on items.order_id = raw_orders.order_id

),

raw_payment_totals as (

    select
        count(*) as payment_rows,
        coalesce(sum(payments.payment_value), 0) as payment_value
    from {{ source('olist', 'order_payments') }} as payments
    inner join raw_orders on payments.order_id = raw_orders.order_id

),

raw_review_totals as (

    select count(*) as review_rows
    from {{ source('olist', 'order_reviews') }} as reviews
    inner join raw_orders on reviews.order_id = raw_orders.order_id
    cross join calendar
    where
        coalesce(reviews.review_answer_timestamp, reviews.review_creation_date) is null
        or coalesce(reviews.review_answer_timestamp, reviews.review_creation_date) < calendar.hidden_from

),

raw_reference_totals as (

    select
        (
            select count(*) from {{ source('olist', 'products') }}
            where {{ is_not_first_sold_later('product_id') }}
        ) as products,
        (
            select count(*) from {{ source('olist', 'sellers') }}
            where {{ is_not_first_sold_later('seller_id') }}
        ) as sellers,
        (
            select count(distinct geolocation_zip_code_prefix) from {{ source('olist', 'geolocation') }}
        ) as zip_code_prefixes

),

fct_orders as (

    select
        count(*) as order_rows,
        count(distinct customer_id) as people,
        count(customer_id) as person_orders,
        count(*) - count(customer_id) as orders_without_person,
        coalesce(sum(item_count), 0) as item_rows,
        coalesce(sum(item_value), 0) as item_value,
        coalesce(sum(freight_value), 0) as freight_value,
        coalesce(sum(payment_count), 0) as payment_rows,
        coalesce(sum(case when payment_count > 0 then payment_value end), 0) as paid_value,
        coalesce(sum(review_count), 0) as review_rows,
        count(review_score) as scored_orders,
        count(delivery_days) as dated_deliveries,
        coalesce(sum(case when is_valid_order then 1 else 0 end), 0) as valid_orders,
        count(case when is_valid_order then customer_id end) as valid_person_orders,
        count(distinct case when is_valid_order then customer_id end) as valid_people,
        coalesce(sum(case when is_valid_order then payment_value end), 0) as valid_payment_value,
        coalesce(
            sum(case when is_valid_order and customer_id is not null then payment_value end), 0
        ) as valid_person_payment_value,
        count(distinct case when is_valid_order then extract(hour from purchased_at) end) as hours,
        coalesce(sum(case when is_valid_order and payment_count > 0 then 1 else 0 end), 0) as valid_paid_orders,
        coalesce(
            sum(case when is_valid_order and customer_zip_code_prefix is not null then 1 else 0 end), 0
        ) as valid_placed_orders,
        coalesce(
            sum(case when is_valid_order and seller_count = 1 then item_value end), 0
        ) as valid_single_seller_value
    from {{ ref('fct_orders') }}

),

-- A shop whose stamps are days has no rhythm by the hour.
timed_orders as (

    select
        case when hours > 1 then valid_orders else 0 end as valid_orders,
        case when hours > 1 then valid_payment_value else 0 end as valid_payment_value
    from fct_orders

),

seen_and_later_orders as (

    select fct_orders.order_rows + calendar.later_orders as order_rows
    from fct_orders
    cross join calendar

),

fct_order_items as (

    select
        count(*) as item_rows,
        coalesce(sum(price), 0) as item_value,
        coalesce(sum(freight_value), 0) as freight_value,
        coalesce(sum(case when is_valid_order then quantity end), 0) as valid_units,
        coalesce(sum(case when is_valid_order and seller_id is not null then price end), 0) as valid_seller_value,
        coalesce(sum(case when is_valid_order then price end), 0) as valid_item_value
    from {{ ref('fct_order_items') }}

),

fct_payments as (

    select
        count(*) as payment_rows,
        coalesce(sum(payment_value), 0) as payment_value,
        coalesce(sum(case when is_valid_order then payment_value end), 0) as valid_payment_value
    from {{ ref('fct_payments') }}

),

-- The marts, each scanned once for the measures that must come back to the facts.
{{ reconciled_mart_ctes() }},

compared as (

    {{ reconciliation_rows() }}

),

-- Counts are counts and money is decimal: nothing is allowed to differ.
final as (

    select
        check_number,
        step,
        check_name,
        cast(expected as decimal(18, 2)) as expected,
        cast(actual as decimal(18, 2)) as actual,
        cast(actual - expected as decimal(18, 2)) as difference,
        cast(0 as decimal(18, 2)) as tolerance,
        cast(actual = expected as boolean) as is_ok
    from compared

)

select * from final
