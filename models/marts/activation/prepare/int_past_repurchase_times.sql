{{ repurchase_times(days_back=var('recommendation_test_days')) }}
