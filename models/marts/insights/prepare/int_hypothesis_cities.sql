with customers as (

    select * from {{ ref('int_hypothesis_customers') }}

),

final as (

    select
        state,
        city,
        count(*) as customers,
        count(mean_item_price) as priced_customers,
        {{ median_of('mean_item_price') }} as median_item_price
    from customers
    where city is not null
    group by 1, 2

)

select * from final
