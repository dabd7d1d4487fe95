with retention as (

    select * from {{ ref('retention_by_quarter') }}
    where is_latest_change and window_days = 60

),

change_parts as (

    select
        dimension,
        sum(mix_effect) as mix_effect,
        sum(rate_effect) as rate_effect
    from {{ ref('retention_change_parts') }}
    where window_days = 60
    group by dimension

),

came_back as (

    select * from {{ ref('second_order_survival') }}
    where days_since_first_order = 90

),

months as (

    select * from {{ ref('monthly_sales') }}
    where is_complete_month

),

segments as (

    select
        sum(customers) as customers,
        sum(repeat_customers) as repeat_customers,
        sum(revenue) as revenue,
        sum(case when rfm_segment in ('Champions', 'Loyal') then customers else 0 end) as best_customers,
        sum(case when rfm_segment in ('Champions', 'Loyal') then revenue else 0 end) as best_revenue
    from {{ ref('segment_summary') }}

),

shop as (

    select * from {{ ref('shop') }}

),

churn_summary as (

    select * from {{ ref('churn_summary') }}

),

churn as (

    select
        max(churn_summary.horizon_days) as horizon_days,
        sum(churn_summary.scored_customers) as scored_customers,
        sum(churn_summary.value_at_risk) as value_at_risk,
        sum(churn_summary.expected_revenue) as expected_revenue,
        sum(churn_summary.expected_orders) as expected_orders,
        max(shop.currency_symbol) as currency_symbol
    from churn_summary
    cross join shop

),

states as (

    select
        customer_state_name,
        customers,
        sum(customers) over () as all_customers,
        row_number() over (order by customers desc, customer_state_name asc) as place
    from {{ ref('state_demand') }}

),

deliveries as (

    select
        order_month,
        sum(late_orders) as late_orders,
        sum(delivered_orders) as delivered_orders,
        sum(review_score_sum) as review_score_sum,
        sum(reviewed_orders) as reviewed_orders
    from {{ ref('delivery_performance') }}
    group by order_month

),

categories as (

    select
        count(*) as categories,
        sum(case when abc_class = 'A' then 1 else 0 end) as best_categories,
        sum(case when abc_class = 'A' then revenue else 0 end) as best_revenue,
        sum(revenue) as revenue
    from {{ ref('category_abc_xyz') }}

),

hypotheses as (

    select
        count(*) as claims,
        sum(case when verdict = 'supported' then 1 else 0 end) as supported,
        sum(case when verdict in ('negligible', 'rejected') then 1 else 0 end) as not_supported,
        sum(case when agrees_with_study is not null then 1 else 0 end) as comparable,
        sum(case when agrees_with_study then 1 else 0 end) as agreed
    from {{ ref('hypothesis_results') }}

),

build as (

    select * from {{ ref('build_info') }}

),

-- Those before the day the warehouse looks from; the files may hold later ones.
orders_seen as (

    select count(*) as orders from {{ ref('fct_orders') }}

),

-- The last complete month beside the month before it and the same month a year ago.
sales as (

    select
        months.order_month,
        months.revenue,
        shop.currency_symbol,
        cast(months.revenue as double) / nullif(cast(month_before.revenue as double), 0) - 1 as since_month_before,
        cast(months.revenue as double) / nullif(cast(year_before.revenue as double), 0) - 1 as since_year_before
    from build
    inner join months on build.last_complete_month = months.order_month
    cross join shop
    left join months as month_before on {{ add_months('months.order_month', -1) }} = month_before.order_month
    left join months as year_before on {{ add_months('months.order_month', -12) }} = year_before.order_month

),

service as (

    select
        deliveries.order_month,
        cast(deliveries.late_orders as double) / nullif(deliveries.delivered_orders, 0) as late_share,
        cast(year_before.late_orders as double) / nullif(year_before.delivered_orders, 0) as late_share_year_before,
        cast(deliveries.review_score_sum as double) / nullif(deliveries.reviewed_orders, 0) as mean_score
    from build
    inner join deliveries on build.last_complete_month = deliveries.order_month
    left join deliveries as year_before on {{ add_months('deliveries.order_month', -12) }} = year_before.order_month

),

