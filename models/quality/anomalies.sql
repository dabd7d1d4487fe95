with orders as (

    select * from {{ ref('stg_olist__orders') }}

),

customers as (

    select * from {{ ref('stg_olist__customers') }}

),

order_items as (

    select * from {{ ref('stg_olist__order_items') }}

),

order_payments as (

    select * from {{ ref('stg_olist__order_payments') }}

),

order_reviews as (

    select * from {{ ref('stg_olist__order_reviews') }}

),

products as (

    select * from {{ ref('stg_olist__products') }}

),

sellers as (

    select * from {{ ref('stg_olist__sellers') }}

),

geolocation as (

    select * from {{ ref('stg_olist__geolocation') }}

),

category_translations as (

    select * from {{ ref('stg_olist__category_translations') }}

),

zip_locations as (

    select * from {{ ref('int_zip_locations') }}

),

calendar as (

    select * from {{ ref('int_shop_calendar') }}

),

people as (

    select * from {{ ref('dim_customers') }}

),

dated_orders as (

    select orders.purchased_at >= calendar.orders_hidden_from as is_later
    from orders
    cross join calendar

),

-- Everything that names an order. Grouped together, the tables need not be held side by side as they would be in joins.
parts as (

    select
        order_id,
        1 as orders,
        0 as items,
        0 as payments,
        0 as reviews,
        null as order_value,
        null as payment_value,
        null as payment_number
    from orders
    union all
    select
        order_id,
        0 as orders,
        1 as items,
        0 as payments,
        0 as reviews,
        price + freight_value as order_value,
        null as payment_value,
        null as payment_number
    from order_items
    union all
    select
        order_id,
        0 as orders,
        0 as items,
        1 as payments,
        0 as reviews,
        null as order_value,
        payment_value,
        payment_number
    from order_payments
    union all
    select
        order_id,
        0 as orders,
        0 as items,
        0 as payments,
        1 as reviews,
        null as order_value,
        null as payment_value,
        null as payment_number
    from order_reviews

),

order_parts as (

    select
        order_id,
        cast(sum(orders) as integer) as orders,
        cast(sum(items) as integer) as items,
        cast(sum(payments) as integer) as payments,
        cast(sum(reviews) as integer) as reviews,
        sum(order_value) as order_value,
        sum(payment_value) as payment_value,
        min(payment_number) as first_payment_number
    from parts
    group by 1

),

order_customers as (

    select
        customers.order_customer_id,
        customers.customer_id,
        orders.order_customer_id as named_customer_id
    from orders
    left join customers on orders.order_customer_id = customers.order_customer_id

),

checked_items as (

    select
        order_items.price,
        orders.order_id,
        products.product_id,
        sellers.seller_id,
        {{ days_between('orders.purchased_at', 'order_items.shipping_limit_at') }} as days_to_shipping_limit
    from order_items
    left join orders on order_items.order_id = orders.order_id
    left join products on order_items.product_id = products.product_id
    left join sellers on order_items.seller_id = sellers.seller_id

),

review_ids as (

    select
        review_id,
        count(*) as times_used
    from order_reviews
    group by 1

),

checked_products as (

    select
        products.*,
        category_translations.category_name_english
    from products
    left join category_translations
        on products.category_name_portuguese = category_translations.category_name_portuguese

),

checked_customers as (

    select zip_locations.zip_code_prefix as known_zip_code_prefix
    from customers
    left join zip_locations on customers.zip_code_prefix = zip_locations.zip_code_prefix

),

person_spellings as (

    select
        lower(replace(customer_id, ' ', '')) as plain_id,
        count(*) as times_used,
        case when min(customer_id) <> max(customer_id) then 1 else 0 end as is_spelt_in_several_ways
    from customers
    group by 1

),

checked_sellers as (

    select
        sellers.city,
        {{ clean_city('sellers.city') }} as clean_city,
        zip_locations.zip_code_prefix as known_zip_code_prefix
    from sellers
    left join zip_locations on sellers.zip_code_prefix = zip_locations.zip_code_prefix

),

points as (

    select
        zip_code_prefix,
        latitude,
        longitude,
        city,
        state,
        count(*) as copies
    from geolocation
    group by 1, 2, 3, 4, 5

),

-- A few thousand spellings, each cleaned once.
cities as (

    select distinct city
    from points

),

clean_cities as (

    select
        city,
        {{ clean_city('city') }} as clean_city
    from cities

),

checked_geolocation as (

    select
        points.latitude,
        points.longitude,
        points.city,
        points.copies,
        clean_cities.clean_city
    from points
    left join clean_cities on points.city = clean_cities.city

),

counted as (

    {{ all_anomaly_counts() }}

),

final as (

    select
        source_table,
        anomaly,
        cast(coalesce(row_count, 0) as bigint) as row_count,
        cast(coalesce(checked_rows, 0) as bigint) as checked_rows,
        {{ ratio('coalesce(row_count, 0)', 'checked_rows') }} as row_share,
        handled_by
    from counted

)

select * from final
