with

cluster_profiles as (

    select * from {{ source('scores', 'cluster_profiles') }}

),

calendar as (

    select as_of_date from {{ ref('int_shop_calendar') }}

),

-- What was found out on another day is not passed on.
final as (

    select {{ score_columns('cluster_profiles') }}
    from cluster_profiles
    cross join calendar
    where cluster_profiles.as_of_date = calendar.as_of_date

)

select * from final