-- Joined with ||, not with concat(), which passes over NULL on one engine: a sentence lacking a number is left out.
sentences as (

    {% for page in ['shop_overview', 'cohorts'] %}
        select
            '{{ page }}' as page,
            1 as sentence_order,
            (
                'Retention: of the people who first bought in '
                || {{ quarter_text('acquisition_quarter', 'en') }}
                || ', '
                || {{ percent_text('return_rate', 'en', 2) }}
                || ' % came back within 60 days, against '
                || {{ percent_text('previous_return_rate', 'en', 2) }}
                || ' % a quarter before: '
                || {{ verdict_text('verdict', 'en') }}
                || ' ('
                || {{ percent_text('rate_change', 'en', 2, true) }}
                || ' points, 95 % interval '
                || {{ percent_text('rate_change_low', 'en', 2, true) }}
                || ' to '
                || {{ percent_text('rate_change_high', 'en', 2, true) }}
                || ').'
            ) as sentence_en,
            (
                'Удержание: из впервые купивших ('
                || {{ quarter_text('acquisition_quarter', 'ru') }}
                || ') за 60 дней вернулись '
                || {{ percent_text('return_rate', 'ru', 2) }}
                || ' %, кварталом ранее — '
                || {{ percent_text('previous_return_rate', 'ru', 2) }}
                || ' %: '
                || {{ verdict_text('verdict', 'ru') }}
                || ' ('
                || {{ percent_text('rate_change', 'ru', 2, true) }}
                || ' п. п., 95 % интервал от '
                || {{ percent_text('rate_change_low', 'ru', 2, true) }}
                || ' до '
                || {{ percent_text('rate_change_high', 'ru', 2, true) }}
                || ').'
            ) as sentence_ru
        from retention
        union all
    {% endfor %}
    select
        'shop_overview' as page,
        2 as sentence_order,
        (
            'Sales: '
            || {{ month_text('order_month', 'en') }}
            || ' brought '
            || {{ money_text('revenue', 'en') }}
            || coalesce(
                (
                    ', '
                    || {{ percent_text('since_month_before', 'en', 1, true) }}
                    || ' % on the month before'
                ), ''
            )
            || coalesce((', ' || {{ percent_text('since_year_before', 'en', 1, true) }} || ' % on a year before'), '')
            || '.'
        ) as sentence_en,
        (
            'Продажи: '
            || {{ month_text('order_month', 'ru') }}
            || ' — '
            || {{ money_text('revenue', 'ru') }}
            || coalesce(
                (
                    ', '
                    || {{ percent_text('since_month_before', 'ru', 1, true) }}
                    || ' % к предыдущему месяцу'
                ), ''
            )
            || coalesce(
                (
                    ', '
                    || {{ percent_text('since_year_before', 'ru', 1, true) }}
                    || ' % к тому же месяцу год назад'
                ), ''
            )
            || '.'
        ) as sentence_ru
    from sales
    union all
    select
        'cohorts' as page,
        2 as sentence_order,
        (
            'Of this change, a different mix of '
            || case dimension
                when 'region' then 'regions' when 'category' then 'first categories'
                when 'payment_type' then 'payment types' else 'deliveries on time and late'
            end
            || ' makes '
            || {{ percent_text('mix_effect', 'en', 2, true) }}
            || ' points, and other rates within them '
            || {{ percent_text('rate_effect', 'en', 2, true) }}
            || '.'
        ) as sentence_en,
        (
            'Из этого изменения '
            || {{ percent_text('mix_effect', 'ru', 2, true) }}
            || ' п. п. — сдвиг в составе '
            || case dimension
                when 'region' then 'регионов' when 'category' then 'первых категорий'
                when 'payment_type' then 'способов оплаты' else 'доставок в срок и с опозданием'
            end
            || ', '
            || {{ percent_text('rate_effect', 'ru', 2, true) }}
            || ' п. п. — сама возвращаемость внутри групп.'
        ) as sentence_ru
    from change_parts
    where dimension = 'region'
    union all
    select
        'cohorts' as page,
        3 as sentence_order,
        (
            {{ percent_text('returned_share', 'en') }}
            || ' % of all customers have come back by day 90 after the first order.'
        ) as sentence_en,
        (
            'К 90-му дню после первого заказа возвращаются '
            || {{ percent_text('returned_share', 'ru') }}
            || ' % всех клиентов.'
        ) as sentence_ru
    from came_back
    union all
    select
        'customer_segments' as page,
        1 as sentence_order,
        (
            'Champions and Loyal are '
            || {{ percent_text('best_customers / nullif(customers, 0)', 'en', 2) }}
            || ' % of customers and bring '
            || {{ percent_text('cast(best_revenue as double) / nullif(revenue, 0)', 'en', 2) }}
            || ' % of revenue.'
        ) as sentence_en,
        (
            'Чемпионы и лояльные — '
            || {{ percent_text('best_customers / nullif(customers, 0)', 'ru', 2) }}
            || ' % клиентов и '
            || {{ percent_text('cast(best_revenue as double) / nullif(revenue, 0)', 'ru', 2) }}
            || ' % выручки.'
        ) as sentence_ru
    from segments
    union all
    select
        'customer_segments' as page,
        2 as sentence_order,
        (
            {{ number_text('customers - repeat_customers', 'en') }}
            || ' of '
            || {{ number_text('customers', 'en') }}
            || ' customers have ordered once: the second purchase is the largest reserve.'
        ) as sentence_en,
        (
            'Один заказ — у '
            || {{ number_text('customers - repeat_customers', 'ru') }}
            || ' из '
            || {{ number_text('customers', 'ru') }}
            || ' клиентов: вторая покупка — самый большой резерв.'
        ) as sentence_ru
    from segments
    where repeat_customers < customers - repeat_customers
    union all
    {% for page in ['churn', 'action_lists'] %}
        select
            '{{ page }}' as page,
            1 as sentence_order,
            (
                'Within '
                || cast(horizon_days as string)
                || ' days '
                || {{ money_text('value_at_risk', 'en') }}
                || ' are at risk, and '
                || {{ money_text('expected_revenue', 'en') }}
                || ' are expected from '
                || {{ number_text('expected_orders', 'en') }}
                || ' orders of '
                || {{ number_text('scored_customers', 'en') }}
                || ' customers.'
            ) as sentence_en,
            (
                'За '
                || cast(horizon_days as string)
                || ' дней под риском '
                || {{ money_text('value_at_risk', 'ru') }}
                || ', ожидается '
                || {{ money_text('expected_revenue', 'ru') }}
                || ' (заказов: '
                || {{ number_text('expected_orders', 'ru') }}
                || ', клиентов с прогнозом: '
                || {{ number_text('scored_customers', 'ru') }}
                || ').'
            ) as sentence_ru
        from churn
        where scored_customers > 0
        union all
    {% endfor %}
    select
        'geography' as page,
        1 as sentence_order,
        (
            customer_state_name
            || ' has '
            || {{ percent_text('cast(customers as double) / nullif(all_customers, 0)', 'en') }}
            || ' % of all customers ('
            || {{ number_text('customers', 'en') }}
            || ').'
        ) as sentence_en,
        (
            'Больше всего клиентов: '
            || customer_state_name
            || ', '
            || {{ percent_text('cast(customers as double) / nullif(all_customers, 0)', 'ru') }}
            || ' % ('
            || {{ number_text('customers', 'ru') }}
            || ').'
        ) as sentence_ru
    from states
    where place = 1
    union all
    select
        'delivery_and_reviews' as page,
        1 as sentence_order,
        (
            {{ percent_text('late_share', 'en') }}
            || ' % of the deliveries bought in '
            || {{ month_text('order_month', 'en') }}
            || ' came late'
            || coalesce(
                (
                    ', '
                    || {{ percent_text('late_share - late_share_year_before', 'en', 1, true) }}
                    || ' points on a year before'
                ),
                ''
            )
            || coalesce(
                ('; mean score ' || cast(cast({{ rounded('mean_score', 2) }} as decimal(9, 2)) as string)), ''
            )
            || '.'
        ) as sentence_en,
        (
            'С опозданием доставлено '
            || {{ percent_text('late_share', 'ru') }}
            || ' % заказов ('
            || {{ month_text('order_month', 'ru') }}
            || ')'
            || coalesce(
                (
                    ', '
                    || {{ percent_text('late_share - late_share_year_before', 'ru', 1, true) }}
                    || ' п. п. к году ранее'
                ),
                ''
            )
            || coalesce(
                (
                    '; средняя оценка '
                    || replace(cast(cast({{ rounded('mean_score', 2) }} as decimal(9, 2)) as string), '.', ',')
                ), ''
            )
            || '.'
        ) as sentence_ru
    from service
    union all
    select
        'products_sellers_payments' as page,
        1 as sentence_order,
        (
            {{ number_text('best_categories', 'en') }}
            || ' of '
            || {{ number_text('categories', 'en') }}
            || ' categories bring '
            || {{ percent_text('cast(best_revenue as double) / nullif(revenue, 0)', 'en') }}
            || ' % of item revenue.'
        ) as sentence_en,
        (
            'Категорий класса A: '
            || {{ number_text('best_categories', 'ru') }}
            || ' из '
            || {{ number_text('categories', 'ru') }}
            || ', они дают '
            || {{ percent_text('cast(best_revenue as double) / nullif(revenue, 0)', 'ru') }}
            || ' % выручки от товаров.'
        ) as sentence_ru
    from categories
    union all
    select
        'findings' as page,
        1 as sentence_order,
        (
            'Of '
            || cast(claims as string)
            || ' claims '
            || cast(supported as string)
            || ' hold, '
            || cast(not_supported as string)
            || ' do not, the others are open; of '
            || cast(comparable as string)
            || ' that the study decided too, we agree with it on '
            || cast(agreed as string)
            || '.'
        ) as sentence_en,
        (
            'Гипотез: '
            || cast(claims as string)
            || '; подтвердились '
            || cast(supported as string)
            || ', не подтвердились '
            || cast(not_supported as string)
            || ', остальные открыты. С исследованием сравнимы '
            || cast(comparable as string)
            || ', выводы совпали по '
            || cast(agreed as string)
            || '.'
        ) as sentence_ru
    from hypotheses
    union all
    select
        'data_health' as page,
        1 as sentence_order,
        (
            {{ number_text('quarantined_rows', 'en') }}
            || ' raw rows could not be read, '
            || {{ number_text('later_orders', 'en') }}
            || ' orders came after the last day and are left out.'
        ) as sentence_en,
        (
            'Нечитаемых строк: '
            || {{ number_text('quarantined_rows', 'ru') }}
            || '; заказов после последнего дня, не взятых в расчёт: '
            || {{ number_text('later_orders', 'ru') }}
            || '.'
        ) as sentence_ru
    from build

),

