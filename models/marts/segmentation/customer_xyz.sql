with orders as (

    select * from {{ ref('fct_orders') }}

),

-- Squares of money need 4 decimals and more than 18 digits.
summed as (

    select
        customer_id,
        count(*) as order_count,
        max(customer_occasion_number) as occasion_count,
        cast(sum(payment_value) as decimal(28, 2)) as value_sum,
        cast(sum(cast(payment_value as decimal(28, 2)) * payment_value) as decimal(38, 4)) as value_square_sum
    from orders
    where is_valid_order and customer_id is not null
    group by customer_id

),

varied as (

    select
        *,
        {{ coefficient_of_variation('order_count', 'value_sum', 'value_square_sum') }} as order_value_cv
    from summed

),

final as (

    select
        customer_id,
        cast(order_count as integer) as valid_order_count,
        cast(occasion_count as integer) as occasion_count,
        {{ ratio('value_sum', 'order_count') }} as mean_order_value,
        order_value_cv,
        case
            when occasion_count < 2 then 'single_purchase'
            when occasion_count = 2 then 'two_purchases'
            else {{ xyz_class('order_value_cv', var('customer_xyz_x_max_cv'), var('customer_xyz_y_max_cv')) }}
        end as xyz_class
    from varied

)

select * from final
