with

cluster_selection as (

    select * from {{ source('scores', 'cluster_selection') }}

),

calendar as (

    select as_of_date from {{ ref('int_shop_calendar') }}

),

-- What was found out on another day is not passed on.
final as (

    select {{ score_columns('cluster_selection') }}
    from cluster_selection
    cross join calendar
    where cluster_selection.as_of_date = calendar.as_of_date

)

select * from final
