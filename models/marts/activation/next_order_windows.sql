with next_orders as (

    select * from {{ ref('int_next_orders') }}
    where standing = 'now'

),

final as (

    select
        customer_id,
        cutoff_date,
        basis,
        gaps,
        last_order_date,
        days_waited,
        usual_gap_days,
        usual_latest_date,
        is_overdue,
        median_next_order_date,
        four_fifths_next_order_date,
        order_probability_7_days,
        order_probability_30_days,
        order_probability_90_days
    from next_orders

)

select * from final
