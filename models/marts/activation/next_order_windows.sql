{{ next_order_windows() }}
