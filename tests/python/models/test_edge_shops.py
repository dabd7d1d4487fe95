"""Shops made by hand: what the definitions say of a corner, said here a second time without any code."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pandas as pd
import pytest
from builds import ROOT, mart, tables

SEGMENTS = {
    "Champions",
    "Loyal",
    "Potential loyalists",
    "New",
    "Promising",
    "Need attention",
    "About to sleep",
    "At risk",
    "Can't lose",
    "Hibernating",
    "Lost",
}


@pytest.fixture(scope="session")
def corner(small_warehouses: dict[str, Path]) -> Path:
    """Folder of the corner shop's warehouse."""
    return small_warehouses["corner"]


def by(table: pd.DataFrame, key: str, column: str) -> dict[str, object]:
    return dict(zip(table[key], table[column].astype(object).where(table[column].notna(), None), strict=True))


def cells(table: pd.DataFrame, row: str, columns: list[str]) -> list[object]:
    return [table.loc[row, column] for column in columns]


def orders_of(warehouse: Path, column: str) -> dict[str, object]:
    """Return a column of the facts by person; of a person's orders the last."""
    return by(mart(warehouse, "marts.fct_orders", "purchased_at, order_id"), "customer_id", column)


# --- customers


def test_a_variation_on_the_limit_belongs_to_the_steadier_class(corner: Path) -> None:
    classes = by(mart(corner, "marts.customer_xyz"), "customer_id", "xyz_class")
    assert {name: classes[name] for name in ("x-at-limit", "x-beyond", "y-at-limit", "y-beyond")} == {
        "x-at-limit": "X",
        "x-beyond": "Y",
        "y-at-limit": "Y",
        "y-beyond": "Z",
    }
    assert classes["unchanging"] == "X"
    assert classes["free"] == "Z", "a mean of zero"
    assert classes["twice"] == "two_purchases", "two numbers have no spread to speak of"
    assert (classes["late"], classes["twin"]) == ("single_purchase", "single_purchase")


def test_frequency_scores_follow_the_declared_thresholds(corner: Path) -> None:
    scores = by(mart(corner, "marts.customer_rfm"), "customer_id", "frequency_score")
    people = ("late", "twice", "x-at-limit", "four", "five", "six", "seven")
    assert [scores[person] for person in people] == [1, 2, 3, 4, 4, 5, 5]


def test_customers_who_are_alike_are_treated_alike(corner: Path) -> None:
    rfm = mart(corner, "marts.customer_rfm")
    alike = rfm[rfm["customer_id"].str.startswith("alike-2017-10")]
    scored = alike[["recency_score", "monetary_score", "rfm_segment", "churn_risk_tier"]]
    assert len(alike) > 30
    assert len(scored.drop_duplicates()) == 1


def test_orders_of_one_second_are_numbered_by_their_id(corner: Path) -> None:
    numbers = by(mart(corner, "marts.fct_orders"), "order_id", "customer_order_number")
    assert [numbers[f"twin-{letter}"] for letter in "abc"] == [1, 2, 3]
    occasions = by(mart(corner, "marts.fct_orders"), "order_id", "customer_occasion_number")
    assert [occasions[f"twin-{letter}"] for letter in "abc"] == [1, 1, 1]
    twin = mart(corner, "marts.dim_customers").set_index("customer_id").loc["twin"]
    assert (twin["state"], twin["first_order_state"]) == ("BA", "SP")


def test_people_without_a_valid_order_are_known_but_not_segmented(corner: Path) -> None:
    people = mart(corner, "marts.dim_customers").set_index("customer_id")
    rfm = set(mart(corner, "marts.customer_rfm")["customer_id"])
    assert cells(people, "canceled-only", ["order_count", "valid_order_count"]) == [1, 0]
    assert "canceled-only" not in rfm
    assert cells(people, "unavailable-first", ["order_count", "valid_order_count"]) == [2, 1]
    assert people.loc["unavailable-first", "first_order_state"] == "PA", "cohorts start at the first valid order"
    assert people.loc["canceled-last", "state"] == "PA", "attributes are those of the latest order, valid or not"
    assert cells(people, "nowhere", ["state", "region"]) == ["XX", "unknown"]


