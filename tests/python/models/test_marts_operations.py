"""The seller scorecard, against the raw files."""

from __future__ import annotations

from builds import mart
from comparing import assert_same_rows
from conftest import Case
from recompute.segmentation import abc
from recompute.sellers import scorecard


def test_every_seller_has_the_recomputed_scorecard(case: Case) -> None:
    sold = case.expected.valid_lines.groupby("seller_id")["price"].sum().rename("revenue").reset_index()
    classes = abc(sold, "seller_id")[["seller_id", "abc_class"]]
    expected = scorecard(case.expected.raw, case.expected.orders).merge(classes, on="seller_id", how="left")
    assert_same_rows(mart(case.warehouse, "marts.seller_scorecard"), expected, ["seller_id"], money=("revenue",))
