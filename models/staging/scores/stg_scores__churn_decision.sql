select {{ score_columns('churn_decision') }}
from {{ source('scores', 'churn_decision') }} as scores
