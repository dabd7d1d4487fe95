{{ config(materialized='view') }}

-- What a customer had bought changes only in a month with an order. Nearly everyone has a single row here, and the
-- months in between are never sorted.
with customer_months as (

    select * from {{ ref('int_customer_months') }}

),

calendar as (

    select * from {{ ref('int_shop_calendar') }}

),

complete_months as (

    select
        customer_months.*,
        {{ add_months('calendar.last_complete_month', 1) }} as month_after_the_last
    from customer_months
    inner join calendar on customer_months.order_month <= calendar.last_complete_month

),

final as (

    select
        customer_id,
        order_month as valid_from_month,
        coalesce(
            lead(order_month) over (partition by customer_id order by order_month), month_after_the_last
        ) as valid_until_month,
        last_order_date,
        sum(occasions) over (partition by customer_id order by order_month) as frequency,
        cast(sum(revenue) over (partition by customer_id order by order_month) as decimal(18, 2)) as monetary,
        lag(last_order_date) over (partition by customer_id order by order_month) as earlier_last_order_date,
        sum(occasions) over (partition by customer_id order by order_month) - occasions as earlier_frequency,
        cast(sum(revenue) over (partition by customer_id order by order_month) - revenue as decimal(18, 2))
            as earlier_monetary
    from complete_months

)

select * from final
