"""What the raw files would have held on a past day."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from recompute.orders import day_the_data_ends
from recompute.raw import Raw, stamps


def without_later_orders(raw: Raw) -> Raw:
    """Leave out the orders after the day the data ends, with their rows in the other tables."""
    if raw.orders.empty:
        return raw
    purchases = stamps(raw.orders, "order_purchase_timestamp")
    orders = raw.orders[purchases < day_the_data_ends(purchases)]
    return replace(
        raw,
        orders=orders,
        products=_sold_by_then_or_never(raw, orders, "products", "product_id"),
        sellers=_sold_by_then_or_never(raw, orders, "sellers", "seller_id"),
        items=raw.items[raw.items["order_id"].isin(orders["order_id"])],
        payments=raw.payments[raw.payments["order_id"].isin(orders["order_id"])],
        reviews=raw.reviews[raw.reviews["order_id"].isin(orders["order_id"])],
    )


def _sold_by_then_or_never(raw: Raw, orders: pd.DataFrame, table: str, key: str) -> pd.DataFrame:
    """Leave out what only orders that are not among the given ones have sold."""
    known = raw.items["order_id"].isin(raw.orders["order_id"])
    seen = raw.items["order_id"].isin(orders["order_id"])
    later_only = set(raw.items.loc[known & ~seen, key]) - set(raw.items.loc[seen, key])
    kept: pd.DataFrame = getattr(raw, table)
    return kept[~kept[key].isin(later_only)]


def visible_as_of(raw: Raw, as_of: pd.Timestamp) -> Raw:
    """Cut the files at a day: whatever was stamped at or after it had not happened yet.

    Orders purchased later go, with their items, payments, reviews and their row of the customers file. Stamps of
    approval, carrier and delivery that lie ahead are blanked, and the status steps back to the furthest stage reached.
    A stage without a stamp of its own is believed, unless the stage before it lies ahead.
    Reviews answered later (or, unanswered, created later) go, and so do products and sellers sold only later.
    A cancellation has no stamp: it stays.
    """
    bought = stamps(raw.orders, "order_purchase_timestamp") < as_of
    orders = raw.orders[bought].copy()
    approved, shipped, delivered = (
        stamps(orders, column)
        for column in ("order_approved_at", "order_delivered_carrier_date", "order_delivered_customer_date")
    )

    status = orders["order_status"]
    reached = pd.Series("created", index=orders.index)
    reached = reached.mask(approved < as_of, "approved")
    stage_before_delivery = reached.mask(shipped < as_of, "shipped")
    ahead = {
        "delivered": delivered.fillna(shipped).fillna(approved) >= as_of,
        "shipped": shipped.fillna(approved) >= as_of,
        "approved": approved >= as_of,
        "invoiced": approved >= as_of,
        "processing": approved >= as_of,
    }
    for name, is_ahead in ahead.items():
        back_to = stage_before_delivery if name == "delivered" else reached
        orders["order_status"] = orders["order_status"].mask((status == name) & is_ahead, back_to)

    for column, values in (
        ("order_approved_at", approved),
        ("order_delivered_carrier_date", shipped),
        ("order_delivered_customer_date", delivered),
    ):
        orders[column] = orders[column].mask(values >= as_of)

    answered = stamps(raw.reviews, "review_answer_timestamp")
    known_at = answered.fillna(stamps(raw.reviews, "review_creation_date"))
    reviews = raw.reviews[~(known_at >= as_of)]

    def of_known_orders(table: pd.DataFrame) -> pd.DataFrame:
        return table[table["order_id"].isin(orders["order_id"])]

    return Raw(
        orders=orders,
        items=of_known_orders(raw.items),
        payments=of_known_orders(raw.payments),
        reviews=of_known_orders(reviews),
        customers=raw.customers[raw.customers["customer_id"].isin(orders["customer_id"])],
        geolocation=raw.geolocation,
        products=_sold_by_then_or_never(raw, orders, "products", "product_id"),
        sellers=_sold_by_then_or_never(raw, orders, "sellers", "seller_id"),
        translation=raw.translation,
    )
