{{ affinity_today('product_category', ref('int_category_pairs')) }}
