{{ next_order_windows(days_back=90) }}
