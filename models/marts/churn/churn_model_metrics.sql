with

churn_model_metrics as (

    select * from {{ source('scores', 'churn_model_metrics') }}

),

calendar as (

    select as_of_date from {{ ref('int_shop_calendar') }}

),

-- What was found out on another day or for another horizon is not passed on.
final as (

    select {{ score_columns('churn_model_metrics') }}
    from churn_model_metrics
    cross join calendar
    where
        churn_model_metrics.as_of_date = calendar.as_of_date
        and churn_model_metrics.horizon_days = {{ var('churn_horizon_days') }}

)

select * from final
