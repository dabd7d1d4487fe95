with second_occasions as (

    select * from {{ ref('int_second_occasions') }}

),

quarters as (

    select * from {{ ref('retention_by_quarter') }}
    where is_latest_change

),

by_dimension as (

    {% for dimension in ['region', 'category', 'payment_type', 'delivery'] %}
        select
            customer_id,
            acquisition_quarter,
            days_to_second_occasion,
            '{{ dimension }}' as dimension,
            {{ dimension }} as dimension_value
        from second_occasions
        {{ 'union all' if not loop.last }}
    {% endfor %}

),

-- One row per value: the people of the latest quarter, and of the one before it.
counted as (

    select
        quarters.window_days,
        quarters.acquisition_quarter,
        quarters.quarter_name,
        by_dimension.dimension,
        by_dimension.dimension_value,
        sum(case when by_dimension.acquisition_quarter = quarters.acquisition_quarter then 1 else 0 end) as customers,
        sum(case when by_dimension.acquisition_quarter < quarters.acquisition_quarter then 1 else 0 end)
            as previous_customers,
        sum(
            case
                when
                    by_dimension.acquisition_quarter = quarters.acquisition_quarter
                    and by_dimension.days_to_second_occasion <= quarters.window_days
                    then 1
                else 0
            end
        ) as returned,
        sum(
            case
                when
                    by_dimension.acquisition_quarter < quarters.acquisition_quarter
                    and by_dimension.days_to_second_occasion <= quarters.window_days
                    then 1
                else 0
            end
        ) as previous_returned
    from quarters
    inner join by_dimension
        on
            by_dimension.acquisition_quarter
            between {{ add_months('quarters.acquisition_quarter', -3) }} and quarters.acquisition_quarter
    group by
        quarters.window_days,
        quarters.acquisition_quarter,
        quarters.quarter_name,
        by_dimension.dimension,
        by_dimension.dimension_value

),

totals as (

    select
        *,
        sum(customers) over (partition by window_days, dimension) as all_customers,
        sum(previous_customers) over (partition by window_days, dimension) as all_previous_customers,
        sum(returned) over (partition by window_days, dimension) as all_returned,
        sum(previous_returned) over (partition by window_days, dimension) as all_previous_returned
    from counted

),

-- Where a value had nobody in one of the quarters there is one rate only, and all it does is mix.
rates as (

    select
        *,
        cast(customers as double) / all_customers as customer_share,
        cast(previous_customers as double) / all_previous_customers as previous_customer_share,
        cast(returned as double) / nullif(customers, 0) as return_rate,
        cast(previous_returned as double) / nullif(previous_customers, 0) as previous_return_rate,
        (
            cast(all_returned as double) / all_customers
            + cast(all_previous_returned as double) / all_previous_customers
        ) / 2 as overall_rate
    from totals

),

filled as (

    select
        *,
        coalesce(return_rate, previous_return_rate) as known_rate,
        coalesce(previous_return_rate, return_rate) as known_previous_rate
    from rates

),

-- Kitagawa's two parts, each at the mean of the two quarters: together they are the whole change, without a remainder.
final as (

    select
        window_days,
        acquisition_quarter,
        quarter_name,
        dimension,
        dimension_value,
        cast(customers as bigint) as customers,
        cast(previous_customers as bigint) as previous_customers,
        cast(returned as bigint) as returned,
        cast(previous_returned as bigint) as previous_returned,
        {{ rounded('customer_share', 9) }} as customer_share,
        {{ rounded('previous_customer_share', 9) }} as previous_customer_share,
        {{ rounded('return_rate', 9) }} as return_rate,
        {{ rounded('previous_return_rate', 9) }} as previous_return_rate,
        {{ rounded(
            '(customer_share - previous_customer_share) * ((known_rate + known_previous_rate) / 2 - overall_rate)', 9
        ) }} as mix_effect,
        {{ rounded('(known_rate - known_previous_rate) * (customer_share + previous_customer_share) / 2', 9) }}
            as rate_effect
    from filled

)

select * from final
