-- 15 codes of customers, 9 and `insufficient_history` of products: each described once, and no code that nothing can
-- have.
with descriptions as (

    select * from {{ ref('abc_xyz_descriptions') }}

),

abc as (

    select 'A' as abc_class
    union all
    select 'B' as abc_class
    union all
    select 'C' as abc_class

),

xyz as (

    select 'X' as xyz_class
    union all
    select 'Y' as xyz_class
    union all
    select 'Z' as xyz_class

),

codes as (

    select
        'product' as scope,
        abc.abc_class || '_' || xyz.xyz_class as abc_xyz_segment
    from abc
    cross join xyz

    union all

    select
        'customer' as scope,
        abc.abc_class || '_' || xyz.xyz_class as abc_xyz_segment
    from abc
    cross join xyz

    union all

    select
        'customer' as scope,
        abc_class || '_two_purchases' as abc_xyz_segment
    from abc

    union all

    select
        'customer' as scope,
        abc_class || '_single_purchase' as abc_xyz_segment
    from abc

    union all

    select
        'product' as scope,
        'insufficient_history' as abc_xyz_segment

),

final as (

    select
        coalesce(codes.scope, descriptions.scope) as scope,
        coalesce(codes.abc_xyz_segment, descriptions.abc_xyz_segment) as abc_xyz_segment,
        count(*) as occurrences
    from codes
    full outer join descriptions
        on
            codes.scope = descriptions.scope
            and codes.abc_xyz_segment = descriptions.abc_xyz_segment
    group by
        coalesce(codes.scope, descriptions.scope),
        coalesce(codes.abc_xyz_segment, descriptions.abc_xyz_segment)
    having count(*) > 1 or count(codes.scope) = 0 or count(descriptions.scope) = 0

)

select * from final {{ unless_dry_run() }}
