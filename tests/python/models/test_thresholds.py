"""Whoever sets a threshold of their own still gets a warehouse: dbt's unit tests state the ones their rows are for."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from builds import ROOT

from pipeline.base.settings import project_vars

# Another value for every variable of dbt_project.yml.
OTHERS: dict[str, object] = {
    "as_of_date": "2017-06-01",
    "complete_month_min_share": 0.5,
    "max_quarantined_share": 1,
    "shop_time_zone": "America/Sao_Paulo",
    "shop_currency": "EUR",
    "shop_country": "PT",
    "merge_person_spellings": False,
    "unusual_build": "off",
    "unusual_max_loss": 0.5,
    "unusual_max_ratio": 9,
    "unusual_max_share_change": 0.5,
    "unusual_max_score_change": 3,
    "invalid_order_statuses": ["canceled", "unavailable", "created", "shipped"],
    "frequency_score_thresholds": [1, 3, 5, 7, 9],
    "rfm_weight_recency": 0.2,
    "rfm_weight_frequency": 0.2,
    "rfm_weight_monetary": 0.6,
    "segment_backtest_cutoffs": 2,
    "abc_a_max_share": 0.5,
    "abc_b_max_share": 0.7,
    "customer_xyz_x_max_cv": 0.3,
    "customer_xyz_y_max_cv": 0.6,
    "product_xyz_x_max_cv": 0.2,
    "product_xyz_y_max_cv": 0.4,
    "product_xyz_min_months": 2,
    "product_xyz_min_units": 3,
    "seller_score_prior_reviews": 3,
    "payment_difference_tolerance": 1,
    "mostly_empty_min_share": 0.2,
    "cohort_min_customers": 5,
    "churn_horizon_days": 180,
    "churn_past_cutoffs": 3,
    "churn_training_customers": 1,
    "churn_band_medium_min": 0.2,
    "churn_band_high_min": 0.4,
    "churn_contact_cost": 3,
    "churn_kept_customer_value": 7,
    "churn_margin_share": 0.5,
    "hypothesis_follow_up_days": 30,
    "hypothesis_review_days": 9,
    "hypothesis_largest_cities": 1,
    "hypothesis_min_seller_orders": 2,
    "hypothesis_longest_delivery_weeks": 2,
    "campaign_days_before": 30,
    "return_driver_min_people": 7,
    "return_driver_prior_people": 9,
    "affinity_min_people": 2,
    "affinity_max_items": 3,
    "next_order_prior_gaps": 1,
    "next_order_min_returns": 3,
    "recommendation_available_days": 30,
    "recommendation_rest_days": 5,
    "recommendation_away_days": 200,
    "recommendation_test_days": 60,
    "recommendation_min_people": 5,
}


def test_unit_tests_hold_with_every_threshold_changed(
    published_warehouse: Path, demo_raw: Path, tmp_path: Path
) -> None:
    defaults = project_vars(None)
    assert OTHERS.keys() == defaults.keys()
    assert not [name for name, value in OTHERS.items() if value == defaults[name]]
    # what unit tests need of a database is the columns of what their models read
    shutil.copy(published_warehouse / "build.duckdb", tmp_path)
    shutil.copytree(published_warehouse / "landing", tmp_path / "landing")
    command = [sys.executable, "-m", "dbt.cli.main", "--quiet", "test", "--select", "test_type:unit"]
    run = subprocess.run(
        [*command, "--vars", json.dumps(OTHERS)],
        cwd=ROOT,
        env={
            **os.environ,
            "RAW_DIR": str(demo_raw),
            "WAREHOUSE_DIR": str(tmp_path),
            "DBT_TARGET_PATH": str(tmp_path / "dbt-target"),
            "DBT_LOG_PATH": str(tmp_path / "dbt-logs"),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-3000:]