pages as (

    {% for page in [
        'shop_overview', 'customer_segments', 'cohorts', 'churn', 'geography', 'delivery_and_reviews',
        'products_sellers_payments', 'findings', 'data_health', 'action_lists', 'campaigns'
    ] %}
        select '{{ page }}' as page {{ 'union all' if not loop.last }}
    {% endfor %}

),

-- The last line of every page.
dated as (

    select
        page,
        sentence_order,
        sentence_en,
        sentence_ru
    from sentences
    union all
    select
        pages.page,
        9 as sentence_order,
        (
            'Data as of '
            || cast(build.as_of_date as string)
            || ': '
            || {{ number_text('orders_seen.orders', 'en') }}
            || ' orders, the last on '
            || cast(cast(build.data_until as date) as string)
            || '.'
        ) as sentence_en,
        (
            'Данные на '
            || cast(build.as_of_date as string)
            || ': заказов '
            || {{ number_text('orders_seen.orders', 'ru') }}
            || ', последний '
            || cast(cast(build.data_until as date) as string)
            || '.'
        ) as sentence_ru
    from pages
    cross join build
    cross join orders_seen

),

final as (

    select
        page,
        cast(sentence_order as integer) as sentence_order,
        cast(sentence_en as string) as sentence_en,
        cast(sentence_ru as string) as sentence_ru
    from dated
    where sentence_en is not null and sentence_ru is not null

)

select * from final
