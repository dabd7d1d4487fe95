with

churn_feature_effects as (

    select * from {{ source('scores', 'churn_feature_effects') }}

),

calendar as (

    select as_of_date from {{ ref('int_shop_calendar') }}

),

-- What was found out on another day or for another horizon is not passed on.
final as (

    select {{ score_columns('churn_feature_effects') }}
    from churn_feature_effects
    cross join calendar
    where
        churn_feature_effects.as_of_date = calendar.as_of_date
        and churn_feature_effects.horizon_days = {{ var('churn_horizon_days') }}

)

select * from final
