{{ scores_of_this_day('forecast_drift') }}
