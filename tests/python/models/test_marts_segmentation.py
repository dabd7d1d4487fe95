"""RFM, ABC and XYZ of every customer, product, category and seller, against the raw files."""

from __future__ import annotations

import pandas as pd
from builds import ROOT, mart
from comparing import assert_same_rows
from conftest import Case
from recompute.segmentation import abc, abc_xyz, customer_xyz, score_by_bands


def test_every_customer_has_the_recomputed_rfm(case: Case) -> None:
    published = mart(case.warehouse, "marts.customer_rfm")
    published["weighted_tenths"] = (published["rfm_weighted_score"].astype(float) * 10).round(6)
    assert_same_rows(published, case.expected.rfm, ["customer_id"], money=("monetary",))


def test_cut_points_alone_score_every_customer_alike(case: Case) -> None:
    bands = mart(case.warehouse, "marts.rfm_cut_points", "axis, lower_bound nulls first")
    axes = {axis: bands[bands["axis"] == axis] for axis in bands["axis"].unique()}
    customers = mart(case.warehouse, "marts.customer_rfm")
    for axis, value in {"recency": "recency_days", "frequency": "frequency", "monetary": "monetary"}.items():
        assert (score_by_bands(customers[value], axes[axis]) == customers[f"{axis}_score"]).all(), axis
        if axis != "frequency":
            assert axes[axis]["customers"].sum() == len(customers)
    named = mart(case.warehouse, "marts.rfm_segments").set_index("rfm_cell")
    for column in ("rfm_segment", "churn_risk_tier", "loyalty_group"):
        assert (customers["rfm_cell"].map(named[column]) == customers[column]).all(), column


def customers_abc(case: Case) -> pd.DataFrame:
    revenue = case.expected.rfm.rename(columns={"monetary": "revenue"})[["customer_id", "revenue"]]
    return abc(revenue, "customer_id")


def test_every_customer_has_the_recomputed_abc_class(case: Case) -> None:
    expected = customers_abc(case).drop(columns="revenue")
    assert_same_rows(mart(case.warehouse, "marts.customer_abc"), expected, ["customer_id"])


def test_every_customer_has_the_recomputed_xyz_class(case: Case) -> None:
    assert_same_rows(mart(case.warehouse, "marts.customer_xyz"), customer_xyz(case.expected.orders), ["customer_id"])


def test_every_customer_has_the_joined_segments(case: Case) -> None:
    expected = customers_abc(case)[["customer_id", "abc_class"]].merge(
        customer_xyz(case.expected.orders)[["customer_id", "xyz_class"]], on="customer_id"
    )
    expected["abc_xyz_segment"] = expected["abc_class"] + "_" + expected["xyz_class"]
    rfm = case.expected.rfm[["customer_id", "rfm_cell", "rfm_segment", "loyalty_group", "churn_risk_tier"]]
    published = mart(case.warehouse, "marts.customer_segments")
    assert_same_rows(published, expected.merge(rfm, on="customer_id"), ["customer_id"])
    described = read_descriptions("customer")
    assert (published["description_en"] == published["abc_xyz_segment"].map(described["description_en"])).all()
    assert (published["description_ru"] == published["abc_xyz_segment"].map(described["description_ru"])).all()


def read_descriptions(scope: str) -> pd.DataFrame:
    seed = pd.read_csv(ROOT / "seeds" / "abc_xyz_descriptions.csv")
    return seed[seed["scope"] == scope].set_index("abc_xyz_segment")


def test_every_code_is_described_once() -> None:
    customers = {f"{a}_{x}" for a in "ABC" for x in ("X", "Y", "Z", "two_purchases", "single_purchase")}
    products = {f"{a}_{x}" for a in "ABC" for x in "XYZ"} | {"insufficient_history"}
    for scope, codes in (("customer", customers), ("product", products)):
        described = read_descriptions(scope)
        assert sorted(described.index) == sorted(codes)
        assert described["description_ru"].str.contains(r"[\u0430-\u044f]").all()


def check_abc_xyz(case: Case, table: str, key: str, column: str) -> None:
    lines = case.expected.valid_lines.rename(columns={column: key})
    expected = abc_xyz(lines, key, case.expected.calendar.last_complete_month)
    published = mart(case.warehouse, f"marts.{table}")
    sold = published[key].isin(expected[key])
    assert_same_rows(published[sold], expected, [key], money=("revenue",))
    unsold = published[~sold]
    assert (unsold["revenue"] == 0).all()
    assert (unsold["abc_class"] == "C").all()
    assert (unsold["xyz_class"] == "insufficient_history").all()


def test_every_product_is_classified_sold_or_not(case: Case) -> None:
    published = mart(case.warehouse, "marts.product_abc_xyz")
    assert set(published["product_id"]) == set(case.expected.raw.products["product_id"])


def test_every_product_has_the_recomputed_classes(case: Case) -> None:
    check_abc_xyz(case, "product_abc_xyz", "product_id", "product_id")


def test_every_category_has_the_recomputed_classes(case: Case) -> None:
    check_abc_xyz(case, "category_abc_xyz", "product_category", "category")


def test_every_seller_has_the_recomputed_abc_class(case: Case) -> None:
    sold = case.expected.valid_lines.groupby("seller_id")["price"].sum().rename("revenue").reset_index()
    published = mart(case.warehouse, "marts.seller_abc")
    unsold = published[~published["seller_id"].isin(sold["seller_id"])]
    assert (unsold["abc_class"] == "C").all()
    assert_same_rows(
        published[published["seller_id"].isin(sold["seller_id"])],
        abc(sold, "seller_id"),
        ["seller_id"],
        money=("revenue",),
    )
