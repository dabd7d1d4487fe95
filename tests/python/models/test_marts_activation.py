"""What is to be expected of each person next: recomputed, and absent where nothing can be said."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from builds import mart
from comparing import assert_same_rows
from conftest import Case
from recompute import next_orders
from recompute.customers import customers

# a probability of six digits may be rounded the other way
LAST_DIGIT = 1.1e-6


def assert_close(actual: pd.DataFrame, expected: pd.DataFrame, keys: list[str], rounded: list[str]) -> None:
    assert_same_rows(actual, expected, keys, columns=[name for name in expected.columns if name not in rounded])
    left, right = (side.set_index(keys).sort_index()[rounded].astype(float) for side in (actual, expected))
    assert (left.isna() == right.isna()).all(axis=None)
    assert ((left - right).abs().fillna(0) <= LAST_DIGIT).all(axis=None)


def first_categories(case: Case) -> pd.Series:
    return customers(case.expected.orders).set_index("customer_id")["first_order_category"]


def test_everyone_is_expected_when_recomputed(case: Case) -> None:
    day = case.expected.calendar.as_of
    expected = next_orders.windows(case.expected.orders, first_categories(case), day)
    published = mart(case.warehouse, "marts.next_order_windows")
    chances = [f"order_probability_{horizon}_days" for horizon in next_orders.HORIZONS]
    assert_close(published, expected, ["customer_id"], chances)


def test_what_was_said_is_held_against_who_ordered(case: Case) -> None:
    day = case.expected.calendar.as_of - pd.Timedelta(days=90)
    told = next_orders.windows(case.expected.orders, first_categories(case), day)
    expected = next_orders.calibration(told, case.expected.orders, day)
    published = mart(case.warehouse, "marts.next_order_calibration")
    assert_close(published, expected, ["basis", "horizon_days", "probability_band"], ["predicted_share"])
    assert (pd.to_datetime(published["cutoff_date"]) == day).all()


@pytest.mark.parametrize("shop", ["empty", "one_order", "corner"])
def test_a_shop_with_hardly_a_return_expects_nobody(small_warehouses: dict[str, Path], shop: str) -> None:
    for name in ("next_order_windows", "next_order_calibration"):
        assert mart(small_warehouses[shop], f"marts.{name}").empty
    needs = mart(small_warehouses[shop], "marts.data_requirements").set_index("feature")["is_met"]
    assert not needs["when people order next"]


@pytest.mark.real
def test_on_the_real_files_a_month_comes_true(olist_warehouse: Path) -> None:
    published = mart(olist_warehouse, "marts.next_order_calibration")
    month = published[(published["horizon_days"] == 30) & (published["probability_band"] == "all")]
    assert set(month["basis"]) == {"own rhythm", "category", "shop"}
    assert (month["verdict"] == "kept").all()
