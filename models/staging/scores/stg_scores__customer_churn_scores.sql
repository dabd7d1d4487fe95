select {{ score_columns('customer_churn_scores') }}
from {{ source('scores', 'customer_churn_scores') }} as scores
