# mypy: disable-error-code="no-any-return"
"""Orders: items, payments and reviews rolled up to one row each, and the shop's calendar."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from recompute.raw import Raw, cents, stamps

INVALID_STATUSES = ("canceled", "unavailable")
COMPLETE_MONTH_MIN_SHARE = 0.10


@dataclass(frozen=True)
class Calendar:
    """The days a shop's numbers hang on."""

    as_of: pd.Timestamp
    last_complete_month: pd.Timestamp | None
    later_orders: int = 0


def categories(raw: Raw) -> pd.Series:
    """Return each product's English category by product id: translated, else as it is, else unknown."""
    english = raw.translation.set_index("product_category_name")["product_category_name_english"]
    name = raw.products.set_index("product_id")["product_category_name"]
    return name.map(english).fillna(name).fillna("unknown").rename("product_category")


def items(raw: Raw) -> pd.DataFrame:
    """Return the order lines with money in cents and the product's category."""
    lines = raw.items[["order_id", "product_id", "seller_id"]].copy()
    lines["price"] = cents(raw.items["price"])
    lines["freight"] = cents(raw.items["freight_value"])
    lines["category"] = lines["product_id"].map(categories(raw)).fillna("unknown")
    return lines


def _days(later: pd.Series, earlier: pd.Series) -> pd.Series:
    """Return whole calendar days between two columns of stamps."""
    return (later.dt.normalize() - earlier.dt.normalize()).dt.days.astype("Int64")


def orders(raw: Raw) -> pd.DataFrame:
    """Roll everything up to one row per order, ordered by order id."""
    table = raw.orders.merge(raw.customers, on="customer_id", how="left", validate="one_to_one")
    frame = pd.DataFrame(
        {
            "order_id": table["order_id"],
            "order_customer_id": table["customer_id"],
            "customer_id": table["customer_unique_id"],
            "order_status": table["order_status"],
            "is_valid_order": ~table["order_status"].isin(INVALID_STATUSES),
            "purchased_at": stamps(table, "order_purchase_timestamp"),
            "approved_at": stamps(table, "order_approved_at"),
            "shipped_at": stamps(table, "order_delivered_carrier_date"),
            "delivered_at": stamps(table, "order_delivered_customer_date"),
            "estimated_delivery_date": stamps(table, "order_estimated_delivery_date").dt.normalize(),
            "customer_zip_code_prefix": table["customer_zip_code_prefix"],
            "customer_city": table["customer_city"],
            "customer_state": table["customer_state"],
        }
    )
    frame["order_date"] = frame["purchased_at"].dt.normalize()
    frame["order_month"] = month_of(frame["purchased_at"])
    frame = frame.set_index("order_id").sort_index()
    assert frame.index.is_unique

    _add_items(frame, raw)
    _add_payments(frame, raw)
    _add_reviews(frame, raw)
    _add_delivery(frame)

    valid = frame[frame["is_valid_order"]].reset_index().sort_values(["customer_id", "purchased_at", "order_id"])
    number = valid.groupby("customer_id").cumcount() + 1
    frame["customer_order_number"] = pd.Series(number.to_numpy(), index=valid["order_id"], dtype="Int64")
    # the first order of each day opens an occasion
    opens = ~valid.duplicated(["customer_id", "order_date"])
    occasion = opens.astype(int).groupby(valid["customer_id"]).cumsum()
    frame["customer_occasion_number"] = pd.Series(occasion.to_numpy(), index=valid["order_id"], dtype="Int64")
    return frame.reset_index()


def _add_items(frame: pd.DataFrame, raw: Raw) -> None:
    lines = items(raw)
    by_order = lines.groupby("order_id")
    frame["item_count"] = by_order.size().reindex(frame.index, fill_value=0)
    frame["seller_count"] = by_order["seller_id"].nunique().reindex(frame.index, fill_value=0)
    frame["item_value"] = by_order["price"].sum().reindex(frame.index, fill_value=0)
    frame["freight_value"] = by_order["freight"].sum().reindex(frame.index, fill_value=0)
    frame["order_value"] = frame["item_value"] + frame["freight_value"]
    by_category = lines.groupby(["order_id", "category"])[["price"]].sum().reset_index()
    largest = by_category.sort_values(["order_id", "price", "category"], ascending=[True, False, True])
    frame["main_category"] = largest.drop_duplicates("order_id").set_index("order_id")["category"].reindex(frame.index)


