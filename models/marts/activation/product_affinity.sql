{{ affinity_today('product_id', ref('int_product_pairs')) }}
