with

churn_calibration as (

    select * from {{ source('scores', 'churn_calibration') }}

),

calendar as (

    select as_of_date from {{ ref('int_shop_calendar') }}

),

-- What was found out on another day or for another horizon is not passed on.
final as (

    select {{ score_columns('churn_calibration') }}
    from churn_calibration
    cross join calendar
    where
        churn_calibration.as_of_date = calendar.as_of_date
        and churn_calibration.horizon_days = {{ var('churn_horizon_days') }}

)

select * from final
