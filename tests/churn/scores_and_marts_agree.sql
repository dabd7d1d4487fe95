-- The aggregated marts count the customers of customer_360, each once, and add up to its money.
with

customers as (

    select
        count(*) as customers,
        count(churn_probability) as scored_customers,
        coalesce(sum(value_at_risk), 0) as value_at_risk
    from {{ ref('customer_360') }}

),

summary as (

    select
        coalesce(sum(customers), 0) as customers,
        coalesce(sum(scored_customers), 0) as scored_customers,
        coalesce(sum(value_at_risk), 0) as value_at_risk
    from {{ ref('churn_summary') }}

),

distribution as (

    select
        coalesce(sum(customers), 0) as customers,
        coalesce(sum(value_at_risk), 0) as value_at_risk
    from {{ ref('churn_distribution') }}

),

first_reasons as (

    select coalesce(sum(first_reason_customers), 0) as customers
    from {{ ref('churn_reasons') }}

),

final as (

    select
        customers.customers,
        summary.customers as customers_in_summary,
        distribution.customers as customers_in_distribution,
        first_reasons.customers as customers_with_a_reason
    from customers
    cross join summary
    cross join distribution
    cross join first_reasons
    where
        customers.customers <> summary.customers
        or customers.scored_customers <> summary.scored_customers
        or customers.value_at_risk <> summary.value_at_risk
        or customers.scored_customers <> distribution.customers
        or customers.value_at_risk <> distribution.value_at_risk
        or first_reasons.customers > customers.scored_customers
)

select * from final
