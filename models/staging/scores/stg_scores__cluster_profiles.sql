select {{ score_columns('cluster_profiles') }}
from {{ source('scores', 'cluster_profiles') }} as scores
