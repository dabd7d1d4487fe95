with members as (

    select * from {{ ref('stg_campaigns__members') }}

),

sums as (

    select * from {{ ref('int_campaign_sums') }}

),

calendar as (

    select * from {{ ref('int_shop_calendar') }}

),

launches as (

    select
        launch_id,
        min(audience) as audience,
        min(channel) as channel,
        min(launched_at) as launched_at,
        min(starts_on) as starts_on,
        min(ends_on) as ends_on,
        min(condition) as condition,
        min(control_share) as control_share,
        min(stratified_by) as stratified_by,
        min(contact_cost) as contact_cost,
        min(expected_return_rate) as expected_return_rate,
        min(planned_difference) as planned_difference
    from members
    group by 1

),

arms as (

    select
        launch_id,
        sum(case when arm = 'treated' then people else 0 end) as treated_people,
        sum(case when arm = 'control' then people else 0 end) as control_people,
        sum(case when arm = 'global_control' then people else 0 end) as global_control_people,
        sum(people_written_to) as people_written_to,
        sum(case when arm <> 'treated' then people_written_to else 0 end) as held_out_people_written_to
    from sums
    group by 1

),

-- Nothing reported is not nobody reached.
reports as (

    select
        launch_id,
        sum(people_reached) as people_reached,
        sum(people_who_opened) as people_who_opened,
        sum(people_who_clicked) as people_who_clicked,
        sum(case when arm <> 'treated' then people_reached else 0 end) as held_out_people_reached
    from sums
    group by 1
    having sum(people_reached) > 0

),

final as (

    select
        launches.launch_id,
        launches.audience,
        launches.channel,
        launches.launched_at,
        launches.starts_on,
        launches.ends_on,
        calendar.as_of_date >= launches.ends_on as is_over,
        cast(greatest({{ days_between('calendar.as_of_date', 'launches.ends_on') }}, 0) as integer) as days_left,
        launches.condition,
        launches.control_share,
        launches.stratified_by,
        launches.expected_return_rate,
        launches.planned_difference,
        cast(arms.treated_people as bigint) as treated_people,
        cast(arms.control_people as bigint) as control_people,
        cast(arms.global_control_people as bigint) as global_control_people,
        cast(arms.people_written_to as bigint) as people_written_to,
        cast(arms.held_out_people_written_to as bigint) as held_out_people_written_to,
        cast(reports.people_reached as bigint) as people_reached,
        cast(reports.people_who_opened as bigint) as people_who_opened,
        cast(reports.people_who_clicked as bigint) as people_who_clicked,
        cast(reports.held_out_people_reached as bigint) as held_out_people_reached,
        cast(launches.contact_cost * arms.people_written_to as decimal(18, 2)) as cost  -- noqa: RF04
    from launches
    cross join calendar
    inner join arms on launches.launch_id = arms.launch_id
    left join reports on launches.launch_id = reports.launch_id

)

select * from final
