"""Orders and people, against the raw files."""

from __future__ import annotations

import pandas as pd
from builds import mart
from comparing import assert_same_rows
from conftest import Case
from recompute.customers import customers
from recompute.orders import categories, items
from recompute.raw import cents, stamps

ORDER_MONEY = ("item_value", "freight_value", "order_value", "payment_value")


def test_every_order_is_rolled_up_as_recomputed(case: Case) -> None:
    assert_same_rows(mart(case.warehouse, "marts.fct_orders"), case.expected.orders, ["order_id"], money=ORDER_MONEY)


def test_every_person_is_as_recomputed(case: Case) -> None:
    assert_same_rows(mart(case.warehouse, "marts.dim_customers"), customers(case.expected.orders), ["customer_id"])


def test_every_order_line_is_in_the_facts(case: Case) -> None:
    raw = case.expected.raw.items
    expected = items(case.expected.raw).assign(order_item_number=pd.to_numeric(raw["order_item_id"]))
    expected = expected.rename(columns={"freight": "freight_value", "category": "product_category"})
    assert_same_rows(
        mart(case.warehouse, "marts.fct_order_items"),
        expected,
        ["order_id", "order_item_number"],
        money=("price", "freight_value"),
    )


def test_every_payment_row_is_in_the_facts(case: Case) -> None:
    raw = case.expected.raw.payments
    expected = pd.DataFrame(
        {
            "order_id": raw["order_id"],
            "payment_number": pd.to_numeric(raw["payment_sequential"]),
            "payment_type": raw["payment_type"],
            "installments": pd.to_numeric(raw["payment_installments"]),
            "payment_value": cents(raw["payment_value"]),
        }
    )
    published = mart(case.warehouse, "marts.fct_payments")
    assert_same_rows(published, expected, ["order_id", "payment_number"], money=("payment_value",))


def test_every_review_is_in_the_facts(case: Case) -> None:
    raw = case.expected.raw.reviews
    expected = pd.DataFrame(
        {
            "review_id": raw["review_id"],
            "order_id": raw["order_id"],
            "review_score": pd.to_numeric(raw["review_score"]),
            "review_created_at": stamps(raw, "review_creation_date"),
            "review_answered_at": stamps(raw, "review_answer_timestamp"),
        }
    )
    assert_same_rows(mart(case.warehouse, "marts.fct_reviews"), expected, ["review_id", "order_id"])


def test_every_product_has_its_english_category(case: Case) -> None:
    expected = categories(case.expected.raw).reset_index()
    assert_same_rows(mart(case.warehouse, "marts.dim_products"), expected, ["product_id"])
