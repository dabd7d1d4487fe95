"""Segment one person from a handful of orders: scores, segment, class, churn probability and reasons.

The thresholds and the model come from a published warehouse; the person need not be in it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from scoring.features import NAMES, from_arrow
from scoring.shipped import ShippedModel


@dataclass(frozen=True)
class Review:
    """A review of an order; `known_at` is when it was answered."""

    score: int
    known_at: datetime
    has_comment: bool = False
    review_id: str = ""


@dataclass(frozen=True)
class Order:
    """One order of a person, as much of it as is known; money in the shop's currency.

    Parameters
    ----------
    purchased_at : datetime
    payment_value : Decimal
        Sum of the payments.
    order_value, freight_value : Decimal
        Items with freight, and freight alone.
    is_valid : bool
        False for canceled and unavailable orders.
    delivered_at, estimated_delivery_date
        None while not delivered, or not delivered as an order that counts as delivered.
    order_id : str
        Orders of the same second are sorted by it.
    """

    purchased_at: datetime
    payment_value: Decimal
    order_value: Decimal = Decimal(0)
    freight_value: Decimal = Decimal(0)
    item_count: int = 1
    main_category: str | None = None
    payment_type: str | None = None
    max_installments: int | None = None
    state: str | None = None
    region: str | None = None
    is_valid: bool = True
    is_delivered: bool = True
    delivered_at: datetime | None = None
    estimated_delivery_date: date | None = None
    reviews: Sequence[Review] = field(default=())
    order_id: str = ""


@dataclass(frozen=True)
class SegmentedCustomer:
    """What the warehouse would say of this person."""

    recency_days: int
    frequency: int
    monetary: Decimal
    recency_score: int
    frequency_score: int
    monetary_score: int
    rfm_cell: str
    rfm_segment: str
    abc_class: str
    churn_probability: float | None
    churn_band: str | None
    reasons: tuple[str, ...]
    expected_revenue: float | None
    value_at_risk: float | None


@dataclass(frozen=True)
class Segmenter:
    """Thresholds and model of one published warehouse, read once.

    Parameters
    ----------
    as_of_date : date
        Day of the warehouse: what is stamped at or after it is not looked at.
    bands : mapping of str to list of (lower bound or None, score)
        Per axis of RFM, ascending.
    segments : mapping of str to str
        RFM cell to segment.
    abc_starts : mapping of str to revenue
        The largest revenue of classes B and C.
    model : ShippedModel or None
        None when the warehouse has no scores.
    """

    as_of_date: date
    bands: Mapping[str, Sequence[tuple[Decimal | None, int]]]
    segments: Mapping[str, str]
    abc_starts: Mapping[str, Decimal]
    model: ShippedModel | None

    @classmethod
    def open(cls, warehouse: Path) -> Segmenter:
        """Read what is needed from a published ``warehouse.duckdb``."""
        with duckdb.connect(str(warehouse), read_only=True) as connection:
            value = connection.execute("select value from marts.parameters where name = 'as_of_date'").fetchone()
            assert value is not None
            as_of = date.fromisoformat(str(value[0])[:10])
            bands: dict[str, list[tuple[Decimal | None, int]]] = {}
            for axis, lower, score in connection.execute(
                "select axis, lower_bound, score from marts.rfm_cut_points order by axis, lower_bound nulls first"
            ).fetchall():
                bands.setdefault(axis, []).append((lower, score))
            starts = {
                name: Decimal(revenue)
                for name, revenue in connection.execute(
                    "select abc_class, max(revenue) from marts.customer_abc where abc_class <> 'A' group by abc_class"
                ).fetchall()
            }
            segments = dict(connection.execute("select rfm_cell, rfm_segment from marts.rfm_segments").fetchall())
            model = connection.execute(
                """
                select definition
                from scores.churn_model
                where as_of_date = ? and horizon_days::varchar in (
                    select value from marts.parameters where name = 'churn_horizon_days'
                )
                """,
                [as_of],
            ).fetchone()
        return cls(as_of, bands, segments, starts, ShippedModel.from_json(model[0]) if model else None)

    def segment_customer(self, orders: Sequence[Order]) -> SegmentedCustomer:
        """Segment one person.

        Parameters
        ----------
        orders : sequence of Order
            The person's orders in any sequence.

        Returns
        -------
        SegmentedCustomer

        Raises
        ------
        ValueError
            No valid order before the warehouse's as_of_date.
        """
        features = customer_features(orders, self.as_of_date)
        recency, frequency = int(features["recency_days"]), int(features["order_count"])
        monetary = Decimal(features["monetary_total"])
        scores = [
            _band(self.bands["recency"], Decimal(recency)),
            _band(self.bands["frequency"], Decimal(frequency)),
            _band(self.bands["monetary"], monetary),
        ]
        cell = "".join(str(score) for score in scores)
        found = None
        if self.model is not None:
            columns = {name: pa.array([_arrow(features[name])]) for name in NAMES}
            found = self.model.score(from_arrow(pa.table(columns)))
        return SegmentedCustomer(
            recency_days=recency,
            frequency=frequency,
            monetary=monetary,
            recency_score=scores[0],
            frequency_score=scores[1],
            monetary_score=scores[2],
            rfm_cell=cell,
            rfm_segment=self.segments[cell],
            abc_class=self._abc_class(monetary),
            churn_probability=float(found.churn_probability[0]) if found else None,
            churn_band=str(found.churn_band[0]) if found else None,
            reasons=tuple(str(text[0]) for text in found.reasons.texts if text[0] is not None) if found else (),
            expected_revenue=float(found.expected_revenue[0]) if found else None,
            value_at_risk=float(found.value_at_risk[0]) if found else None,
        )

    def _abc_class(self, monetary: Decimal) -> str:
        for name in ("C", "B"):
            if name in self.abc_starts and monetary <= self.abc_starts[name]:
                return name
        return "A"


Value = Any  # a number, word, flag, or None where missing


def customer_features(orders: Sequence[Order], cutoff: date) -> dict[str, Value]:
    """Compute the features of one person at a cut-off, as ``churn_features`` does for everyone.

    Parameters
    ----------
    orders : sequence of Order
    cutoff : date
        What is stamped at or after its midnight is not looked at.

    Returns
    -------
    dict of str to value
        By feature name; None where missing.

    Raises
    ------
    ValueError
        No valid order before the cut-off.
    """
    past = sorted(
        (order for order in orders if order.purchased_at.date() < cutoff),
        key=lambda order: (order.purchased_at, order.order_id),
    )
    valid = [order for order in past if order.is_valid]
    if not valid:
        raise ValueError(f"No valid order before {cutoff}.")
    occasions = _occasions(valid)
    first, last = occasions[0], occasions[-1]
    count = len(occasions)
    days = [order.purchased_at.date() for order in occasions]
    gaps = [(later - earlier).days for earlier, later in pairwise(days)]
    span = (days[-1] - days[0]).days
    recency = (cutoff - days[-1]).days
    total = sum((order.payment_value for order in valid), Decimal(0))
    before = total - last.payment_value
    largest = max(occasions, key=lambda order: order.payment_value)  # the first of equals
    value = sum((order.order_value for order in valid), Decimal(0))
    delivered = [order for order in past if _delivery(order, cutoff) is not None and order.is_delivered]
    delays = [delay for order in delivered if (delay := _delay(order)) is not None]
    reviews = sorted(
        (
            (review.known_at, review.review_id, order.order_id, review)
            for order in valid
            for review in order.reviews
            if review.known_at.date() < cutoff
        ),
        key=lambda found: found[:3],
    )
    spread = max((sum(gap * gap for gap in gaps) - span * span / (count - 1)) / (count - 2), 0) if count > 2 else None
    last_delivery = _delivery(last, cutoff) if last.is_delivered else None
    return {
        "recency_days": recency,
        "recency_to_mean_gap": _ratio(recency * (count - 1), span) if span else None,
        "tenure_days": (cutoff - days[0]).days,
        "order_count": count,
        "order_count_90_days": sum((cutoff - day).days <= 90 for day in days),
        "order_count_365_days": sum((cutoff - day).days <= 365 for day in days),
        "mean_gap_days": _ratio(span, count - 1),
        "gap_days_sd": None if spread is None else round(math.sqrt(spread), 6),
        "last_gap_days": gaps[-1] if gaps else None,
        "monetary_total": total,
        "monetary_mean": _ratio(total, count),
        "last_order_payment": last.payment_value,
        "largest_order_payment": largest.payment_value,
        "first_order_payment": first.payment_value,
        "spend_trend": _ratio(float(last.payment_value) * (count - 1), before) if count > 1 else None,
        "items_per_order": _ratio(sum(order.item_count for order in valid), count),
        "last_order_items": last.item_count,
        "freight_share": _ratio(sum((order.freight_value for order in valid), Decimal(0)), value),
        "last_category": last.main_category or "unknown",
        "first_category": first.main_category or "unknown",
        "main_category": largest.main_category or "unknown",
        "category_count": len({order.main_category or "unknown" for order in valid}),
        "last_payment_type": last.payment_type or "unknown",
        "first_payment_type": first.payment_type or "unknown",
        "last_installments": last.max_installments,
        "customer_state": last.state or "unknown",
        "customer_region": last.region or "unknown",
        "last_delivery_days": None if last_delivery is None else (last_delivery - days[-1]).days,
        "last_delay_days": None if last_delivery is None else _delay(last),
        "mean_delivery_days": _ratio(
            sum((_must(order.delivered_at).date() - order.purchased_at.date()).days for order in delivered),
            len(delivered),
        ),
        "mean_delay_days": _ratio(sum(delays), len(delays)),
        "late_share": _ratio(sum(delay > 0 for delay in delays), len(delays)),
        "has_open_delivery": any(_delivery(order, cutoff) is None for order in valid),
        "last_review_score": reviews[-1][3].score if reviews else None,
        "mean_review_score": _ratio(sum(found[3].score for found in reviews), len(reviews)),
        "review_count": len(reviews),
        "is_last_review_missing": not any(
            review.known_at.date() < cutoff
            for order in valid
            if order.purchased_at.date() == days[-1]
            for review in order.reviews
        ),
        "has_review_comment": any(found[3].has_comment for found in reviews),
        "last_order_weekday": days[-1].isoweekday(),
        "last_order_month": days[-1].month,
        "canceled_order_count": len(past) - len(valid),
    }


def _occasions(orders: Sequence[Order]) -> list[Order]:
    """Make one order of each day's: money and items added up, the rest as in the day's last order."""
    days = [list(group) for _, group in groupby(orders, key=lambda order: order.purchased_at.date())]
    return [
        replace(
            group[-1],
            payment_value=sum((order.payment_value for order in group), Decimal(0)),
            item_count=sum(order.item_count for order in group),
        )
        for group in days
    ]


def _delivery(order: Order, cutoff: date) -> date | None:
    if order.delivered_at is None or order.delivered_at.date() >= cutoff:
        return None
    return order.delivered_at.date()


def _delay(order: Order) -> int | None:
    if order.delivered_at is None or order.estimated_delivery_date is None:
        return None
    return (order.delivered_at.date() - order.estimated_delivery_date) // timedelta(days=1)


def _must(moment: datetime | None) -> datetime:
    assert moment is not None
    return moment


def _ratio(numerator: float | Decimal, denominator: float | Decimal) -> float | None:
    return round(float(numerator) / float(denominator), 9) if denominator else None


def _band(bands: Sequence[tuple[Decimal | None, int]], value: Decimal) -> int:
    found = bands[0][1]
    for lower, score in bands:
        if lower is None or value >= lower:
            found = score
    return found


def _arrow(value: Value) -> float | str | bool | None:
    if isinstance(value, (Decimal, int)) and not isinstance(value, bool):
        return float(value)
    return np.nan if value is None else value
