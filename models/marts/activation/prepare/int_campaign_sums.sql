with outcomes as (

    select * from {{ ref('int_campaign_outcomes') }}

),

-- Sums of decimals, which no order of rows changes.
final as (

    select
        launch_id,
        arm,
        is_over,
        count(*) as people,
        count(first_exported_at) as people_written_to,
        count(first_event_at) as people_reached,
        sum(opened) as people_who_opened,
        sum(clicked) as people_who_clicked,
        sum(returned) as returned,
        cast(sum(revenue) as double) as revenue,
        cast(sum(revenue * revenue) as double) as revenue_squared,
        cast(sum(revenue_before) as double) as revenue_before,
        cast(sum(revenue_before * revenue_before) as double) as revenue_before_squared,
        cast(sum(revenue * revenue_before) as double) as revenue_product
    from outcomes
    group by 1, 2, 3

)

select * from final
