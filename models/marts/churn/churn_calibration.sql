{{ scores_of_this_day('churn_calibration') }}
