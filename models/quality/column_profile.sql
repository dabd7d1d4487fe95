with {{ all_column_profile_ctes() }},

all_columns as (

    {{ column_profile_union() }}

),

final as (

    select
        source_table,
        column_number,
        column_name,
        row_count,
        cast(row_count - filled_value as bigint) as null_count,
        {{ ratio('row_count - filled_value', 'row_count') }} as null_share,
        cast(distinct_value as bigint) as distinct_count,
        min_value,
        max_value,
        row_count > 0 and row_count - filled_value > {{ var('mostly_empty_min_share') }} * row_count as is_mostly_empty
    from all_columns

)

select * from final