def _add_payments(frame: pd.DataFrame, raw: Raw) -> None:
    payments = raw.payments.assign(
        value=cents(raw.payments["payment_value"]),
        sequence=pd.to_numeric(raw.payments["payment_sequential"]),
        installments=pd.to_numeric(raw.payments["payment_installments"]),
    )
    by_order = payments.groupby("order_id")
    frame["payment_count"] = by_order.size().reindex(frame.index, fill_value=0)
    frame["payment_value"] = by_order["value"].sum().reindex(frame.index, fill_value=0)
    frame["max_installments"] = by_order["installments"].max().reindex(frame.index).astype("Int64")
    largest = payments.sort_values(["order_id", "value", "sequence"], ascending=[True, False, True])
    frame["payment_type"] = (
        largest.drop_duplicates("order_id").set_index("order_id")["payment_type"].reindex(frame.index)
    )


def _add_reviews(frame: pd.DataFrame, raw: Raw) -> None:
    reviews = raw.reviews[["order_id", "review_id"]].assign(
        score=pd.to_numeric(raw.reviews["review_score"]),
        answered_at=stamps(raw.reviews, "review_answer_timestamp"),
    )
    frame["review_count"] = reviews.groupby("order_id").size().reindex(frame.index, fill_value=0)
    # The latest answer speaks for the order; an unanswered review only when there is no other.
    latest = (
        reviews.sort_values(["order_id", "answered_at", "review_id"], na_position="first")
        .drop_duplicates("order_id", keep="last")
        .set_index("order_id")
        .reindex(frame.index)
    )
    frame["review_score"] = latest["score"].astype("Int64")
    frame["review_answered_at"] = latest["answered_at"]


def _add_delivery(frame: pd.DataFrame) -> None:
    frame["is_delivered"] = frame["order_status"] == "delivered"
    delivered = frame["delivered_at"].where(frame["is_delivered"])
    frame["delivery_days"] = _days(delivered, frame["purchased_at"])
    frame["delay_days"] = _days(delivered, frame["estimated_delivery_date"])
    frame["is_late"] = frame["delay_days"] > 0


def month_of(times: pd.Series) -> pd.Series:
    """Return the first day of each stamp's month."""
    return times.dt.to_period("M").dt.to_timestamp().astype("datetime64[us]")


def months_between(start: pd.Series, end: pd.Series | pd.Timestamp) -> pd.Series:
    """Return whole calendar months from one month to another."""
    if isinstance(end, pd.Timestamp):
        return (end.year - start.dt.year) * 12 + end.month - start.dt.month
    return (end.dt.year - start.dt.year) * 12 + end.dt.month - start.dt.month


def calendar(frame: pd.DataFrame, as_of: pd.Timestamp | None = None) -> Calendar | None:
    """Return the day the shop is seen from and its last complete month; None for a shop without orders.

    The median is that of the months that ended before the as-of day, from the first order's month on; months without
    orders count. A month without any order is never the last complete one.

    Parameters
    ----------
    frame
        Orders with `purchased_at` and `order_month`, later ones included.
    as_of
        The day set by hand; by default the day the data ends.
    """
    if frame.empty:
        return None
    as_of = as_of or day_the_data_ends(frame["purchased_at"])
    later = int((frame["purchased_at"] >= as_of).sum())
    frame = frame[frame["purchased_at"] < as_of]
    this_month = as_of.to_period("M")
    ended = pd.period_range(frame["order_month"].min(), this_month - 1, freq="M").to_timestamp()
    counts = frame["order_month"].value_counts().reindex(ended, fill_value=0)
    enough = [
        month
        for month, count in zip(ended, counts, strict=True)
        if count > 0 and count >= COMPLETE_MONTH_MIN_SHARE * np.median(counts)
    ]
    return Calendar(as_of=as_of, last_complete_month=max(enough, default=None), later_orders=later)


def day_the_data_ends(purchases: pd.Series) -> pd.Timestamp:
    """Return the day after the last month whose orders per day come up to a tenth of the median month's.

    The last month is as long as it has been seen, so its day after is the one after the last purchase.
    """
    last_day = purchases.max().normalize()
    counts = purchases.dt.to_period("M").value_counts().sort_index()
    ends = {month: min(month.end_time.normalize(), last_day) for month in counts.index}
    rate = pd.Series({month: round(count / ends[month].day, 9) for month, count in counts.items()})
    kept = rate.index[rate >= round(COMPLETE_MONTH_MIN_SHARE * rate.median(), 6)]
    return ends[max(kept)] + pd.Timedelta(days=1)
