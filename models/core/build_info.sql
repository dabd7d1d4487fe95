with calendar as (

    select * from {{ ref('int_shop_calendar') }}

),

load_summary as (

    select * from {{ source('load', 'load_summary') }}

),

guest_orders as (

    select count(*) - count(customer_id) as orders
    from {{ ref('int_orders') }}

),

raw_rows as (

    select
        {% for table in raw_tables() -%}
            sum(case when source_table = '{{ table }}' then raw_rows else 0 end) as raw_{{ table }},
        {% endfor -%}
        sum(quarantined_rows) as quarantined_rows
    from load_summary

),

-- Of all columns only built_at may differ between two builds of the same files.
final as (

    select
        cast('{{ run_started_at.strftime("%Y-%m-%d %H:%M:%S") }}' as timestamp) as built_at,
        calendar.as_of_date,
        calendar.data_until,
        calendar.last_complete_month,
        calendar.later_orders,
        cast(guest_orders.orders as bigint) as orders_without_person,
        cast({{ var('churn_horizon_days') }} as integer) as churn_horizon_days,
        cast('{{ dbt_version }}' as string) as dbt_version,
        cast({{ engine_version() }} as string) as duckdb_version,
        {% for table in raw_tables() -%}
            cast(coalesce(raw_rows.raw_{{ table }}, 0) as bigint) as raw_{{ table }},
        {% endfor -%}
        cast(coalesce(raw_rows.quarantined_rows, 0) as bigint) as quarantined_rows
    from calendar
    cross join raw_rows
    cross join guest_orders

)

select * from final
