{{ affinity_pairs('product_category') }}