# --- orders


def test_orders_with_parts_missing_count_nothing_for_them(corner: Path) -> None:
    orders = mart(corner, "marts.fct_orders").set_index("customer_id")
    columns = ["item_count", "order_value", "payment_value", "payment_count"]
    assert cells(orders, "no-items", columns) == [0, 0, 30, 1]
    assert cells(orders, "no-payment", columns) == [1, 100, 0, 0]
    assert cells(orders, "nothing", columns) == [0, 0, 0, 0]
    assert orders.loc["nothing", ["payment_type", "main_category", "review_score"]].isna().all()


def test_the_largest_payment_and_category_name_the_order(corner: Path) -> None:
    types = orders_of(corner, "payment_type")
    assert (types["equal-payments"], types["larger-second"]) == ("voucher", "boleto")
    main = orders_of(corner, "main_category")
    assert main["equal-categories"] == "artes", "of equals the first in the alphabet"
    assert main["sum-of-category"] == "perfumery", "two of 40 are more than one of 60"
    assert (main["untranslated"], main["uncategorised"]) == ("sem_traducao", "unknown")


def test_the_latest_answer_is_the_orders_score(corner: Path) -> None:
    scores = orders_of(corner, "review_score")
    assert {person: scores[person] for person in ("latest-answer", "tied-answers", "one-unanswered")} == {
        "latest-answer": 5,
        "tied-answers": 3,
        "one-unanswered": 4,
    }
    assert (scores["all-unanswered"], scores["no-stamps"], scores["shared-review"]) == (3, 2, 1)


def test_days_are_midnights_and_late_is_after_the_estimated_day(corner: Path) -> None:
    orders = mart(corner, "marts.fct_orders").set_index("customer_id")
    columns = ["delivery_days", "delay_days", "is_late"]
    assert cells(orders, "over-midnight", columns) == [1, -8, False]
    assert cells(orders, "on-the-last-second", columns) == [9, 0, False]
    assert cells(orders, "a-second-later", columns) == [10, 1, True]
    for person in ("undated", "canceled-delivered", "shipped-delivered"):
        assert orders.loc[person, columns].isna().all(), person


def test_the_month_ends_with_its_last_second(corner: Path) -> None:
    months = {person: str(month)[:10] for person, month in orders_of(corner, "order_month").items()}
    assert (months["last-second"], months["first-second"]) == ("2018-02-01", "2018-03-01")


def test_a_month_with_a_tenth_of_the_median_is_complete_and_one_with_less_is_not(corner: Path) -> None:
    cohorts = mart(corner, "marts.cohort_retention")
    assert str(cohorts["cohort_month"].max())[:10] == "2018-02-01"


# --- products and sellers


@pytest.mark.parametrize(
    ("table", "key", "name"),
    [("product_abc_xyz", "product_id", "{}"), ("category_abc_xyz", "product_category", "categoria-{}")],
)
def test_demand_on_the_limits(corner: Path, table: str, key: str, name: str) -> None:
    classes = by(mart(corner, f"marts.{table}"), key, "xyz_class")
    products = ("x-at-limit", "y-at-limit", "hundred-units", "units-short", "months-short")
    assert [classes[name.format(product_id)] for product_id in products] == [
        "X",
        "Y",
        "X",
        "insufficient_history",
        "insufficient_history",
    ]


def test_shares_on_the_limits_fall_to_the_lower_class(corner: Path) -> None:
    classes = by(mart(corner, "marts.seller_abc"), "seller_id", "abc_class")
    assert (classes["seller"], classes["at-80"], classes["at-95"]) == ("A", "B", "C")
    assert (classes["free-seller"], classes["never-sells"]) == ("C", "C")


def test_what_is_not_sold_is_c(corner: Path) -> None:
    classes = by(mart(corner, "marts.product_abc_xyz"), "product_id", "abc_class")
    assert [classes[name] for name in ("free-item", "never-sold", "canceled-item")] == ["C", "C", "C"]


def test_orders_of_two_sellers_are_on_no_scorecard(corner: Path) -> None:
    assert "other" not in set(mart(corner, "marts.seller_scorecard")["seller_id"])


# --- cells


