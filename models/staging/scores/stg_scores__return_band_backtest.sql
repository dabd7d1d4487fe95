select {{ score_columns('return_band_backtest') }}
from {{ source('scores', 'return_band_backtest') }} as scores
