"""Segments over time: as they were, without hindsight."""

from __future__ import annotations

import pandas as pd
import pytest
from builds import mart, query
from comparing import assert_same_rows
from conftest import Case
from recompute.history import segments_at


def month_ends(case: Case) -> list[pd.Timestamp]:
    """Return an early, a middle and the last month of the published history."""
    months = query(case.warehouse, "select distinct month_end from marts.segment_history order by month_end")
    ends = pd.to_datetime(months["month_end"])
    return [ends.iloc[position] for position in (len(ends) // 5, len(ends) // 2, -1)]


def test_every_customer_has_the_segment_of_that_day(case: Case) -> None:
    for end in month_ends(case):
        expected = segments_at(case.expected.raw, end + pd.Timedelta(days=1), case.expected.cells)
        published = query(case.warehouse, f"select * from marts.segment_history where month_end = '{end.date()}'")
        not_kept = ["weighted_tenths", "churn_risk_tier", "loyalty_group", "rfm_cell"]
        assert_same_rows(published, expected.drop(columns=not_kept), ["customer_id"], money=("monetary",))


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


def test_the_timeline_counts_every_order_once_per_segmentation(case: Case) -> None:
    segments = mart(case.warehouse, "marts.customer_segments")
    first_month, last_month = case.expected.orders["order_month"].min(), case.expected.calendar.last_complete_month
    assert last_month is not None
    complete = case.expected.valid_orders[case.expected.valid_orders["order_month"] <= last_month]
    published = mart(case.warehouse, "marts.segment_timeline")
    for segmentation in ("churn_risk_tier", "abc_xyz_segment"):
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
