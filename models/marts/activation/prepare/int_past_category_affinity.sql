{{ affinity_pairs('product_category', days_back=var('recommendation_test_days')) }}
