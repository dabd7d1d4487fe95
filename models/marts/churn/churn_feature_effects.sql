{{ scores_of_this_day('churn_feature_effects') }}
