"""The figures of the real Olist files that everyone who knows them expects, less the 20 orders after August 2018."""

from __future__ import annotations

from pathlib import Path

import pytest
from builds import query

pytestmark = pytest.mark.real

LANDMARKS = {
    "orders": ("select count(*) from marts.fct_orders", 99_421),
    "people": ("select count(*) from marts.dim_customers", 96_090),
    "orders after the day the data ends": ("select later_orders from marts.build_info", 20),
    "people who order more than once": ("select count(*) from marts.dim_customers where order_count > 1", 2_987),
    "people with several valid orders": ("select count(*) from marts.dim_customers where valid_order_count > 1", 2_887),
    "people who came back on another day": ("select count(*) from marts.dim_customers where is_repeat_customer", 2_064),
    "most orders of one person": ("select max(order_count) from marts.dim_customers", 17),
    "order lines": ("select count(*) from marts.fct_order_items", 112_649),
    "payment rows": ("select count(*) from marts.fct_payments", 103_866),
    "money paid, cents": ("select cast(100 * sum(payment_value) as bigint) from marts.fct_payments", 1_600_384_291),
    "money paid, by order, cents": (
        "select cast(100 * sum(payment_value) as bigint) from marts.fct_orders",
        1_600_384_291,
    ),
    "item price, cents": ("select cast(100 * sum(price) as bigint) from marts.fct_order_items", 1_359_149_870),
    "freight, cents": ("select cast(100 * sum(freight_value) as bigint) from marts.fct_order_items", 225_188_808),
    "order value, cents": (
        "select cast(100 * sum(order_value) as bigint) from marts.fct_orders",
        1_359_149_870 + 225_188_808,
    ),
    "reviews": ("select count(*) from marts.fct_reviews", 99_205),
    "orders with two reviews or more": ("select count(*) from marts.fct_orders where review_count > 1", 547),
    "orders without a review": ("select count(*) from marts.fct_orders where review_count = 0", 767),
    "products": ("select count(*) from marts.dim_products", 32_951),
    "sellers": ("select count(*) from marts.dim_sellers", 3_095),
    "delivered": ("select count(*) from marts.fct_orders where order_status = 'delivered'", 96_478),
    "canceled": ("select count(*) from marts.fct_orders where order_status = 'canceled'", 606),
    "unavailable": ("select count(*) from marts.fct_orders where order_status = 'unavailable'", 609),
    "zip prefixes": ("select count(*) from marts.dim_locations", 19_015),
    "raw geolocation rows": ("select raw_geolocation from marts.build_info", 1_000_163),
    "rejected raw rows": ("select count(*) from quality.quarantine", 0),
    "orders paid differently from their value": (
        """select count(*) from marts.fct_orders
        where item_count > 0 and payment_count > 0 and abs(order_value - payment_value) > 0.05""",
        260,
    ),
}


# What is dirty in the real files, by the name quality.anomalies gives it.
ANOMALIES = {
    "no approval date": 160,
    "no carrier date": 1_783,
    "no delivery date": 2_965,
    "delivered without a delivery date": 8,
    "canceled with a delivery date": 6,
    "with the carrier before approval": 1_359,
    "with the carrier before purchase": 166,
    "delivered before the carrier had it": 23,
    "payments differ from items and freight": 260,
    "several payments": 2_961,
    "payment of zero": 9,
    "payment type not defined": 3,
    "zero instalments": 2,
    "payment numbers do not start at 1": 80,
    "no payment": 1,
    "no items": 775,
    "no review": 768,
    "several reviews": 547,
    "no answer date": 45,
    "no creation date": 9,
    "comment over several lines": 3_852,
    "no category": 610,
    "category without a translation": 13,
    "no weight": 2,
    "weight of zero": 4,
    "exact duplicate": 261_836,
    "point outside the country": 31,
}


@pytest.mark.parametrize("landmark", LANDMARKS)
def test_the_real_files_give_the_known_figure(olist_warehouse: Path, landmark: str) -> None:
    sql, expected = LANDMARKS[landmark]
    figure = query(olist_warehouse, sql).iloc[0].astype("int64")
    assert figure.item() == expected


def test_the_last_complete_month_leaves_the_ragged_end_out(olist_warehouse: Path) -> None:
    info = query(olist_warehouse, "select as_of_date, last_complete_month from marts.build_info")
    assert [str(day)[:10] for day in info.iloc[0]] == ["2018-09-01", "2018-08-01"]
    cohorts = query(olist_warehouse, "select max(cohort_month) from marts.cohort_retention where is_observable")
    assert str(cohorts.iloc[0, 0])[:10] == "2018-08-01"


def test_the_oddities_of_the_real_files_are_counted(olist_warehouse: Path) -> None:
    counted = query(olist_warehouse, "select anomaly, row_count from quality.anomalies").set_index("anomaly")
    found = counted["row_count"].to_dict()
    assert {name: found.get(name) for name in ANOMALIES} == ANOMALIES


def test_zip_prefixes_unknown_to_the_geolocation_table_are_counted(olist_warehouse: Path) -> None:
    counted = query(olist_warehouse, "select source_table, row_count from quality.anomalies where anomaly like 'zip %'")
    assert counted.set_index("source_table")["row_count"].to_dict() == {"customers": 278, "sellers": 7}
