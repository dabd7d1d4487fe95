select {{ score_columns('churn_feature_effects') }}
from {{ source('scores', 'churn_feature_effects') }} as scores
