with quarantine as (

    select * from {{ ref('quarantine') }}

),

load_summary as (

    select * from {{ source('load', 'load_summary') }}

),

counted as (

    select
        source_table,
        problem,
        count(*) as rejected_rows
    from quarantine
    group by source_table, problem

),

-- A table that a shop does not have is listed too.
raw_tables as (

    select distinct source_table
    from load_summary

),

final as (

    select
        raw_tables.source_table,
        cast(coalesce(counted.problem, 'none') as string) as problem,
        cast(coalesce(counted.rejected_rows, 0) as bigint) as rejected_rows
    from raw_tables
    left join counted on raw_tables.source_table = counted.source_table

)

select * from final
