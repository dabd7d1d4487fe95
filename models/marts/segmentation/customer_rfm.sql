with orders as (

    select * from {{ ref('fct_orders') }}

),

calendar as (

    select * from {{ ref('int_shop_calendar') }}

),

rfm_segments as (

    select * from {{ ref('rfm_segments') }}

),

customers as (

    select
        customer_id,
        max(order_date) as last_valid_order_date,
        cast(max(customer_occasion_number) as integer) as frequency,
        cast(count(*) as integer) as order_count,
        cast(sum(payment_value) as decimal(18, 2)) as monetary
    from orders
    where is_valid_order and customer_id is not null
    group by customer_id

),

customer_values as (

    select
        customers.customer_id,
        customers.last_valid_order_date,
        cast({{ days_between('customers.last_valid_order_date', 'calendar.as_of_date') }} as integer) as recency_days,
        customers.frequency,
        customers.order_count,
        customers.monetary
    from customers
    cross join calendar

),

-- Scores belong to values, not to people: the windows run over the few distinct values, and equal values cannot part.
recency_counts as (

    select
        recency_days,
        count(*) as customers
    from customer_values
    group by recency_days

),

recency_scores as (

    select
        recency_days,
        6 - {{ fifth('sum(customers) over (order by recency_days)', 'sum(customers) over ()') }} as recency_score
    from recency_counts

),

monetary_counts as (

    select
        monetary,
        count(*) as customers
    from customer_values
    group by monetary

),

monetary_scores as (

    select
        monetary,
        {{ fifth('sum(customers) over (order by monetary)', 'sum(customers) over ()') }} as monetary_score
    from monetary_counts

),

scored as (

    select
        customer_values.*,
        recency_scores.recency_score,
        {{ frequency_score('customer_values.frequency') }} as frequency_score,
        monetary_scores.monetary_score
    from customer_values
    inner join recency_scores on customer_values.recency_days = recency_scores.recency_days
    inner join monetary_scores on customer_values.monetary = monetary_scores.monetary

),

weighted as (

    select
        *,
        {{ rfm_weighted_score('recency_score', 'frequency_score', 'monetary_score') }} as rfm_weighted_score
    from scored

),

final as (

    select
        weighted.customer_id,
        weighted.last_valid_order_date,
        weighted.recency_days,
        weighted.frequency,
        weighted.order_count,
        weighted.monetary,
        weighted.recency_score,
        weighted.frequency_score,
        weighted.monetary_score,
        concat(weighted.recency_score, weighted.frequency_score, weighted.monetary_score) as rfm_cell,
        weighted.rfm_weighted_score,
        rfm_segments.rfm_segment,
        rfm_segments.churn_risk_tier,
        rfm_segments.loyalty_group
    from weighted
    left join rfm_segments
        on
            weighted.recency_score = rfm_segments.recency_score
            and weighted.frequency_score = rfm_segments.frequency_score
            and weighted.monetary_score = rfm_segments.monetary_score

)

select * from final
