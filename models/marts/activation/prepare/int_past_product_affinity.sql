{{ affinity_pairs('product_id', days_back=var('recommendation_test_days')) }}
