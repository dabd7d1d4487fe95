with quarantine as (

    select * from {{ source('load', 'quarantine') }}

),

final as (

    select
        source_table,
        source_file,
        line,
        row_key,
        problem,
        reason,
        raw_row
    from quarantine

)

select * from final
