select {{ score_columns('ranking_backtest') }}
from {{ source('scores', 'ranking_backtest') }} as scores
