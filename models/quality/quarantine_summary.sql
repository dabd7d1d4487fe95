with quarantine as (

    select * from {{ ref('quarantine') }}

),

-- Fixed words only: a complaint quotes the cell, which may be anybody's text.
sorted_out as (

    select
        source_table,
        case
            when reason like '%: missing%' then 'a required cell is missing'
            when reason like '%: cannot read %' then 'a cell cannot be read'
            when reason like '%: there is no such row in %' then 'the row it belongs to is missing'
            when reason like '%rows of this file have this key and disagree%' then 'rows of one key disagree'
            when reason like '% is none of %' then 'a value outside the list'
            when reason like '% is below %' or reason like '% is above %' then 'a value outside its range'
            else 'the line is broken'
        end as problem
    from quarantine

),

counted as (

    select
        source_table,
        problem,
        count(*) as rejected_rows
    from sorted_out
    group by source_table, problem

),

raw_tables as (

    {% for name in raw_table_names() %}
        select '{{ name }}' as source_table
        {{ 'union all' if not loop.last }}
    {% endfor %}

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
