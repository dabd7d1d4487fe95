-- At as_of_date everyone with a valid order before it has features, and so a score to come; nobody else has.
with

features as (

    select customer_id
    from {{ ref('churn_features') }}
    where cutoff_date = as_of_date

),

customers as (

    select customer_id
    from {{ ref('customer_rfm') }}

),

final as (

    select
        features.customer_id as customer_with_features,
        customers.customer_id as customer_with_orders
    from features
    full outer join customers on features.customer_id = customers.customer_id
    where
        features.customer_id is null
        or customers.customer_id is null

)

select * from final
