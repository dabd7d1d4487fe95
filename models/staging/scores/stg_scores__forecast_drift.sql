select {{ score_columns('forecast_drift') }}
from {{ source('scores', 'forecast_drift') }} as scores
