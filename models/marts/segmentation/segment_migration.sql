with segment_history as (

    select * from {{ ref('segment_history') }}

),

moves as (

    select
        month_end,
        previous_rfm_segment as from_segment,
        rfm_segment as to_segment,
        count(*) as customers
    from segment_history
    group by month_end, previous_rfm_segment, rfm_segment

),

final as (

    select
        month_end,
        from_segment,
        to_segment,
        customers,
        {{ ratio('customers', 'sum(customers) over (partition by month_end, from_segment)') }} as share_of_from_segment
    from moves

)

select * from final
