"""Segments over time: as they were, without hindsight."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from builds import mart, query
from comparing import assert_same_rows
from conftest import Case
from recompute.history import segments_at
from recompute.returns import backtest
from recompute.segmentation import score_by_bands


def month_ends(case: Case) -> list[pd.Timestamp]:
    """Return an early, a middle and the last month of the published history."""
    months = query(case.warehouse, "select distinct month_end from marts.segment_history order by month_end")
    ends = pd.to_datetime(months["month_end"])
    return [ends.iloc[position] for position in (len(ends) // 5, len(ends) // 2, -1)]


def test_every_customer_has_the_segment_of_that_day(case: Case) -> None:
    for end in month_ends(case):
        expected = segments_at(case.expected.raw, end + pd.Timedelta(days=1), case.expected.cells)
        published = query(case.warehouse, f"select * from marts.segment_history where month_end = '{end.date()}'")
        not_kept = ["weighted_tenths", "loyalty_group", "rfm_cell", "order_count"]
        assert_same_rows(published, expected.drop(columns=not_kept), ["customer_id"], money=("monetary",))


def test_the_bands_of_that_day_score_everyone_of_that_day(case: Case) -> None:
    for end in month_ends(case):
        people = segments_at(case.expected.raw, end + pd.Timedelta(days=1), case.expected.cells)
        people["monetary"] = people["monetary"] / 100
        bounds = query(case.warehouse, f"select * from marts.month_end_bounds where month_end = '{end.date()}'")
        for axis, value in {"recency": "recency_days", "monetary": "monetary"}.items():
            bands = bounds[bounds["axis"] == axis]
            assert (score_by_bands(people[value], bands) == people[f"{axis}_score"]).all(), axis
            found = people.groupby(f"{axis}_score").agg(begins_at=(value, "min"), customers=(value, "size"))
            published = bands.set_index("score")[["begins_at", "customers"]].astype(float).sort_index()
            np.testing.assert_allclose(published, found.astype(float).sort_index())


def test_every_label_is_held_against_who_came_back(case: Case) -> None:
    published = mart(case.warehouse, "marts.segment_backtest")
    published = published[published["label_kind"] != "return_rank_band"]  # scoring's, tested there
    cutoffs = sorted(pd.to_datetime(published["cutoff_date"]).unique())
    expected = backtest(case.expected.raw, case.expected.orders, cutoffs, case.expected.cells)
    assert_same_rows(published, expected, ["label_kind", "label", "cutoff_date"])
    closed = pd.date_range(end=case.expected.calendar.as_of - pd.Timedelta(days=90), periods=6, freq="MS")
    first_end = case.expected.orders["order_month"].min() + pd.offsets.MonthBegin(1)
    assert cutoffs == [day for day in closed if day >= first_end]


@pytest.mark.real
def test_on_the_real_files_the_risk_tiers_are_what_they_say(olist_warehouse: Path) -> None:
    backtest_rows = mart(olist_warehouse, "marts.segment_backtest")
    tiers = backtest_rows[backtest_rows["label_kind"] == "churn_risk_tier"]
    assert tiers["cutoff_date"].nunique() == 6
    for day, rates in tiers.groupby("cutoff_date"):
        by_tier = rates.set_index("label")
        for safer, riskier in (("low", "medium"), ("medium", "high")):
            low, high = by_tier["return_rate_low"][safer], by_tier["return_rate_high"][riskier]
            assert float(low) > float(high), (day, safer)


def test_the_history_ends_with_the_last_complete_month(case: Case) -> None:
    last_month = case.expected.calendar.last_complete_month
    assert last_month is not None
    assert month_ends(case)[-1] == last_month + pd.offsets.MonthEnd(0)


@pytest.fixture(scope="session")
def moves(case: Case) -> pd.DataFrame:
    """Return the month, from and to of every customer, from the published history."""
    history = mart(case.warehouse, "marts.segment_history", "customer_id, month_end")
    history["month_end"] = pd.to_datetime(history["month_end"])
    before = history.groupby("customer_id")["rfm_segment"].shift()
    return history.assign(from_segment=before.fillna("not_yet_a_customer"), to_segment=history["rfm_segment"])


def test_migration_counts_every_customer_of_the_history_once_a_month(case: Case, moves: pd.DataFrame) -> None:
    expected = moves.groupby(["month_end", "from_segment", "to_segment"]).size().rename("customers").reset_index()
    published = mart(case.warehouse, "marts.segment_migration")
    published = published[published["customers"] > 0]
    assert_same_rows(published, expected, ["month_end", "from_segment", "to_segment"])


def test_changes_hold_today_against_the_last_month_end_that_is_not_today(case: Case) -> None:
    history, today = mart(case.warehouse, "marts.segment_history"), mart(case.warehouse, "marts.customer_rfm")
    history["month_end"] = pd.to_datetime(history["month_end"])
    past = history[history["month_end"] < case.expected.calendar.as_of - pd.Timedelta(days=1)]
    since = past["month_end"].max()
    earlier = past[past["month_end"] == since].set_index("customer_id")["rfm_segment"]
    expected = today[["customer_id", "rfm_segment", "monetary"]].assign(
        since_month_end=since,
        earlier_rfm_segment=today["customer_id"].map(earlier).fillna("not_yet_a_customer"),
    )
    people = mart(case.warehouse, "marts.customer_segment_changes")
    people["since_month_end"] = pd.to_datetime(people["since_month_end"])
    assert_same_rows(people, expected, ["customer_id"])
    shown = mart(case.warehouse, "marts.customer_360")[["customer_id", "earlier_rfm_segment"]]
    assert_same_rows(shown, expected[["customer_id", "earlier_rfm_segment"]], ["customer_id"])
    moves = mart(case.warehouse, "marts.segment_changes")
    assert moves["customers"].sum() == len(today)
    assert round(moves["revenue"].sum(), 2) == round(today["monetary"].sum(), 2)
    counted = expected.groupby(["earlier_rfm_segment", "rfm_segment"]).size()
    assert moves.set_index(["from_segment", "to_segment"])["customers"].to_dict() == counted.to_dict()
    assert (moves["has_changed"] == (moves["from_segment"] != moves["to_segment"])).all()


def test_the_timeline_counts_every_order_once_per_segmentation(case: Case) -> None:
    segments = mart(case.warehouse, "marts.customer_segments")
    history = mart(case.warehouse, "marts.segment_history")
    history["order_month"] = pd.to_datetime(history["month_end"]).dt.to_period("M").dt.to_timestamp()
    first_month, last_month = case.expected.orders["order_month"].min(), case.expected.calendar.last_complete_month
    assert last_month is not None
    complete = case.expected.valid_orders[case.expected.valid_orders["order_month"] <= last_month]
    published = mart(case.warehouse, "marts.segment_timeline")
    for segmentation in ("churn_risk_tier", "abc_xyz_segment"):
        if segmentation == "churn_risk_tier":  # the one of that month's end
            orders = complete.merge(
                history[["customer_id", "order_month", segmentation]], on=["customer_id", "order_month"]
            )
        else:
            orders = complete.merge(segments[["customer_id", segmentation]], on="customer_id")
        expected = orders.groupby(["order_month", segmentation]).agg(
            customers=("customer_id", "nunique"), orders=("order_id", "size"), revenue=("payment_value", "sum")
        )
        months = pd.DataFrame({"order_month": pd.date_range(first_month, last_month, freq="MS")})
        segment_names = pd.DataFrame({"segment": sorted(set(orders[segmentation]))})
        grid = months.merge(segment_names, how="cross").set_index(["order_month", "segment"]).index
        assert_same_rows(
            published[published["segmentation"] == segmentation],
            expected.rename_axis(["order_month", "segment"]).reindex(grid, fill_value=0).reset_index(),
            ["order_month", "segment"],
            money=("revenue",),
        )
