"""Cohorts, lifetime value and the curve to the second order, against the raw files."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from builds import ROOT, mart
from comparing import assert_same_rows
from conftest import Case
from recompute.cohorts import cohort_cells, period_cells, second_order_survival
from recompute.returns import change_parts, retention_by_quarter, returning_by_origin

DIMENSIONS = {
    "state": "customer_state",
    "region": "customer_region",
    "category": "main_category",
    "payment_type": "payment_type",
}


def expected_cells(case: Case, dimension: str | None = None) -> pd.DataFrame:
    last_month = case.expected.calendar.last_complete_month
    assert last_month is not None
    return cohort_cells(case.expected.orders, last_month, dimension).rename(columns={"k": "months_since_first_order"})


MONEY = ("revenue", "cumulative_revenue")
FEWEST = 30  # as `cohort_min_customers` says


def test_every_cohort_cell_is_as_recomputed(case: Case) -> None:
    published = mart(case.warehouse, "marts.cohort_retention")
    keys = ["cohort_month", "months_since_first_order"]
    assert_same_rows(published, expected_cells(case).drop(columns="value"), keys, money=MONEY)


def expected_periods(case: Case, dimension: str | None = None) -> pd.DataFrame:
    last_month = case.expected.calendar.last_complete_month
    assert last_month is not None
    return period_cells(case.expected.orders, last_month, dimension)


def test_every_cell_of_thirty_days_is_as_recomputed(case: Case) -> None:
    published = mart(case.warehouse, "marts.cohort_retention_30_days")
    keys = ["cohort_month", "periods_since_first_occasion"]
    assert_same_rows(published, expected_periods(case).drop(columns="value"), keys, money=MONEY)


@pytest.mark.parametrize("dimension", ["region", "payment_type"])
def test_every_cell_of_thirty_days_of_a_dimension_is_as_recomputed(case: Case, dimension: str) -> None:
    expected = expected_periods(case, DIMENSIONS[dimension]).rename(columns={"value": "dimension_value"})
    published = mart(case.warehouse, "marts.cohort_retention_30_days_by_dimension")
    keys = ["dimension_value", "cohort_month", "periods_since_first_occasion"]
    assert_same_rows(published[published["dimension"] == dimension], expected, keys, money=MONEY)


@pytest.mark.parametrize("periods", [3, 6, 12, 18, 24])
def test_a_line_over_time_is_one_fixed_set_of_cohorts(case: Case, periods: int) -> None:
    lines = mart(case.warehouse, "marts.cohort_curves", "period_number")
    for kind, cells, step, last in (
        ("calendar months", expected_cells(case), "months_since_first_order", periods),
        ("30-day periods", expected_periods(case), "periods_since_first_occasion", periods - 1),
    ):
        followed = cells[(cells[step] == last) & cells["is_observable"]]["cohort_month"]
        inside = cells[cells["cohort_month"].isin(followed) & (cells[step] <= last)]
        line = lines[(lines["period_kind"] == kind) & (lines["periods_in_set"] == periods)]
        expected = inside.groupby(step).agg(
            cohorts=("cohort_month", "size"),
            customers=("cohort_size", "sum"),
            active_customers=("active_customers", "sum"),
            cumulative_revenue=("cumulative_revenue", "sum"),
        )
        expected = expected.rename_axis("period_number").reset_index()
        assert_same_rows(line, expected, ["period_number"], money=("cumulative_revenue",))
        assert line["cumulative_revenue"].astype(float).is_monotonic_increasing


@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_who_returns_by_origin_is_as_recomputed(case: Case, dimension: str) -> None:
    last_month = case.expected.calendar.last_complete_month
    assert last_month is not None
    expected = returning_by_origin(case.expected.orders, last_month, DIMENSIONS[dimension])
    published = mart(case.warehouse, "marts.returning_by_origin")
    published = published[published["dimension"] == dimension].copy()
    exact = expected.drop(columns="p_value_adjusted")
    assert_same_rows(published, exact, ["dimension_value"])
    both = published.merge(expected, on="dimension_value")
    np.testing.assert_allclose(both["p_value_adjusted_x"], both["p_value_adjusted_y"], atol=5e-6)


def test_retention_by_quarter_and_its_change_are_as_recomputed(case: Case) -> None:
    last_month = case.expected.calendar.last_complete_month
    assert last_month is not None
    expected = retention_by_quarter(case.expected.orders, last_month)
    published = mart(case.warehouse, "marts.retention_by_quarter")
    assert_same_rows(published, expected, ["acquisition_quarter", "window_days"])
    published = published.sort_values(["window_days", "acquisition_quarter"])
    change = published["rate_change"]
    assert (published["verdict"] == "better").equals(published["rate_change_low"] > 0)
    assert (published["verdict"] == "worse").equals(published["rate_change_high"] < 0)
    assert (published["verdict"] == "not over yet").equals(published["return_rate"].isna())
    # of a dozen people nothing is said
    before = published.groupby("window_days")["customers"].shift()
    is_told = change.notna() & (published["customers"] >= FEWEST) & (before >= FEWEST)
    latest = published[is_told].groupby("window_days")["acquisition_quarter"].max()
    marked = published[published["is_latest_change"]].set_index("window_days")["acquisition_quarter"]
    assert marked.to_dict() == latest.to_dict()


@pytest.mark.parametrize("dimension", ["region", "category", "payment_type"])
def test_mix_and_rate_of_the_last_change_are_as_recomputed(case: Case, dimension: str) -> None:
    parts = mart(case.warehouse, "marts.retention_change_parts")
    of_dimension = parts[parts["dimension"] == dimension]
    for window in of_dimension["window_days"].unique().tolist():
        published = of_dimension[of_dimension["window_days"] == window]
        quarter = pd.Timestamp(published["acquisition_quarter"].iloc[0])
        expected = change_parts(case.expected.orders, quarter, window, DIMENSIONS[dimension])
        assert_same_rows(published, expected, ["dimension_value"])


def test_the_parts_of_every_dimension_are_the_whole_change(case: Case) -> None:
    parts = mart(case.warehouse, "marts.retention_change_parts")
    whole = mart(case.warehouse, "marts.retention_by_quarter")
    change = whole[whole["is_latest_change"]].set_index("window_days")["rate_change"]
    parts["effect"] = parts["mix_effect"] + parts["rate_effect"]
    for dimension in ("region", "category", "payment_type", "delivery"):
        summed = parts[parts["dimension"] == dimension].groupby("window_days")["effect"].sum()
        assert len(summed) == len(change)
        # each row is rounded to nine digits
        assert ((summed - change).abs() < 1e-6).all(), dimension


def test_the_sentences_hold_the_figures_of_the_marts_in_both_languages(case: Case) -> None:
    sentences = mart(case.warehouse, "marts.findings_sentences")
    for one in sentences.itertuples():
        english, russian = str(one.sentence_en), str(one.sentence_ru)
        plain = [re.sub(r"(?<=\d)[,\u00a0 ](?=\d{3})", "", text) for text in (english, russian.replace("R$ ", "R$"))]
        figures = [sorted(re.findall(r"\d+(?:[.,]\d+)?", text)) for text in plain]
        assert [one.replace(",", ".") for one in figures[1]] == figures[0], (english, russian)
    assert set(sentences["page"]) == {path.parent.name for path in (ROOT / "superset/assets").glob("*/dashboard.yaml")}
    whole = mart(case.warehouse, "marts.retention_by_quarter")
    latest = whole[whole["is_latest_change"] & (whole["window_days"] == 60)]
    if latest.empty:
        return
    (last,) = latest.to_dict("records")
    (said,) = sentences[(sentences["page"] == "shop_overview") & (sentences["sentence_order"] == 1)]["sentence_en"]
    for name in ("return_rate", "previous_return_rate", "rate_change"):
        assert f"{abs(last[name]):.2%}".rstrip("%") in said
    assert last["quarter_name"] in said
    assert last["verdict"] in said


def test_unobservable_cells_hold_nothing_and_are_there(case: Case) -> None:
    published = mart(case.warehouse, "marts.cohort_retention")
    hidden = published[~published["is_observable"]]
    measures = ["active_customers", "retention_rate", "orders", "revenue", "cumulative_revenue_per_customer"]
    assert len(hidden) > 0
    assert hidden[measures].isna().all(axis=None)
    assert published[published["is_observable"]][measures].notna().all(axis=None)


def test_lifetime_value_never_falls(case: Case) -> None:
    published = mart(case.warehouse, "marts.cohort_retention", "cohort_month, months_since_first_order")
    seen = published[published["is_observable"]]
    steps = seen.groupby("cohort_month")["cumulative_revenue_per_customer"].diff().dropna()
    assert (steps >= 0).all()


@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_every_cohort_cell_of_a_dimension_is_as_recomputed(case: Case, dimension: str) -> None:
    expected = expected_cells(case, DIMENSIONS[dimension]).rename(columns={"value": "dimension_value"})
    published = mart(case.warehouse, "marts.cohort_retention_by_dimension")
    keys = ["dimension_value", "cohort_month", "months_since_first_order"]
    assert_same_rows(published[published["dimension"] == dimension], expected, keys, money=MONEY)


def test_totals_over_a_dimension_are_the_undimensioned_cohorts(case: Case) -> None:
    keys = ["cohort_month", "months_since_first_order"]
    measures = ["cohort_size", "active_customers", "orders", "revenue"]
    whole = mart(case.warehouse, "marts.cohort_retention")
    whole = whole[whole["is_observable"]]
    parts = mart(case.warehouse, "marts.cohort_retention_by_dimension")
    parts = parts[parts["is_observable"]]
    assert set(parts["dimension"]) == set(DIMENSIONS)
    for dimension in DIMENSIONS:
        total = parts[parts["dimension"] == dimension].groupby(keys)[measures].sum().round(2).reset_index()
        assert_same_rows(whole[keys + measures], total, keys)


def test_the_survival_curve_is_the_recomputed_kaplan_meier(case: Case) -> None:
    published = mart(case.warehouse, "marts.second_order_survival", "days_since_first_order")
    expected = second_order_survival(case.expected.orders, case.expected.calendar.as_of)
    assert_same_rows(published, expected, ["days_since_first_order"])
