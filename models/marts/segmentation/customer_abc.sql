with customers as (

    select * from {{ ref('customer_rfm') }}

),

-- What was paid by those who paid more: of equal customers none is above the other, so they share a class.
cumulated as (

    select
        customer_id,
        monetary as revenue,
        {{ sum_of_larger('monetary') }} as revenue_before,
        cast(sum(monetary) over () as decimal(28, 2)) as total_revenue
    from customers

),

final as (

    select
        customer_id,
        revenue,
        {{ ratio('least(revenue_before, total_revenue)', 'total_revenue') }} as cumulative_share_before,
        {{ abc_class('revenue', 'revenue_before', 'total_revenue') }} as abc_class
    from cumulated

)

select * from final
