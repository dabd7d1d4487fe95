with customers as (

    select * from {{ ref('customer_rfm') }}

),

segment_history as (

    select * from {{ ref('segment_history') }}

),

calendar as (

    select * from {{ ref('int_shop_calendar') }}

),

-- On the first of a month the month end before it is today's standing: what has changed is seen from the one before.
earlier_month_end as (

    select max(segment_history.month_end) as month_end
    from segment_history
    cross join calendar
    where {{ days_between('segment_history.month_end', 'calendar.as_of_date') }} > 1

),

earlier_segments as (

    select
        segment_history.customer_id,
        segment_history.rfm_segment
    from segment_history
    inner join earlier_month_end on segment_history.month_end = earlier_month_end.month_end

),

final as (

    select
        customers.customer_id,
        earlier_month_end.month_end as since_month_end,
        case
            when earlier_month_end.month_end is null then null
            else coalesce(earlier_segments.rfm_segment, 'not_yet_a_customer')
        end as earlier_rfm_segment,
        customers.rfm_segment,
        customers.monetary
    from customers
    cross join earlier_month_end
    left join earlier_segments on customers.customer_id = earlier_segments.customer_id

)

select * from final
