{{ scores_of_this_day('ranking_backtest') }}
