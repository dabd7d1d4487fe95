{{ repurchase_times() }}
