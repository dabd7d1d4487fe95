with quarantine as (

    select * from {{ source('load', 'quarantine') }}

),

final as (

    select
        cast(source_table as varchar) as source_table,
        cast(source_file as varchar) as source_file,
        cast(line as bigint) as line,
        cast(row_key as varchar) as row_key,
        cast(reason as varchar) as reason,
        cast(raw_row as varchar) as raw_row
    from quarantine

)

select * from final
