select {{ score_columns('churn_calibration') }}
from {{ source('scores', 'churn_calibration') }} as scores
