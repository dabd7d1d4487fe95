{{ scores_of_this_day('cluster_selection', of_a_horizon=false) }}
