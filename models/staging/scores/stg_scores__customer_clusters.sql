select {{ score_columns('customer_clusters') }}
from {{ source('scores', 'customer_clusters') }} as scores
