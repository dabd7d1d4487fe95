{{ affinity_pairs('product_id') }}
