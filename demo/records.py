"""The rows of a chunk before they are written: what the shop's own database would have exported at the end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from demo.people import CARD, VOUCHER, Chunk
from demo.process import DAY, DAYS, Bools, Floats, Ints

STATUSES = ("created", "approved", "processing", "invoiced", "shipped", "delivered", "canceled", "unavailable")
CREATED, APPROVED, PROCESSING, INVOICED, SHIPPED, DELIVERED, CANCELED, UNAVAILABLE = range(len(STATUSES))
EXPORTED = DAYS * DAY  # stamps from here on are still to come
MOST_PAYMENTS = 29


@dataclass
class Orders:
    """One row per order, by purchase time; times in seconds since the start, ``inf`` where empty."""

    person: Ints
    place: Ints
    status: Ints
    purchased: Floats
    approved: Floats
    carried: Floats
    delivered: Floats
    promised: Floats
    payment: Ints


@dataclass
class Items:
    """One row per item line; ``order`` is the position of its order, money in cents."""

    order: Ints
    number: Ints
    product: Ints
    seller: Ints
    limit: Floats
    price: Ints
    freight: Ints


@dataclass
class Payments:
    """One row per payment; ``kind`` is a payment type, ``value`` cents."""

    order: Ints
    number: Ints
    kind: Ints
    installments: Ints
    value: Ints


@dataclass
class Reviews:
    """One row per (review, order); ``review`` numbers the reviews, which may repeat across orders."""

    review: Ints
    order: Ints
    score: Ints
    created: Floats
    answered: Floats


@dataclass
class Records:
    """The rows of one chunk."""

    people: int
    orders: Orders
    items: Items
    payments: Payments
    reviews: Reviews


def build_records(rng: np.random.Generator, chunk: Chunk) -> Records:
    """Turn a chunk into rows, as exported on the last day: nothing stamped later is in them."""
    valid, failed = chunk.valid, chunk.failed
    valid_size, failed_size = valid.person.size, failed.person.size
    stories = valid.stories
    approved = _so_far(stories.approved)
    carried = _so_far(stories.carried)
    delivered = _so_far(stories.delivered)
    between = rng.choice(np.array([APPROVED, PROCESSING, INVOICED]), size=valid_size, p=[0.1, 0.45, 0.45])
    status = np.where(np.isfinite(approved), between, CREATED)
    status = np.where(np.isfinite(carried), SHIPPED, status)
    status = np.where(np.isfinite(delivered), DELIVERED, status)

    purchased = np.concatenate([stories.purchased, failed.purchased])
    order_of_time = np.argsort(purchased, kind="stable")
    position = np.empty(purchased.size, dtype=np.int64)
    position[order_of_time] = np.arange(purchased.size)

    def joined(first: Any, second: Any) -> Any:
        return np.concatenate([first, second])[order_of_time]

    nothing = np.full(failed_size, np.inf)
    orders = Orders(
        person=joined(valid.person, failed.person),
        place=joined(valid.place, failed.place),
        status=joined(status, np.where(failed.is_unavailable, UNAVAILABLE, CANCELED)),
        purchased=purchased[order_of_time],
        approved=joined(approved, _so_far(failed.approved)),
        carried=joined(carried, _so_far(failed.carried)),
        delivered=joined(delivered, nothing),
        promised=joined(stories.promised_day, failed.promised_day) * DAY,
        payment=joined(valid.payment, failed.payment),
    )

    lines, others = chunk.valid_baskets, chunk.failed_baskets
    line_order = position[np.concatenate([lines.order, others.order + valid_size])]
    line_sort = np.argsort(line_order, kind="stable")
    line_order = line_order[line_sort]

    def line(name: str) -> Ints:
        return np.asarray(np.concatenate([getattr(lines, name), getattr(others, name)])[line_sort])

    price, freight = line("price"), line("freight")
    total = np.bincount(line_order, price + freight, minlength=purchased.size).astype(np.int64)
    has_items = joined(np.ones(valid_size, dtype=np.bool_), failed.has_items)
    sold = has_items[line_order]
    days_to_ship = rng.integers(3, 8, purchased.size)
    ready = np.where(np.isfinite(orders.approved), orders.approved, orders.purchased)
    items = Items(
        order=line_order[sold],
        number=line("number")[sold],
        product=line("product")[sold],
        seller=line("seller")[sold],
        limit=(ready + days_to_ship * DAY)[line_order[sold]],
        price=price[sold],
        freight=freight[sold],
    )
    created = np.concatenate([stories.created, failed.created])
    answered = np.concatenate([stories.answered, failed.answered])
    score = np.concatenate([stories.score, failed.score])
    reviewed = np.flatnonzero(answered < EXPORTED)
    reviewed = reviewed[np.argsort(position[reviewed])]
    reviews = Reviews(
        review=np.arange(reviewed.size),
        order=position[reviewed],
        score=score[reviewed],
        created=created[reviewed],
        answered=answered[reviewed],
    )
    return Records(chunk.people, orders, items, _draw_payments(rng, orders.payment, total), reviews)


def _so_far(stamp: Floats) -> Floats:
    return np.where(stamp < EXPORTED, stamp, np.inf)


def _draw_payments(rng: np.random.Generator, main: Ints, total: Ints) -> Payments:
    """Split each order's total into one or more payments that add up to it."""
    size = main.size
    count = np.ones(size, dtype=np.int64)
    # Vouchers are often several; cards are sometimes completed by one.
    several = np.flatnonzero((rng.random(size) < np.where(main == VOUCHER, 0.35, 0.016)) & (total > 500))
    count[several] = np.minimum(1 + rng.geometric(0.6, several.size), MOST_PAYMENTS)
    crowded = several[rng.random(several.size) < 0.01]
    count[crowded] = rng.integers(8, MOST_PAYMENTS + 1, crowded.size)

    order = np.repeat(np.arange(size), count)
    first = np.cumsum(count) - count
    number = np.arange(order.size) - first[order] + 1
    kind = main[order]
    rest = (count[order] > 1) & (number > 1)
    kind[rest] = VOUCHER

    weight = np.where(count[order] > 1, rng.exponential(1.0, order.size) + 0.05, 1.0)
    share = weight / np.bincount(order, weight, minlength=size)[order]
    value = np.where(count[order] > 1, np.floor(total[order] * share), total[order]).astype(np.int64)
    value[first] += total - np.bincount(order, value, minlength=size).astype(np.int64)

    installments = np.ones(order.size, dtype=np.int64)
    cards = np.flatnonzero(kind == CARD)
    installments[cards] = _draw_installments(rng, value[cards])
    return Payments(order, number, kind, installments, value)


def _draw_installments(rng: np.random.Generator, value: Ints) -> Ints:
    """Draw card instalments: the dearer, the more; ten is popular, above twelve is rare."""
    mean = np.clip(value / 100.0 / 65.0, 0.15, 7.0)
    drawn = 1 + np.minimum(rng.poisson(rng.gamma(1.2, mean / 1.2)), 9)
    popular: Bools = (drawn >= 8) & (rng.random(value.size) < 0.4)
    drawn = np.where(popular, 10, drawn)
    rare = rng.random(value.size) < 0.004
    return np.where(rare, rng.choice(np.array([11, 12, 15, 18, 24]), size=value.size), drawn)
