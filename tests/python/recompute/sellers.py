"""The seller scorecard: what single-seller orders say about a seller."""

from __future__ import annotations

import pandas as pd

from recompute.orders import items
from recompute.raw import Raw


def single_seller_orders(raw: Raw, orders: pd.DataFrame) -> pd.DataFrame:
    """Return the valid orders all of whose lines are one seller's, with that seller."""
    seller = items(raw).groupby("order_id")["seller_id"].first()
    alone = orders[(orders["seller_count"] == 1) & orders["is_valid_order"]].copy()
    alone["seller_id"] = alone["order_id"].map(seller)
    return alone


PRIOR_REVIEWS = 15  # reviews of the overall mean that every seller's score starts with


def scorecard(raw: Raw, orders: pd.DataFrame) -> pd.DataFrame:
    """Return volume, revenue (cents), delivery and review scores per seller, from single-seller orders."""
    alone = single_seller_orders(raw, orders)
    grouped = alone.groupby("seller_id")
    table = pd.DataFrame(
        {
            "orders": grouped.size(),
            "items": grouped["item_count"].sum(),
            "revenue": grouped["item_value"].sum(),
            "first_order_date": grouped["order_date"].min(),
            "last_order_date": grouped["order_date"].max(),
            "delivered_orders": grouped["delivery_days"].count(),
            "late_orders": grouped["is_late"].sum().astype("int64"),
            "reviewed_orders": grouped["review_score"].count(),
            "score_sum": grouped["review_score"].sum().astype("int64"),
        }
    )
    table["mean_delivery_days"] = grouped["delivery_days"].sum().astype(float) / _positive(table["delivered_orders"])
    table["late_share"] = table["late_orders"] / _positive(table["delivered_orders"])
    table["mean_review_score"] = table["score_sum"] / _positive(table["reviewed_orders"])
    overall = table["score_sum"].sum() / table["reviewed_orders"].sum()
    table["shrunk_review_score"] = (table["score_sum"] + PRIOR_REVIEWS * overall) / (
        table["reviewed_orders"] + PRIOR_REVIEWS
    )
    return table.reset_index()


def _positive(counts: pd.Series) -> pd.Series:
    return counts.where(counts > 0)
