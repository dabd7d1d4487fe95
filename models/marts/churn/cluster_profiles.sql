{{ scores_of_this_day('cluster_profiles', of_a_horizon=false) }}
