with orders as (

    select * from {{ ref('fct_orders') }}

),

order_items as (

    select * from {{ ref('fct_order_items') }}

),

payments as (

    select * from {{ ref('fct_payments') }}

),

sellers as (

    select * from {{ ref('dim_sellers') }}

),

locations as (

    select * from {{ ref('dim_locations') }}

),

currencies as (

    select * from {{ ref('currencies') }}
    where currency = '{{ var("shop_currency") }}'

),

countries as (

    select * from {{ ref('countries') }}
    where country = '{{ var("shop_country") }}'

),

order_parts as (

    select
        count(*) as orders,
        count(*) - count(customer_id) as orders_without_person,
        count(review_score) as scores,
        count(delivery_days) as deliveries,
        count(is_late) as promises,
        count(distinct extract(hour from purchased_at)) as hours,
        coalesce(sum(abs(payment_value)), 0) as amount,
        coalesce(sum(case when is_valid_order then payment_value end), 0) as paid,
        coalesce(sum(case when is_valid_order then refunded_value end), 0) as refunded,
        coalesce(sum(case when customer_state <> 'unknown' then 1 else 0 end), 0) as placed_orders,
        coalesce(
            sum(case when customer_region not in ('unknown', 'not grouped') then 1 else 0 end), 0
        ) as grouped_orders
    from orders

),

item_parts as (

    select
        count(*) as items,
        count(product_id) as products,
        count(seller_id) as sellers,
        coalesce(sum(case when product_category <> 'unknown' then 1 else 0 end), 0) as categories
    from order_items

),

payment_parts as (

    select
        count(*) as payments,
        count(installments) as installments,
        coalesce(sum(case when payment_type <> 'not_defined' then 1 else 0 end), 0) as typed_payments
    from payments

),

seller_parts as (

    select
        coalesce(sum(case when state <> 'unknown' then 1 else 0 end), 0) as placed_sellers,
        count(latitude) as sellers_with_point
    from sellers

),

location_parts as (

    select
        count(latitude) as points,
        {{ ratio('sum(latitude)', 'count(latitude)', 0) }} as middle_latitude,
        {{ ratio('sum(longitude)', 'count(longitude)', 0) }} as middle_longitude
    from locations

),

final as (

    select
        cast('{{ var("shop_currency") }}' as string) as currency,
        cast(currencies.currency_name as string) as currency_name,
        cast(currencies.symbol as string) as currency_symbol,
        cast(currencies.decimals as integer) as currency_decimals,
        cast({{ "'" ~ var("shop_country") ~ "'" if var("shop_country") else 'null' }} as string) as country,
        cast(countries.country_name as string) as country_name,
        cast(order_parts.orders as bigint) as orders,
        cast(order_parts.orders_without_person as bigint) as orders_without_person,
        cast(order_parts.refunded as decimal(18, 2)) as refunded_value,
        {{ ratio('order_parts.refunded', 'order_parts.paid + order_parts.refunded') }} as refunded_share,
        cast(order_parts.amount > 0 as boolean) as has_money,
        cast(payment_parts.payments > 0 as boolean) as has_payments,
        cast(payment_parts.typed_payments > 0 as boolean) as has_payment_types,
        cast(payment_parts.installments > 0 as boolean) as has_installments,
        cast(item_parts.items > 0 as boolean) as has_items,
        cast(item_parts.products > 0 as boolean) as has_products,
        cast(item_parts.categories > 0 as boolean) as has_categories,
        cast(item_parts.sellers > 0 as boolean) as has_sellers,
        cast(seller_parts.placed_sellers > 0 as boolean) as has_seller_places,
        cast(seller_parts.sellers_with_point > 0 as boolean) as has_seller_points,
        cast(order_parts.scores > 0 as boolean) as has_reviews,
        cast(order_parts.deliveries > 0 as boolean) as has_deliveries,
        cast(order_parts.promises > 0 as boolean) as has_promises,
        cast(order_parts.hours > 1 as boolean) as has_time_of_day,
        cast(order_parts.placed_orders > 0 as boolean) as has_places,
        cast(order_parts.grouped_orders > 0 as boolean) as has_regions,
        cast(location_parts.points > 0 as boolean) as has_points,
        location_parts.middle_latitude,
        location_parts.middle_longitude
    from order_parts
    cross join item_parts
    cross join payment_parts
    cross join seller_parts
    cross join location_parts
    left join currencies on true
    left join countries on true

)

select * from final
