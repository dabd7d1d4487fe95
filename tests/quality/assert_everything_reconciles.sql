-- From the raw files to the marts, no row, person or cent is lost or counted twice.
select
    step,
    check_name,
    expected,
    actual
from {{ ref('reconciliation') }}
where not is_ok
