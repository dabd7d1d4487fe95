select {{ score_columns('forecast_calibration') }}
from {{ source('scores', 'forecast_calibration') }} as scores
