with quarantine as (

    select * from {{ source('load', 'quarantine') }}

),

final as (

    select
        cast(source_table as string) as source_table,
        cast(source_file as string) as source_file,
        cast(line as bigint) as line,
        cast(row_key as string) as row_key,
        cast(problem as string) as problem,
        cast(reason as string) as reason,
        cast(raw_row as string) as raw_row
    from quarantine

)

select * from final
