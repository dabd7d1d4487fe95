"""A setting that cannot be meant is refused by name, with what it may be."""

from __future__ import annotations

import json

import pytest
import yaml
from builds import ROOT

from pipeline.base.errors import PipelineError
from pipeline.base.settings import RULES, project_vars
from pipeline.landing.contract import raw_tables


@pytest.mark.parametrize(
    ("given", "named", "cure"),
    [
        ("{invalid_order_statuses: canceled}", "invalid_order_statuses", "a list"),
        ("{invalid_order_statuses: [cancelled, unavailable]}", "invalid_order_statuses", "cancelled is none of them"),
        ("{invalid_order_statuses: [[canceled]]}", "invalid_order_statuses", "a list"),
        ("{invalid_order_statuses: null}", "invalid_order_statuses", "a list"),
        ("{as_of_date: 2024-02-30}", "as_of_date is '2024-02-30'", "a day of the calendar"),
        ("{as_of_date: 2018-03-01 10:00:00}", "as_of_date", "a day of the calendar"),
        ("{as_of_date: 20180301}", "as_of_date", "a day of the calendar"),
        ("{as_of_date: 01/03/2018}", "as_of_date", "a day of the calendar"),
        ("{as_of_date: yesterday}", "as_of_date", "a day of the calendar"),
        ("{max_quarantined_share: 5%}", "max_quarantined_share", "a number from 0 up to 1"),
        ("{max_quarantined_share: 5}", "max_quarantined_share", "a number from 0 up to 1"),
        ("{max_quarantined_share: .nan}", "max_quarantined_share", "a number from 0 up to 1"),
        ("{complete_month_min_share: yes}", "complete_month_min_share", "a number from 0 up to 1"),
        ("{churn_horizon_days: 90.5}", "churn_horizon_days", "a whole number from 1"),
        ("{churn_horizon_days: 0}", "churn_horizon_days", "a whole number from 1"),
        ("{churn_training_customers: 99999999999999999999}", "churn_training_customers", "up to 2,147,483,647"),
        ("{churn_horizon_days: '90'}", "churn_horizon_days", "a whole number from 1"),
        ("{frequency_score_thresholds: [1, 2, 3, 4]}", "frequency_score_thresholds", "a list of 5 whole numbers"),
        ("{frequency_score_thresholds: [1, 3, 2, 4, 6]}", "frequency_score_thresholds", "larger than the one before"),
        ("{abc_a_max_share: 0.97}", "abc_a_max_share", "at most abc_b_max_share"),
        ("{churn_band_high_min: 0.4}", "churn_band_medium_min", "at most churn_band_high_min"),
        ("{rfm_weight_recency: 0.6}", "rfm_weight_recency", "1 together; they are 1.1"),
        ("{abc_b_max_share: x}", "abc_b_max_share", "a number"),
        ("{unusual_build: halt}", "unusual_build", "one of warn, stop, off"),
        ("{unusual_build: true}", "unusual_build", "one of warn, stop, off"),
        ("{churn_horizont_days: 90}", "churn_horizont_days", "Did you mean churn_horizon_days?"),
        ("{setting_rules: {}}", "setting_rules", "does not know"),
        ("{churn_horizon_days: 90, churn_horizon_days: 9}", "--vars", "churn_horizon_days is there twice (line 1)"),
        ("{shop_time_zone: [UTC]}", "shop_time_zone", "a name such as"),
        ("{shop_currency: [BRL]}", "shop_currency", "a code of seeds/currencies.csv"),
        ("{shop_country: {BR: 1}}", "shop_country", "a code of seeds/countries.csv"),
        ("{invalid_order_statuses: [canceled, canceled]}", "invalid_order_statuses", "nothing is twice"),
        ("{1: 2}", "1", "does not know"),
        ("[1, 2]", "--vars", "no YAML mapping"),
        ("{a: ", "--vars", "no YAML"),
    ],
)
def test_a_setting_that_cannot_be_meant_is_refused(given: str, named: str, cure: str) -> None:
    with pytest.raises(PipelineError) as refused:
        project_vars(given)
    assert named in str(refused.value) and cure in str(refused.value)


@pytest.mark.parametrize(
    ("given", "name", "value"),
    [
        ("{as_of_date: 2018-03-01}", "as_of_date", "2018-03-01"),
        ("{as_of_date: null}", "as_of_date", None),
        # a word to us, and a no to YAML
        ("{unusual_build: off}", "unusual_build", "off"),
        ("{invalid_order_statuses: []}", "invalid_order_statuses", []),
        ("{max_quarantined_share: 1}", "max_quarantined_share", 1),
        ("{churn_past_cutoffs: 0}", "churn_past_cutoffs", 0),
    ],
)
def test_a_setting_that_can_be_meant_is_taken(given: str, name: str, value: object) -> None:
    assert project_vars(given)[name] == value


def test_every_setting_has_a_rule_and_every_status_is_known() -> None:
    written = yaml.safe_load((ROOT / "dbt_project.yml").read_text())["vars"]
    rules = written.pop(RULES)
    assert rules.keys() == written.keys()
    assert set(rules["invalid_order_statuses"]["of"]) == set(raw_tables()["orders"].fields["order_status"].allowed)
    # as dbt's plugin passes them on
    assert project_vars(json.dumps(written)) == project_vars()
