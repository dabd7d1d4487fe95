with customer_rfm as (

    select * from {{ ref('customer_rfm') }}

),

customer_abc as (

    select * from {{ ref('customer_abc') }}

),

customer_xyz as (

    select * from {{ ref('customer_xyz') }}

),

descriptions as (

    select * from {{ ref('abc_xyz_descriptions') }}
    where scope = 'customer'

),

joined as (

    select
        customer_rfm.customer_id,
        customer_rfm.recency_days,
        customer_rfm.frequency,
        customer_rfm.order_count,
        customer_rfm.monetary,
        customer_rfm.recency_score,
        customer_rfm.frequency_score,
        customer_rfm.monetary_score,
        customer_rfm.rfm_cell,
        customer_rfm.rfm_weighted_score,
        customer_rfm.rfm_segment,
        customer_rfm.churn_risk_tier,
        customer_rfm.loyalty_group,
        customer_abc.cumulative_share_before,
        customer_abc.abc_class,
        customer_xyz.mean_order_value,
        customer_xyz.order_value_cv,
        customer_xyz.xyz_class,
        customer_abc.abc_class || '_' || customer_xyz.xyz_class as abc_xyz_segment
    from customer_rfm
    inner join customer_abc on customer_rfm.customer_id = customer_abc.customer_id
    inner join customer_xyz on customer_rfm.customer_id = customer_xyz.customer_id

),

final as (

    select
        joined.*,
        descriptions.description_en,
        descriptions.description_ru
    from joined
    left join descriptions on joined.abc_xyz_segment = descriptions.abc_xyz_segment

)

select * from final
