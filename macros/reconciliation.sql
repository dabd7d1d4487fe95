{# Measures of each mart that must add up to a total of the facts. #}
{% macro reconciled_marts() -%}
    {{ return({
        'dim_customers': {'people': 'count(*)', 'order_rows': 'sum(order_count)', 'valid_orders': 'sum(valid_order_count)', 'occasions': 'sum(occasion_count)'},
        'dim_products': {'products': 'count(*)'},
        'dim_sellers': {'sellers': 'count(*)', 'placed_sellers': 'count(zip_code_prefix)'},
        'dim_locations': {'zip_code_prefixes': 'count(*)'},
        'fct_reviews': {'review_rows': 'count(*)', 'scored_orders': 'sum(case when is_order_score then 1 else 0 end)'},
        'customer_rfm': {'people': 'count(*)', 'orders': 'sum(order_count)', 'occasions': 'sum(frequency)', 'payment_value': 'sum(monetary)'},
        'daily_sales': {'orders': 'sum(orders)', 'revenue': 'sum(revenue)', 'new_customers': 'sum(new_customers)'},
        'monthly_sales': {'orders': 'sum(orders)', 'revenue': 'sum(revenue)', 'new_customers': 'sum(new_customers)'},
        'category_sales': {'units': 'sum(units)', 'revenue': 'sum(revenue)'},
        'payment_mix': {'orders': 'sum(orders)', 'payment_value': 'sum(payment_value)'},
        'review_scores': {'reviews': 'sum(reviews)'},
        'delivery_performance': {'delivered_orders': 'sum(delivered_orders)'},
        'seller_scorecard': {'revenue': 'sum(revenue)'},
        'geo_demand': {'orders': 'sum(orders)', 'sellers': 'sum(sellers)'},
        'state_demand': {
            'orders': 'sum(orders)',
            'revenue': 'sum(revenue)',
            'item_value_bought': 'sum(item_value_bought)',
            'item_value_sold': 'sum(item_value_sold)',
        },
        'region_flows': {'units': 'sum(units)', 'revenue': 'sum(revenue)'},
        'price_distribution': {'units': 'sum(units)', 'revenue': 'sum(revenue)'},
        'purchase_rhythm': {'orders': 'sum(orders)', 'revenue': 'sum(revenue)'},
    }) }}
{%- endmacro %}

{# Totals that must be equal, as `relation.column` of the model `reconciliation`, from the raw files to the marts. #}
{% macro reconciliation_checks() -%}
    {%- set checks = [] -%}
    {%- for step, name, expected, actual in [
        ('raw to landing', 'rows landed, in quarantine, repeated or superseded', 'load_balance.raw_rows', 'load_balance.accounted_rows'),
        ('raw to landing', 'rows in the landed files', 'load_summary.landed_rows', 'landed.table_rows'),
        ('landing to facts', 'orders', 'raw_order_totals.order_rows', 'fct_orders.order_rows'),
        (
            'landing to facts', 'orders, and later ones that are left out',
            'landed_orders.order_rows', 'seen_and_later_orders.order_rows'
        ),
        ('landing to facts', 'people', 'raw_order_totals.people', 'fct_orders.people'),
        (
            'landing to facts', 'orders without a person',
            'raw_order_totals.orders_without_person', 'fct_orders.orders_without_person'
        ),
        ('landing to facts', 'order lines', 'raw_item_totals.item_rows', 'fct_order_items.item_rows'),
        ('landing to facts', 'item prices', 'raw_item_totals.item_value', 'fct_order_items.item_value'),
        ('landing to facts', 'freight', 'raw_item_totals.freight_value', 'fct_order_items.freight_value'),
        ('landing to facts', 'payment rows', 'raw_payment_totals.payment_rows', 'fct_payments.payment_rows'),
        ('landing to facts', 'payments', 'raw_payment_totals.payment_value', 'fct_payments.payment_value'),
        ('landing to facts', 'reviews', 'raw_review_totals.review_rows', 'fct_reviews.review_rows'),
        ('landing to dimensions', 'products', 'raw_reference_totals.products', 'dim_products.products'),
        ('landing to dimensions', 'sellers', 'raw_reference_totals.sellers', 'dim_sellers.sellers'),
        (
            'landing to dimensions', 'zip prefixes',
            'raw_reference_totals.zip_code_prefixes', 'dim_locations.zip_code_prefixes'
        ),
        ('landing to dimensions', 'people', 'raw_order_totals.people', 'dim_customers.people'),
        ('facts to facts', 'order lines by order', 'fct_order_items.item_rows', 'fct_orders.item_rows'),
        ('facts to facts', 'item prices by order', 'fct_order_items.item_value', 'fct_orders.item_value'),
        ('facts to facts', 'freight by order', 'fct_order_items.freight_value', 'fct_orders.freight_value'),
        ('facts to facts', 'payment rows by order', 'fct_payments.payment_rows', 'fct_orders.payment_rows'),
        ('facts to facts', 'payments by order', 'fct_payments.payment_value', 'fct_orders.paid_value'),
        ('facts to facts', 'reviews by order', 'fct_reviews.review_rows', 'fct_orders.review_rows'),
        ('facts to facts', 'one score per reviewed order', 'fct_orders.scored_orders', 'fct_reviews.scored_orders'),
        ('facts to facts', 'orders by person', 'fct_orders.person_orders', 'dim_customers.order_rows'),
        ('facts to facts', 'valid orders by person', 'fct_orders.valid_person_orders', 'dim_customers.valid_orders'),
        ('facts to marts', 'people with a valid order in customer_rfm', 'fct_orders.valid_people', 'customer_rfm.people'),
        ('facts to marts', 'valid orders in customer_rfm', 'fct_orders.valid_person_orders', 'customer_rfm.orders'),
        ('facts to marts', 'shopping occasions in customer_rfm', 'dim_customers.occasions', 'customer_rfm.occasions'),
        ('facts to marts', 'payments in customer_rfm', 'fct_orders.valid_person_payment_value', 'customer_rfm.payment_value'),
        ('facts to marts', 'orders in daily_sales', 'fct_orders.valid_orders', 'daily_sales.orders'),
        ('facts to marts', 'revenue in daily_sales', 'fct_orders.valid_payment_value', 'daily_sales.revenue'),
        ('facts to marts', 'new customers in daily_sales', 'fct_orders.valid_people', 'daily_sales.new_customers'),
        ('facts to marts', 'orders in monthly_sales', 'fct_orders.valid_orders', 'monthly_sales.orders'),
        ('facts to marts', 'revenue in monthly_sales', 'fct_orders.valid_payment_value', 'monthly_sales.revenue'),
        ('facts to marts', 'new customers in monthly_sales', 'fct_orders.valid_people', 'monthly_sales.new_customers'),
        ('facts to marts', 'units in category_sales', 'fct_order_items.valid_units', 'category_sales.units'),
        ('facts to marts', 'revenue in category_sales', 'fct_order_items.valid_item_value', 'category_sales.revenue'),
        ('facts to marts', 'paid orders in payment_mix', 'fct_orders.valid_paid_orders', 'payment_mix.orders'),
        ('facts to marts', 'payments in payment_mix', 'fct_payments.valid_payment_value', 'payment_mix.payment_value'),
        ('facts to marts', 'scored orders in review_scores', 'fct_orders.scored_orders', 'review_scores.reviews'),
        (
            'facts to marts', 'deliveries in delivery_performance',
            'fct_orders.dated_deliveries', 'delivery_performance.delivered_orders'
        ),
        (
            'facts to marts', 'single-seller revenue in seller_scorecard',
            'fct_orders.valid_single_seller_value', 'seller_scorecard.revenue'
        ),
        ('facts to marts', 'orders in geo_demand', 'fct_orders.valid_placed_orders', 'geo_demand.orders'),
        ('facts to marts', 'sellers in geo_demand', 'dim_sellers.placed_sellers', 'geo_demand.sellers'),
        ('facts to marts', 'orders in state_demand', 'fct_orders.valid_orders', 'state_demand.orders'),
        ('facts to marts', 'revenue in state_demand', 'fct_orders.valid_payment_value', 'state_demand.revenue'),
        (
            'facts to marts', 'item value bought in state_demand',
            'fct_order_items.valid_item_value', 'state_demand.item_value_bought'
        ),
        (
            'facts to marts', 'item value sold in state_demand',
            'fct_order_items.valid_item_value', 'state_demand.item_value_sold'
        ),
        ('facts to marts', 'units in region_flows', 'fct_order_items.valid_units', 'region_flows.units'),
        ('facts to marts', 'revenue in region_flows', 'fct_order_items.valid_item_value', 'region_flows.revenue'),
        ('facts to marts', 'units in price_distribution', 'fct_order_items.valid_units', 'price_distribution.units'),
        ('facts to marts', 'revenue in price_distribution', 'fct_order_items.valid_item_value', 'price_distribution.revenue'),
        ('facts to marts', 'orders in purchase_rhythm', 'timed_orders.valid_orders', 'purchase_rhythm.orders'),
        ('facts to marts', 'revenue in purchase_rhythm', 'timed_orders.valid_payment_value', 'purchase_rhythm.revenue'),
    ] -%}
        {%- do checks.append({'step': step, 'name': name, 'expected': expected, 'actual': actual}) -%}
    {%- endfor -%}
    {{ return(checks) }}
{%- endmacro %}

{# One CTE per mart with its measures in one row. #}
{% macro reconciled_mart_ctes() -%}
{%- for mart, measures in reconciled_marts().items() -%}
{{ mart }} as (

    select
        {%- for name, expression in measures.items() %}
        coalesce({{ expression }}, 0) as {{ name }}{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ ref(mart) }}

){{ ',\n\n' if not loop.last }}
{%- endfor -%}
{%- endmacro %}

{# One row per check: both sides of it are CTEs of a single row. #}
{% macro reconciliation_rows() -%}
    {%- for check in reconciliation_checks() %}
    select
        {{ loop.index }} as check_number,
        '{{ check.step }}' as step,
        '{{ check.name }}' as check_name,
        {{ check.expected }} as expected,
        {{ check.actual }} as actual
    from {{ check.expected.split('.')[0] }}
    {%- if check.expected.split('.')[0] != check.actual.split('.')[0] %}
    cross join {{ check.actual.split('.')[0] }}
    {%- endif %}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
{%- endmacro %}
