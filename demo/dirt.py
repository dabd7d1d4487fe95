"""The dirt of a real export, in its usual proportions.

The return process has run by now. What it used stays as it was, or changes only where it had no effect: a delivery
date is emptied only where the parcel was on time, a review's stamp only where the score's factor is 1.
"""

from __future__ import annotations

import numpy as np

from demo.people import CARD, UNDEFINED, VOUCHER
from demo.process import DAY, Bools, Ints
from demo.records import CANCELED, DELIVERED, EXPORTED, Records

NEUTRAL_SCORE = 4
SMALLEST_DIRTY_SHOP = 100  # orders; below this, dirt comes by chance only


class Soiler:
    """Soils the records of one chunk.

    Parameters
    ----------
    rng
        The chunk's own stream for dirt.
    every_kind
        Whether each kind must occur at least once, whatever its share.
    """

    def __init__(self, rng: np.random.Generator, every_kind: bool) -> None:
        """Keep the stream."""
        self._rng = rng
        self._every_kind = every_kind

    def soil(self, records: Records) -> None:
        """Soil the records in place."""
        self._soil_stamps(records)
        self._soil_items(records)
        self._soil_payments(records)
        self._soil_reviews(records)

    def _pick(self, candidates: Bools, share: float) -> Ints:
        """Pick rows among the candidates: ``share`` of them, rounded by chance."""
        rows = np.flatnonzero(candidates)
        count = int(np.floor(share * rows.size + self._rng.random()))
        if self._every_kind:
            count = max(count, 1)
        return self._rng.choice(rows, size=min(count, rows.size), replace=False)

    def _soil_stamps(self, records: Records) -> None:
        orders = records.orders
        delivered = orders.status == DELIVERED
        on_time = delivered & (np.floor(orders.delivered / DAY) * DAY <= orders.promised)
        reviewed = np.zeros(orders.person.size, dtype=np.bool_)
        reviewed[records.reviews.order] = True
        closed = on_time & reviewed

        orders.approved[self._pick(closed, 0.00016)] = np.inf
        orders.carried[self._pick(closed, 0.00003)] = np.inf
        orders.delivered[self._pick(closed, 0.00009)] = np.inf
        moved = closed & np.isfinite(orders.approved) & np.isfinite(orders.carried) & np.isfinite(orders.delivered)
        early = self._pick(moved, 0.011)
        orders.carried[early] = np.maximum(
            orders.approved[early] - np.floor(self._rng.uniform(600, 30_000, early.size)), orders.purchased[early] + 60
        )
        moved[early] = False
        before = self._pick(moved, 0.0018)
        orders.carried[before] = orders.purchased[before] - np.floor(self._rng.uniform(600, 2 * DAY, before.size))
        moved[before] = False
        after = self._pick(moved, 0.00024)
        orders.carried[after] = orders.delivered[after] + np.floor(self._rng.uniform(600, 3 * DAY, after.size))

        canceled = (orders.status == CANCELED) & (orders.purchased + 25 * DAY < EXPORTED)
        returned = self._pick(canceled, 0.01)
        orders.carried[returned] = orders.purchased[returned] + np.floor(self._rng.uniform(2, 5, returned.size) * DAY)
        orders.delivered[returned] = orders.carried[returned] + np.floor(self._rng.uniform(4, 15, returned.size) * DAY)

    def _soil_items(self, records: Records) -> None:
        items = records.items
        # A typing error in the year: goods to be shipped two years from now.
        items.limit[self._pick(np.ones(items.order.size, dtype=np.bool_), 0.00004)] += 2 * 365 * DAY

    def _soil_payments(self, records: Records) -> None:
        orders, payments = records.orders, records.payments
        count = np.bincount(payments.order, minlength=orders.person.size)
        single = count[payments.order] == 1
        clean = single & (orders.status[payments.order] == DELIVERED)
        cards = clean & (payments.kind == CARD)

        late = self._pick(cards, 0.0011)
        payments.number[late] = 2
        cards[late] = False
        payments.installments[self._pick(cards, 0.00003)] = 0
        off = self._pick(cards, 0.0036)
        wrong = np.round(payments.value[off] * self._rng.uniform(0.9, 1.1, off.size))
        payments.value[off] = np.maximum(wrong, 1).astype(np.int64)

        canceled = single & (orders.status[payments.order] == CANCELED)
        undefined = self._pick(canceled, 0.005)
        payments.kind[undefined] = UNDEFINED
        payments.installments[undefined] = 1
        payments.value[undefined] = 0

        # A voucher with nothing left on it, in front of the payment that counts.
        spent = self._pick(cards & (payments.number == 1), 0.0001)
        unpaid = self._pick(clean & (payments.kind == VOUCHER), 0.0) if self._every_kind else spent[:0]
        extra = np.full(spent.size, 1)
        kept = np.ones(payments.order.size, dtype=np.bool_)
        kept[unpaid] = False
        order = np.concatenate([payments.order[kept], payments.order[spent]])
        sort = np.argsort(order, kind="stable")
        payments.number = np.concatenate([payments.number[kept], extra + 1])[sort]
        payments.kind = np.concatenate([payments.kind[kept], np.full(spent.size, VOUCHER)])[sort]
        payments.installments = np.concatenate([payments.installments[kept], extra])[sort]
        payments.value = np.concatenate([payments.value[kept], extra * 0])[sort]
        payments.order = order[sort]

    def _soil_reviews(self, records: Records) -> None:
        reviews = records.reviews
        neutral = reviews.score == NEUTRAL_SCORE
        size = reviews.order.size
        everything = np.ones(size, dtype=np.bool_)

        # A second opinion with the same score, a little later.
        twice = self._pick(everything & (reviews.answered < EXPORTED - 20 * DAY), 0.0056)
        wait = np.floor(self._rng.uniform(1, 15, twice.size)) * DAY

        # One review filed under two orders: the later one takes over the number of an earlier one with its score.
        copies = self._pick(everything & (np.arange(size) > size // 2), 0.016)
        for score in range(1, 6):
            later = copies[reviews.score[copies] == score]
            sources = np.flatnonzero((reviews.score == score) & (np.arange(size) <= size // 2))
            if sources.size:
                later = later[: sources.size]
                reviews.review[later] = self._rng.choice(sources, size=later.size, replace=False)

        unanswered = self._pick(neutral, 0.0024)
        neutral[unanswered] = False
        undated = self._pick(neutral, 0.0005)
        review = np.concatenate([reviews.review, size + np.arange(twice.size)])
        order = np.concatenate([reviews.order, reviews.order[twice]])
        score_column = np.concatenate([reviews.score, reviews.score[twice]])
        created = np.concatenate([reviews.created, reviews.created[twice] + wait])
        answered = np.concatenate([reviews.answered, reviews.answered[twice] + wait])
        answered[unanswered] = np.inf
        created[undated] = np.inf
        sort = np.argsort(order, kind="stable")
        reviews.review, reviews.order, reviews.score = review[sort], order[sort], score_column[sort]
        reviews.created, reviews.answered = created[sort], answered[sort]
