-- More of a table is in quarantine than the setting allows: another export than the contract knows, not a few bad rows.
-- Lines that are no rows, such as the column names again, are no loss.
with load_summary as (

    select * from {{ source('load', 'load_summary') }}

),

quarantine as (

    select * from {{ ref('quarantine') }}

),

raw_totals as (

    select
        source_table,
        sum(raw_rows) as raw_rows
    from load_summary
    group by source_table

),

lost as (

    select
        source_table,
        count(*) as lost_rows
    from quarantine
    where problem not in ('the line is no row', 'a survey without an answer')
    group by source_table

)

select
    raw_totals.source_table,
    raw_totals.raw_rows,
    lost.lost_rows
from raw_totals
inner join lost on raw_totals.source_table = lost.source_table
where lost.lost_rows > {{ var('max_quarantined_share') }} * raw_totals.raw_rows
