with

churn_decision as (

    select * from {{ source('scores', 'churn_decision') }}

),

calendar as (

    select as_of_date from {{ ref('int_shop_calendar') }}

),

-- What was found out on another day or for another horizon is not passed on.
final as (

    select {{ score_columns('churn_decision') }}
    from churn_decision
    cross join calendar
    where
        churn_decision.as_of_date = calendar.as_of_date
        and churn_decision.horizon_days = {{ var('churn_horizon_days') }}

)

select * from final
