{#
    Unit and description of every var of dbt_project.yml, once, for the mart `parameters`. A var missing here fails
    tests/python/models/test_parameters.py; a name here that is no var fails to compile.
#}
{% macro parameter_definitions() -%}
    {{ return([
        {'name': 'complete_month_min_share', 'unit': 'share', 'description':
            'Trailing months with fewer orders than this share of the median month are not complete; with fewer a day, left out.'},
        {'name': 'max_quarantined_share', 'unit': 'share', 'description':
            'Largest share of a raw table in quarantine; above it nothing is built or published.'},
        {'name': 'shop_time_zone', 'unit': 'name', 'description':
            'Time zone into which stamps that name another are converted; without it stamps are as the clock of the shop showed them.'},
        {'name': 'merge_person_spellings', 'unit': 'switch', 'description':
            'Ids of people that differ only in being written in capitals or in small letters are one person.'},
        {'name': 'shop_currency', 'unit': 'ISO 4217', 'description':
            'Currency of every amount.'},
        {'name': 'shop_country', 'unit': 'ISO 3166-1', 'description':
            'Country that states and places are read in.'},
        {'name': 'unusual_build', 'unit': 'mode', 'description':
            'What happens when a build is unlike the last five of the same raw folder: warn, stop or off.'},
        {'name': 'unusual_max_loss', 'unit': 'share', 'description':
            'Largest share of orders or people that may be missing since the last build.'},
        {'name': 'unusual_max_ratio', 'unit': 'ratio', 'description':
            'Largest factor by which recent orders per day and order value may change.'},
        {'name': 'unusual_max_share_change', 'unit': 'share', 'description':
            'Largest change of the share of orders without payment, items, review or place.'},
        {'name': 'unusual_max_score_change', 'unit': 'points', 'description':
            'Largest change of the mean review score.'},
        {'name': 'invalid_order_statuses', 'unit': 'statuses', 'description':
            'Orders with one of these statuses are no purchases: counts, money, segments and cohorts leave them out.'},
        {'name': 'frequency_score_thresholds', 'unit': 'occasions', 'description':
            'Fewest shopping occasions for frequency scores 1 to 5.'},
        {'name': 'rfm_weight_recency', 'unit': 'share', 'description':
            'Weight of the recency score in the weighted RFM score.'},
        {'name': 'rfm_weight_frequency', 'unit': 'share', 'description':
            'Weight of the frequency score in the weighted RFM score.'},
        {'name': 'rfm_weight_monetary', 'unit': 'share', 'description':
            'Weight of the monetary score in the weighted RFM score.'},
        {'name': 'segment_backtest_cutoffs', 'unit': 'cut-offs', 'description':
            'Latest month ends with a closed window at which segments, tiers and loyalty groups are held against who returned.'},
        {'name': 'abc_a_max_share', 'unit': 'share', 'description':
            'Class A: cumulative share of revenue before the item is below this.'},
        {'name': 'abc_b_max_share', 'unit': 'share', 'description':
            'Class B: cumulative share of revenue before the item is below this and the item is not A.'},
        {'name': 'customer_xyz_x_max_cv', 'unit': 'ratio', 'description':
            'Customers: largest coefficient of variation of order payments in class X.'},
        {'name': 'customer_xyz_y_max_cv', 'unit': 'ratio', 'description':
            'Customers: largest coefficient of variation of order payments in class Y.'},
        {'name': 'product_xyz_x_max_cv', 'unit': 'ratio', 'description':
            'Products and categories: largest coefficient of variation of monthly units in class X.'},
        {'name': 'product_xyz_y_max_cv', 'unit': 'ratio', 'description':
            'Products and categories: largest coefficient of variation of monthly units in class Y.'},
        {'name': 'product_xyz_min_months', 'unit': 'months', 'description':
            'Products and categories with fewer complete months have insufficient history.'},
        {'name': 'product_xyz_min_units', 'unit': 'units', 'description':
            'Products and categories with fewer units have insufficient history.'},
        {'name': 'seller_score_prior_reviews', 'unit': 'reviews', 'description':
            'Reviews of the overall mean that every seller is credited with before its own are counted.'},
        {'name': 'payment_difference_tolerance', 'unit': 'money', 'description':
            'Payments and items of an order that lie further apart are counted as different.'},
        {'name': 'mostly_empty_min_share', 'unit': 'share', 'description':
            'Raw columns with a larger share of empty cells are flagged.'},
        {'name': 'cohort_min_customers', 'unit': 'customers', 'description':
            'Cohort cells with fewer customers are flagged as small.'},
        {'name': 'churn_horizon_days', 'unit': 'days', 'description':
            'Churn is no valid order within this many days after the cut-off.'},
        {'name': 'churn_past_cutoffs', 'unit': 'cut-offs', 'description':
            'Past month ends at which churn features are built: the last so many whose window has closed.'},
        {'name': 'churn_training_customers', 'unit': 'people', 'description':
            'Most people in the features of the past cut-offs; everyone is scored at the as-of date.'},
        {'name': 'churn_band_medium_min', 'unit': 'probability', 'description':
            'Churn band is medium from this probability.'},
        {'name': 'churn_band_high_min', 'unit': 'probability', 'description':
            'Churn band is high from this probability.'},
        {'name': 'churn_contact_cost', 'unit': 'money', 'description':
            'Cost of contacting one customer, in the decision table.'},
        {'name': 'churn_kept_customer_value', 'unit': 'money', 'description':
            'What one kept customer is worth, in the decision table; 0 = the margin of what they are expected to pay.'},
        {'name': 'churn_margin_share', 'unit': 'share', 'description':
            'Share of a payment that is left after goods, freight and fees, in the decision table.'},
        {'name': 'hypothesis_follow_up_days', 'unit': 'days', 'description':
            'Everyone compared on returning, and every product on sales, is followed for the same time.'},
        {'name': 'hypothesis_review_days', 'unit': 'days', 'description':
            'An order counts as reviewed when the answer came within this many days of the purchase.'},
        {'name': 'hypothesis_largest_cities', 'unit': 'cities', 'description':
            'How many cities, by customers, are the largest.'},
        {'name': 'hypothesis_min_seller_orders', 'unit': 'orders', 'description':
            'Fewest scored orders of a seller to have a mean score of its own.'},
        {'name': 'hypothesis_longest_delivery_weeks', 'unit': 'weeks', 'description':
            'Deliveries of so many weeks and more are one group.'},
        {'name': 'campaign_days_before', 'unit': 'days', 'description':
            'How long before a campaign money counts as paid before; it takes noise out of revenue per person.'},
        {'name': 'return_driver_min_people', 'unit': 'people', 'description':
            'Values of a first purchase that fewer people share are not compared.'},
        {'name': 'return_driver_prior_people', 'unit': 'people', 'description':
            'A rate of return is pulled to that of everyone as if it had this many more people.'},
        {'name': 'affinity_min_people', 'unit': 'people', 'description':
            'Pairs of products or categories that fewer people bought are left out.'},
        {'name': 'affinity_max_items', 'unit': 'products', 'description':
            'People with more different products or categories are left out of pairs.'},
        {'name': 'next_order_prior_gaps', 'unit': 'gaps', 'description':
            'A usual gap is pulled to that of everyone as if a person had this many more gaps of that length.'},
        {'name': 'next_order_min_returns', 'unit': 'returns', 'description':
            'Fewest returns to say when people come next; a category is pulled to the shop as if it had this many more.'},
        {'name': 'recommendation_available_days', 'unit': 'days', 'description':
            'Products that nobody bought for longer are not offered.'},
        {'name': 'recommendation_rest_days', 'unit': 'days', 'description':
            'So long after a purchase nothing is offered of a category that people hardly buy again.'},
        {'name': 'recommendation_away_days', 'unit': 'days', 'description':
            'People who have not come for longer get no offers.'},
        {'name': 'recommendation_test_days', 'unit': 'days', 'description':
            'How far back one looks to hold what would have been offered against what was bought.'},
        {'name': 'recommendation_min_people', 'unit': 'people', 'description':
            'With fewer people who came again in that time nothing is said of what is offered.'},
    ]) }}
{%- endmacro %}

{# A var as the text shown to people: lists joined by commas. #}
{% macro parameter_text(name) -%}
    {%- set value = var(name) -%}
    {%- if value is none -%}
        {{ return('not set') }}
    {%- endif -%}
    {{ return(value | join(', ') if value is sequence and value is not string else value | string) }}
{%- endmacro %}

{# The definitions with their values in force, as rows (name, value, unit, description). #}
{% macro parameter_rows() -%}
    values
    {%- for parameter in parameter_definitions() %}
    (
        '{{ parameter.name }}',
        '{{ parameter_text(parameter.name) }}',
        '{{ parameter.unit }}',
        '{{ parameter.description }}'
    ){{ ',' if not loop.last }}
    {%- endfor %}
{%- endmacro %}
