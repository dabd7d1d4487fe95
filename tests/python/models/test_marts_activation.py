"""What is to be expected of each person next: recomputed, and absent where nothing can be said."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from builds import mart
from comparing import assert_same_rows
from conftest import Case
from recompute import next_orders, offers
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


def lines_of(case: Case) -> pd.DataFrame:
    orders = case.expected.valid_orders[["order_id", "customer_id", "purchased_at"]]
    lines = case.expected.valid_lines.merge(orders, on="order_id")
    return lines.assign(date=lines["purchased_at"].dt.normalize(), category=lines["category"].fillna("unknown"))


def test_people_are_offered_what_is_recomputed(case: Case) -> None:
    names = ("product_affinity", "category_affinity", "repurchase_times")
    marts = {name: mart(case.warehouse, f"marts.{name}") for name in names}
    lines = lines_of(case)
    shop = offers.Shop(lines, first_categories(case), marts, case.expected.calendar.as_of)
    # of those with several products everyone is in a position of their own; of the others many share one
    several = lines.groupby("customer_id")["product_id"].nunique().sort_index()
    people = [*several[several > 1].index[:40], *several[several == 1].index[:60]]
    published = mart(case.warehouse, "marts.recommendations", "customer_id, offer_rank")
    told = published.groupby("customer_id")["product_id"].agg(list)
    for person in people:
        assert told.get(person, []) == shop.offers(person), person
    assert published["offer_rank"].between(1, 5).all()


def test_the_yardstick_is_counted_again(case: Case) -> None:
    """Five products that most people bought in the 90 days before, against the last day of those who came again."""
    published = mart(case.warehouse, "marts.recommendation_evaluation")
    day = case.expected.calendar.as_of - pd.Timedelta(days=180)
    lines = lines_of(case)
    before, after = lines[lines["date"] < day], lines[lines["date"] >= day]
    recent = before[before["date"] >= day - pd.Timedelta(days=90)].drop_duplicates(["customer_id", "product_id"])
    counts = recent["product_id"].value_counts().rename_axis("product_id").reset_index()
    popular = set(counts.sort_values(["count", "product_id"], ascending=[False, True])["product_id"].head(5))
    after = after[after["customer_id"].isin(before["customer_id"])]
    wanted = after[after["date"] == after.groupby("customer_id")["date"].transform("max")]
    wanted = wanted.drop_duplicates(["customer_id", "product_id"])
    known = pd.MultiIndex.from_frame(before[["customer_id", "product_id"]])
    is_repeat = pd.MultiIndex.from_frame(wanted[["customer_id", "product_id"]]).isin(known)
    last_seen = before.groupby("customer_id")["date"].max()
    is_served = wanted["customer_id"].map(last_seen) >= day - pd.Timedelta(days=365)
    hit = wanted["product_id"].isin(popular) & is_served
    for kind, chosen in (("repeat", is_repeat), ("new", ~is_repeat)):
        row = published[(published["method"] == "popular") & (published["kind"] == kind)]
        people = wanted["customer_id"][chosen].nunique()
        if not people:
            assert row.empty
            continue
        assert row["people"].item() == people
        if people < 100:
            assert row["verdict"].item() == "not_tested"
        else:
            assert row["people_hit"].item() == wanted["customer_id"][chosen & hit].nunique()


@pytest.mark.parametrize("shop", ["empty", "one_order"])
def test_a_shop_where_nobody_came_again_has_no_evaluation(small_warehouses: dict[str, Path], shop: str) -> None:
    assert mart(small_warehouses[shop], "marts.recommendation_evaluation").empty
    assert len(mart(small_warehouses[shop], "marts.recommendations")) == 0


@pytest.mark.real
def test_on_the_real_files_nothing_beats_popularity_and_it_says_so(olist_warehouse: Path) -> None:
    published = mart(olist_warehouse, "marts.recommendation_evaluation").set_index(["kind", "method"])
    assert published.loc[("new", "as_published"), "verdict_en"] == "Nothing beats popularity here"
    assert set(published.xs("repeat")["verdict"]) == {"not_tested"}


@pytest.mark.real
def test_on_the_real_files_a_month_comes_true(olist_warehouse: Path) -> None:
    published = mart(olist_warehouse, "marts.next_order_calibration")
    month = published[(published["horizon_days"] == 30) & (published["probability_band"] == "all")]
    assert set(month["basis"]) == {"own rhythm", "category", "shop"}
    assert (month["verdict"] == "kept").all()
