with customers as (

    select * from {{ ref('customer_segment_changes') }}

),

final as (

    select
        since_month_end,
        earlier_rfm_segment as from_segment,
        rfm_segment as to_segment,
        earlier_rfm_segment <> rfm_segment as has_changed,
        count(*) as customers,
        cast(sum(monetary) as decimal(18, 2)) as revenue
    from customers
    where since_month_end is not null
    group by since_month_end, earlier_rfm_segment, rfm_segment

)

select * from final
