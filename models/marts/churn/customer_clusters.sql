with

customer_clusters as (

    select * from {{ source('scores', 'customer_clusters') }}

),

calendar as (

    select as_of_date from {{ ref('int_shop_calendar') }}

),

-- What was found out on another day is not passed on.
final as (

    select {{ score_columns('customer_clusters') }}
    from customer_clusters
    cross join calendar
    where customer_clusters.as_of_date = calendar.as_of_date

)

select * from final
