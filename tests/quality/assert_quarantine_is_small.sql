-- More of a table is in quarantine than the setting allows: another export than the contract knows, not a few bad rows.
with load_summary as (

    select * from {{ source('load', 'load_summary') }}

),

shares as (

    select
        source_table,
        sum(raw_rows) as raw_rows,
        sum(quarantined_rows) as quarantined_rows
    from load_summary
    group by source_table

)

select * from shares
where quarantined_rows > {{ var('max_quarantined_share') }} * raw_rows
