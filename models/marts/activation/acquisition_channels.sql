with orders as (

    select * from {{ ref('fct_orders') }}
    where is_valid_order and customer_id is not null

),

order_channels as (

    select * from {{ ref('stg_olist__order_channels') }}

),

acquisition_costs as (

    select
        {{ month_of('cost_month') }} as acquired_month,
        lower(channel) as channel,
        cost_value
    from {{ ref('stg_olist__acquisition_costs') }}

),

calendar as (

    select * from {{ ref('int_shop_calendar') }}

),

-- Without a word on any order's channel nothing is known, not even of what was spent.
known as (

    select count(*) as channels
    from order_channels

),

first_orders as (

    select
        orders.customer_id,
        orders.order_date,
        orders.order_month as acquired_month,
        coalesce(order_channels.channel, 'unknown') as channel
    from orders
    cross join known
    left join order_channels on orders.order_id = order_channels.order_id
    where orders.customer_order_number = 1 and known.channels > 0

),

won as (

    select
        first_orders.acquired_month,
        first_orders.channel,
        count(distinct first_orders.customer_id) as new_customers,
        sum(
            case
                when {{ days_between('first_orders.order_date', 'orders.order_date') }} <= 90
                    then orders.payment_value
                else 0
            end
        ) as revenue_90,
        sum(
            case
                when {{ days_between('first_orders.order_date', 'orders.order_date') }} <= 365
                    then orders.payment_value
                else 0
            end
        ) as revenue_365
    from first_orders
    inner join orders on first_orders.customer_id = orders.customer_id
    group by 1, 2

),

spent as (

    select
        acquisition_costs.acquired_month,
        acquisition_costs.channel,
        sum(acquisition_costs.cost_value) as acquisition_cost
    from acquisition_costs
    cross join calendar
    cross join known
    where acquisition_costs.acquired_month < calendar.as_of_date and known.channels > 0
    group by 1, 2

),

channel_months as (

    select
        coalesce(won.acquired_month, spent.acquired_month) as acquired_month,
        coalesce(won.channel, spent.channel) as channel,
        coalesce(won.new_customers, 0) as new_customers,
        spent.acquisition_cost,
        won.revenue_90,
        won.revenue_365
    from won
    full outer join spent on won.acquired_month = spent.acquired_month and won.channel = spent.channel

),

dated as (

    select
        channel_months.*,
        {{ days_between(add_months('channel_months.acquired_month', 1), 'calendar.as_of_date') }} as days_since_month
    from channel_months
    cross join calendar

),

-- A horizon counts once it has passed for whoever came on the last day of the month.
seen as (

    select
        acquired_month,
        channel,
        new_customers,
        acquisition_cost,
        case
            when days_since_month >= 90 then coalesce(revenue_90, 0)
        end as revenue_90,
        case
            when days_since_month >= 365 then coalesce(revenue_365, 0)
        end as revenue_365
    from dated

),

judged as (

    select
        seen.*,
        case
            when seen.new_customers = 0 then 'cost_without_customers'
            when seen.acquisition_cost is null then 'no_cost_given'
            when seen.revenue_90 >= seen.acquisition_cost then 'paid_back_in_90_days'
            when seen.revenue_365 >= seen.acquisition_cost then 'paid_back_in_365_days'
            when seen.revenue_365 < seen.acquisition_cost then 'not_paid_back'
            else 'not_paid_back_yet'
        end as verdict
    from seen

),

final as (

    select
        acquired_month,
        cast(channel as string) as channel,
        cast(new_customers as bigint) as new_customers,
        cast(acquisition_cost as decimal(18, 2)) as acquisition_cost,
        {{ ratio('acquisition_cost', 'new_customers', 4) }} as cost_per_new_customer,
        cast(revenue_90 as decimal(18, 2)) as revenue_90_days,
        {{ ratio('revenue_90', 'new_customers', 4) }} as revenue_per_customer_90_days,
        {{ ratio('revenue_90', 'acquisition_cost', 6) }} as revenue_to_cost_90_days,
        cast(revenue_365 as decimal(18, 2)) as revenue_365_days,
        {{ ratio('revenue_365', 'new_customers', 4) }} as revenue_per_customer_365_days,
        {{ ratio('revenue_365', 'acquisition_cost', 6) }} as revenue_to_cost_365_days,
        cast(verdict as string) as verdict,
        cast(
            case verdict
                when 'cost_without_customers' then 'Money was spent, and no new customer came'
                when 'no_cost_given' then 'No cost is given'
                when 'paid_back_in_90_days' then 'Paid back within 90 days'
                when 'paid_back_in_365_days' then 'Paid back within 365 days'
                when 'not_paid_back' then 'Not paid back within 365 days'
                else 'Not paid back yet'
            end as string
        ) as verdict_en,
        cast(
            case verdict
                when 'cost_without_customers' then 'Деньги потрачены, новых клиентов нет'
                when 'no_cost_given' then 'Расходы не указаны'
                when 'paid_back_in_90_days' then 'Окупилось за 90 дней'
                when 'paid_back_in_365_days' then 'Окупилось за 365 дней'
                when 'not_paid_back' then 'Не окупилось за 365 дней'
                else 'Пока не окупилось'
            end as string
        ) as verdict_ru
    from judged

)

select * from final
