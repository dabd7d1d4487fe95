{{ scores_of_this_day('customer_clusters', of_a_horizon=false) }}
