select {{ score_columns('churn_model_metrics') }}
from {{ source('scores', 'churn_model_metrics') }} as scores
