{#
    The tables that scoring writes: their columns, once, for the macro that creates them, for the marts that read them and
    for scoring itself, which writes by name into what it finds here.
#}
{% macro score_tables() -%}
    {{ return({
        'customer_churn_scores': {
            'customer_id': 'varchar',
            'as_of_date': 'date',
            'horizon_days': 'integer',
            'churn_probability': 'double',
            'churn_band': 'varchar',
            'reason_1': 'varchar',
            'reason_2': 'varchar',
            'reason_3': 'varchar',
            'reason_1_topic': 'varchar',
            'reason_2_topic': 'varchar',
            'reason_3_topic': 'varchar',
            'reason_1_contribution': 'double',
            'reason_2_contribution': 'double',
            'reason_3_contribution': 'double',
            'other_contribution': 'double',
            'base_score': 'double',
            'score': 'double',
            'expected_orders': 'double',
            'expected_revenue': 'double',
            'value_at_risk': 'double',
            'model_version': 'varchar',
            'scored_at': 'timestamp',
        },
        'churn_model_metrics': {
            'model': 'varchar',
            'cutoff_date': 'date',
            'horizon_days': 'integer',
            'as_of_date': 'date',
            'role': 'varchar',
            'is_shipped': 'boolean',
            'customers': 'bigint',
            'retained_customers': 'bigint',
            'churned_customers': 'bigint',
            'rare_class': 'varchar',
            'prevalence': 'double',
            'roc_auc': 'double',
            'roc_auc_low': 'double',
            'roc_auc_high': 'double',
            'average_precision': 'double',
            'average_precision_low': 'double',
            'average_precision_high': 'double',
            'lift_at_10_percent': 'double',
            'lift_at_10_percent_low': 'double',
            'lift_at_10_percent_high': 'double',
            'log_loss': 'double',
            'brier_score': 'double',
            'brier_skill': 'double',
            'calibration_slope': 'double',
            'calibration_slope_standard_error': 'double',
            'calibration_intercept': 'double',
            'mean_churn_probability': 'double',
            'decision_threshold': 'double',
            'churn_precision': 'double',
            'churn_recall': 'double',
            'everybody_churns_precision': 'double',
            'everybody_churns_recall': 'double',
            'orders_expected': 'double',
            'orders_observed': 'bigint',
            'revenue_expected': 'double',
            'revenue_observed': 'double',
            'model_version': 'varchar',
            'note': 'varchar',
        },
        'churn_calibration': {
            'model': 'varchar',
            'cutoff_date': 'date',
            'horizon_days': 'integer',
            'as_of_date': 'date',
            'decile': 'integer',
            'customers': 'bigint',
            'churned_customers': 'bigint',
            'mean_churn_probability': 'double',
            'observed_churn_rate': 'double',
            'observed_churn_rate_low': 'double',
            'observed_churn_rate_high': 'double',
        },
        'churn_feature_effects': {
            'feature': 'varchar',
            'topic': 'varchar',
            'value_label': 'varchar',
            'value_number': 'double',
            'position': 'integer',
            'effect': 'double',
            'customer_share': 'double',
            'importance': 'double',
            'as_of_date': 'date',
            'horizon_days': 'integer',
        },
        'churn_decision': {
            'threshold': 'double',
            'cutoff_date': 'date',
            'horizon_days': 'integer',
            'as_of_date': 'date',
            'customers': 'bigint',
            'contacted_customers': 'bigint',
            'contacted_share': 'double',
            'churn_precision': 'double',
            'churn_recall': 'double',
            'expected_gain': 'double',
        },
        'customer_clusters': {
            'customer_id': 'varchar',
            'as_of_date': 'date',
            'cluster': 'integer',
            'cluster_profile': 'varchar',
            'is_in_sample': 'boolean',
            'map_x': 'double',
            'map_y': 'double',
        },
        'cluster_profiles': {
            'cluster': 'integer',
            'as_of_date': 'date',
            'cluster_profile': 'varchar',
            'customers': 'bigint',
            'customer_share': 'double',
            'feature': 'varchar',
            'median_value': 'double',
            'overall_median': 'double',
            'standardised_difference': 'double',
        },
        'cluster_selection': {
            'cluster_count': 'integer',
            'as_of_date': 'date',
            'silhouette': 'double',
            'inertia': 'double',
            'stability': 'double',
            'is_chosen': 'boolean',
            'rule': 'varchar',
        },
        'churn_model': {
            'model_version': 'varchar',
            'as_of_date': 'date',
            'horizon_days': 'integer',
            'model': 'varchar',
            'definition': 'varchar',
        },
    }) }}
{%- endmacro %}

{#
    Create the score tables, empty, so that every model builds before the first scoring; a table of another shape is made
    anew. Plain queries only: adapter.get_relation would open a transaction that no hook commits.
#}
{% macro create_scores_tables() -%}
    {%- if execute and flags.WHICH in ['run', 'build', 'test'] -%}
        {%- do run_query('create schema if not exists scores') -%}
        {%- for name, columns in score_tables().items() -%}
            {%- set definitions = [] -%}
            {%- for column, data_type in columns.items() -%}
                {%- do definitions.append(column ~ ' ' ~ (dbt.type_string() if data_type == 'varchar' else data_type)) -%}
            {%- endfor -%}
            {{ create_scores_table(name, definitions | join(', '), columns.keys() | list) }}
        {%- endfor -%}
    {%- endif -%}
{%- endmacro %}

{# Select list of a mart that passes a score table on: every column, cast to the type it was created with. #}
{% macro score_columns(name) -%}
    {%- for column, data_type in score_tables()[name].items() %}
    {{ dbt.cast(name ~ '.' ~ column, data_type) }} as {{ column }}{{ ',' if not loop.last }}
    {%- endfor %}
{%- endmacro %}
