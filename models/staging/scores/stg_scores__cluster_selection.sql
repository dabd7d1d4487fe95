select {{ score_columns('cluster_selection') }}
from {{ source('scores', 'cluster_selection') }} as scores
