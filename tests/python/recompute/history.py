"""Segments as they were at past month ends, without hindsight."""

from __future__ import annotations

import pandas as pd

from recompute.orders import orders
from recompute.raw import Raw, stamps
from recompute.segmentation import rfm_scores, rfm_values


def segments_at(raw: Raw, next_month: pd.Timestamp, cells: pd.DataFrame) -> pd.DataFrame:
    """Return scores and segments as a shop that only knows the orders placed before a month's first day."""
    known = raw.orders[stamps(raw.orders, "order_purchase_timestamp") < next_month]["order_id"]
    past = Raw(
        orders=raw.orders[raw.orders["order_id"].isin(known)],
        items=raw.items[raw.items["order_id"].isin(known)],
        payments=raw.payments[raw.payments["order_id"].isin(known)],
        reviews=raw.reviews[raw.reviews["order_id"].isin(known)],
        customers=raw.customers,
        geolocation=raw.geolocation,
        products=raw.products,
        sellers=raw.sellers,
        translation=raw.translation,
    )
    return rfm_scores(rfm_values(orders(past), next_month), cells)
