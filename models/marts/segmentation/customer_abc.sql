with customers as (

    select * from {{ ref('customer_rfm') }}

),

-- A total order and a ROWS frame: of two equal customers on the line, the same one crosses it every time.
cumulated as (

    select
        customer_id,
        monetary as revenue,
        cast(
            coalesce(
                sum(monetary) over (
                    order by monetary desc, customer_id asc
                    rows between unbounded preceding and 1 preceding
                ),
                0
            ) as decimal(28, 2)
        ) as revenue_before,
        cast(sum(monetary) over () as decimal(28, 2)) as total_revenue
    from customers

),

final as (

    select
        customer_id,
        revenue,
        {{ ratio('revenue_before', 'total_revenue') }} as cumulative_share_before,
        {{ abc_class('revenue', 'revenue_before', 'total_revenue') }} as abc_class
    from cumulated

)

select * from final
