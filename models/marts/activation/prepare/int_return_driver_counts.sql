{{ return_driver_counts() }}