def test_every_cell_is_reached_by_the_customer_made_for_it(small_warehouses: dict[str, Path]) -> None:
    rfm = mart(small_warehouses["cells"], "marts.customer_rfm")
    assert len(rfm) == 125
    assert (rfm["rfm_cell"] == rfm["customer_id"]).all()
    assert set(rfm["rfm_segment"]) == SEGMENTS
    assert set(rfm["loyalty_group"]) == {"loyal", "potentially_loyal", "one_time"}


def segment_of(recency: int, frequency: int, monetary: int) -> str:
    """Name a cell by the rule that the seed's description states."""
    much = monetary >= 4
    if frequency >= 3:
        if recency >= 4 and much:
            return "Champions"
        if recency >= 3:
            return "Loyal"
        return "Can't lose" if much else "At risk"
    if frequency == 2:
        return "Potential loyalists" if recency >= 4 else "Need attention" if recency == 3 else "At risk"
    return ["Lost", "Hibernating", "About to sleep", "Promising", "New"][recency - 1]


def loyalty_of(recency: int, frequency: int, monetary: int) -> str:
    if frequency >= 3:
        return "loyal"
    return "potentially_loyal" if frequency == 2 else "one_time"


def tier_of(recency: int, frequency: int, monetary: int) -> str:
    if recency <= 2 or frequency == 1:
        return "high"
    return "medium" if frequency == 2 else "low"


def test_the_seed_names_every_cell_once_by_its_stated_rule() -> None:
    seed = pd.read_csv(ROOT / "seeds" / "rfm_segments.csv")
    cells = list(zip(seed["recency_score"], seed["frequency_score"], seed["monetary_score"], strict=True))
    assert sorted(cells) == list(product(range(1, 6), repeat=3))
    assert list(seed["rfm_segment"]) == [segment_of(*cell) for cell in cells]
    assert list(seed["loyalty_group"]) == [loyalty_of(*cell) for cell in cells]
    assert list(seed["churn_risk_tier"]) == [tier_of(*cell) for cell in cells]


def test_no_segment_whose_name_promises_loyalty_holds_people_who_came_once() -> None:
    seed = pd.read_csv(ROOT / "seeds" / "rfm_segments.csv")
    promising = seed["rfm_segment"].isin({"Champions", "Loyal", "Potential loyalists", "Can't lose"})
    assert (seed.loc[promising, "frequency_score"] > 1).all()


# --- one order, and none


def test_one_order_makes_a_warehouse(small_warehouses: dict[str, Path]) -> None:
    warehouse = small_warehouses["one_order"]
    assert len(mart(warehouse, "marts.fct_orders")) == 1
    person = mart(warehouse, "marts.customer_segments").iloc[0]
    assert person[["recency_days", "frequency", "monetary"]].tolist() == [1, 1, 80]
    # cume_dist of the only value is 1: the most paid, and the longest ago.
    assert person["rfm_cell"] == "115"
    assert person[["churn_risk_tier", "abc_xyz_segment"]].tolist() == ["high", "A_single_purchase"]
    thing = mart(warehouse, "marts.product_abc_xyz").iloc[0]
    assert thing[["abc_class", "xyz_class"]].tolist() == ["A", "insufficient_history"], "it dominates"
    assert mart(warehouse, "marts.cohort_retention").empty, "no month is complete"
    survival = mart(warehouse, "marts.second_order_survival", "days_since_first_order")
    assert survival[["at_risk", "events", "survival"]].to_numpy().tolist() == [[1, 0, 1], [1, 0, 1]]


def test_an_empty_shop_makes_an_empty_warehouse(small_warehouses: dict[str, Path]) -> None:
    warehouse, other = small_warehouses["empty"], small_warehouses["one_order"]
    assert tables(warehouse, "marts") == tables(other, "marts")
    for table in ("dim_customers", "dim_products", "dim_sellers", "fct_orders", "fct_order_items", "fct_payments"):
        assert mart(warehouse, f"marts.{table}").empty, table
    for table in ("customer_rfm", "customer_segments", "customer_360", "cohort_retention", "segment_history"):
        assert mart(warehouse, f"marts.{table}").empty, table
    assert mart(warehouse, "quality.quarantine").empty
