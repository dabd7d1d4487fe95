"""What the forecast would have been worth on closed windows: money, rankings, bands, and what a contact must bring.

Arrays in, rows out. Everything is that of the kind of model that ships, fitted on what was known on the day.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from scoring.evaluate import Z, tenths, wilson
from scoring.features import Flags, Floats
from scoring.run import Judged, Outcome, rounded

EVERYONE = 0  # the tenth that stands for all of them together
UNSEEN = 3.69  # events that a count of none leaves possible: -ln(0.025)
SHARES = (0.01, 0.02, 0.05, 0.10, 0.20, 0.50)
FIRST = 1_000
# Shares of the customers by P(return), most likely first, and what their band is called.
RANK_BANDS = ((0.01, "top 1 %"), (0.05, "1 to 5 %"), (0.20, "5 to 20 %"), (0.50, "20 to 50 %"))
REST = "rest"
CHANCE_TO_SEE = 0.8416212335729143  # standard errors that give a test a power of 80 %
LISTS = ("expected_revenue", "value_at_risk")  # "keep" and "win back": the two that customers are contacted by


@dataclass(frozen=True)
class RankBands:
    """Where a customer stands among all by P(return); equal probabilities share the band of the last of them.

    Parameters
    ----------
    edges : tuple of float
        Highest churn probability of each band of :data:`RANK_BANDS`; below every probability when the band is empty.
    mean_return : float
        Mean P(return).
    """

    edges: tuple[float, ...]
    mean_return: float

    @classmethod
    def learn(cls, churn_probability: Floats) -> RankBands:
        """Find the bands of all customers, at least one."""
        order = np.sort(churn_probability)
        values = np.unique(order)
        at_or_before = np.searchsorted(order, values, side="right")
        edges = []
        for share, _ in RANK_BANDS:
            inside = int(np.searchsorted(at_or_before, share * len(order) + 1e-9, side="right"))
            edges.append(float(values[inside - 1]) if inside else -1.0)
        return cls(tuple(edges), float(np.mean(1.0 - order)))

    def place(self, churn_probability: Floats) -> npt.NDArray[np.object_]:
        """Return the band of each customer."""
        names = np.array([*(name for _, name in RANK_BANDS), REST], dtype=object)
        placed: npt.NDArray[np.object_] = names[np.searchsorted(np.array(self.edges), churn_probability, side="left")]
        return placed

    def lift(self, churn_probability: Floats) -> Floats:
        """Return how many times the average each customer's P(return) is; NaN when the average is zero."""
        if self.mean_return == 0:
            return np.full(len(churn_probability), np.nan)
        result: Floats = (1.0 - churn_probability) / self.mean_return
        return result


@dataclass(frozen=True)
class Window:
    """The forecast that ships at one judged cut-off beside what happened, in columns of length n."""

    judged: Judged
    churn_probability: Floats
    expected_orders: Floats
    expected_revenue: Floats
    value_at_risk: Floats
    retained: Flags
    orders: Floats
    revenue: Floats

    def ranking(self, name: str) -> npt.NDArray[np.intp]:
        """Return the customers, first the one to contact first; who is equal is sorted by the digest of their ids."""
        numbers = self.judged.snapshot.features.numbers
        value = {
            "return_probability": 1.0 - self.churn_probability,
            "expected_revenue": self.expected_revenue,
            "value_at_risk": self.value_at_risk,
            "recency": -numbers["recency_days"],
            "monetary": numbers["monetary_total"],
        }[name]
        return np.lexsort((self.judged.snapshot.bucket, -value))


RANKINGS = ("return_probability", "expected_revenue", "value_at_risk", "recency", "monetary")


def windows(outcome: Outcome, among: Sequence[Judged] | None = None) -> list[Window]:
    """Return the judged cut-offs at which the kind of model that ships was fitted, or some others, oldest first."""
    found = []
    for judged in sorted(outcome.judged if among is None else among, key=lambda one: one.origin.cutoff):
        if outcome.choice is None or outcome.choice.model not in judged.churn_probability:
            continue
        churn = judged.churn_probability[outcome.choice.model]
        features, value = judged.snapshot.features, judged.value
        worth, expected = value.order_value(features), (1.0 - churn) * value.orders(features)
        usual = value.usual_orders(features, outcome.horizon_days) * worth
        found.append(
            Window(
                judged,
                churn,
                expected,
                expected * worth,
                np.maximum(usual - expected * worth, 0.0),
                judged.snapshot.retained(outcome.horizon_days),
                np.nan_to_num(judged.snapshot.orders),
                np.nan_to_num(judged.snapshot.revenue),
            )
        )
    return found


def forecast_rows(outcome: Outcome) -> list[dict[str, Any]]:
    """Return the rows of `forecast_calibration`: expected beside actual, by tenths of expected revenue and together."""
    rows = []
    for window in windows(outcome):
        tenth = tenths(window.expected_revenue)
        for decile in range(EVERYONE, 11):
            member = np.ones(len(tenth), dtype=bool) if decile == EVERYONE else tenth == decile
            if not member.any():
                continue
            expected_orders, expected = window.expected_orders[member].sum(), window.expected_revenue[member].sum()
            mean_value = expected / expected_orders if expected_orders > 0 else 0.0
            orders_low, orders_high = _sum_interval(window.orders[member], 1.0)
            revenue_low, revenue_high = _sum_interval(window.revenue[member], mean_value)
            rows.append(
                {
                    **when(outcome, window),
                    "decile": decile,
                    "customers": int(member.sum()),
                    "expected_occasions": float(expected_orders),
                    "actual_occasions": int(window.orders[member].sum()),
                    "actual_occasions_low": orders_low,
                    "actual_occasions_high": orders_high,
                    "expected_revenue": float(expected),
                    "actual_revenue": float(window.revenue[member].sum()),
                    "actual_revenue_low": revenue_low,
                    "actual_revenue_high": revenue_high,
                }
            )
    return [rounded(row) for row in rows]


def _sum_interval(values: Floats, unit: float) -> tuple[float, float]:
    """Return a 95 % interval of what a window like this brings: customers come or stay away, each by themselves."""
    total = float(values.sum())
    if total == 0:
        return 0.0, UNSEEN * unit
    error = Z * float(np.sqrt((values**2).sum()))
    return max(total - error, 0.0), total + error


def ranking_rows(outcome: Outcome) -> list[dict[str, Any]]:
    """Return the rows of `ranking_backtest`: whom each ranking would have put first, who returned, what they paid."""
    rows = []
    for window in windows(outcome):
        total = len(window.retained)
        reaches = [(f"{share:.0%}".replace("%", " %"), max(round(share * total), 1)) for share in SHARES]
        if total > FIRST:
            reaches.append((f"first {FIRST:,}", FIRST))
        reaches.append(("everyone", total))
        for ranking in RANKINGS:
            order = window.ranking(ranking)
            for reach, count in reaches:
                first = order[:count]
                returned = int(window.retained[first].sum())
                low, high = wilson(returned, count)
                rows.append(
                    {
                        **when(outcome, window),
                        "ranking": ranking,
                        "reach": reach,
                        "contacted_share": count / total,
                        "people": count,
                        "returned": returned,
                        "return_rate": returned / count,
                        "return_rate_low": low,
                        "return_rate_high": high,
                        "paid": float(window.revenue[first].sum()),
                    }
                )
    return [rounded(row) for row in rows]


def band_rows(outcome: Outcome) -> list[dict[str, Any]]:
    """Return the rows of `return_band_backtest`: each band's measured return rate."""
    rows = []
    for window in windows(outcome):
        band = RankBands.learn(window.churn_probability).place(window.churn_probability)
        for name in (*(name for _, name in RANK_BANDS), REST):
            member = band == name
            people, returned = int(member.sum()), int(window.retained[member].sum())
            if not people:
                continue
            low, high = wilson(returned, people)
            rows.append(
                {
                    **when(outcome, window),
                    "label_kind": "return_rank_band",
                    "label": name,
                    "people": people,
                    "returned": returned,
                    "return_rate": returned / people,
                    "return_rate_low": low,
                    "return_rate_high": high,
                }
            )
    return [rounded(row) for row in rows]


def decision_rows(outcome: Outcome, settings: Mapping[str, float]) -> list[dict[str, Any]]:
    """Return the rows of `churn_decision`: what contacting the first of a list costs, and what it must bring to pay.

    Parameters
    ----------
    outcome : Outcome
    settings : mapping of str to float
        `churn_contact_cost`, `churn_margin_share`, and `churn_kept_customer_value`, 0 where the shop does not know it.

    Returns
    -------
    list of dict
        At the test cut-off, for each list and share contacted. The break-even is the cost of a contact divided by the
        value of one kept customer: the share of the contacted that has to return because of the contact. Beside it the
        smallest such share that a test of that size (half of them contacted, half left alone) shows in four of five
        tries.
    """
    window = next((one for one in windows(outcome) if one.judged.role == "test"), None)
    if window is None:
        return []
    total = len(window.retained)
    returning = 1.0 - window.churn_probability
    cost = settings["churn_contact_cost"]
    rows = []
    for ranking in LISTS:
        order = window.ranking(ranking)
        for share in SHARES:
            first = order[: max(round(share * total), 1)]
            count, returned = len(first), int(window.retained[first].sum())
            low, high = wilson(returned, count)
            paid_if_back = float(window.expected_revenue[first].sum() / max(returning[first].sum(), 1e-12))
            kept = settings["churn_kept_customer_value"] or settings["churn_margin_share"] * paid_if_back
            break_even = cost / kept if kept > 0 else float("inf")
            smallest = _smallest_uplift(returned, count)
            rows.append(
                {
                    **when(outcome, window),
                    "ranking": ranking,
                    "contacted_share": share,
                    "customers": total,
                    "contacted_customers": count,
                    "returned_customers": returned,
                    "return_rate": returned / count,
                    "return_rate_low": low,
                    "return_rate_high": high,
                    "contact_cost": count * cost,
                    "kept_customer_value": kept,
                    "break_even_uplift": break_even if break_even <= 1 else float("nan"),
                    "smallest_provable_uplift": smallest,
                    "is_break_even_provable": smallest <= break_even <= 1,
                    "reading": _read(break_even),
                }
            )
    return [rounded(row) for row in rows]


def _smallest_uplift(returned: int, count: int) -> float:
    """Return the difference between halves of `count` customers that a two-sided test at 5 % shows with power 80 %."""
    alone, half = (returned + 0.5) / (count + 1.0), max(count / 2, 1.0)
    uplift = 0.0
    for _ in range(
        50
    ):  # the spread of the contacted depends on the uplift itself: a contraction, done to the last digit
        contacted = min(alone + uplift, 1.0)
        mean = (alone + contacted) / 2
        by_chance = np.sqrt(2 * mean * (1 - mean) / half)
        apart = np.sqrt((alone * (1 - alone) + contacted * (1 - contacted)) / half)
        uplift = float(Z * by_chance + CHANCE_TO_SEE * apart)
    return min(uplift, 1.0)


def _read(break_even: float) -> str:
    if break_even > 1:
        return "cannot pay: a contact costs more than a kept customer is worth"
    needed = int(np.ceil(break_even * 1000 - 1e-9))
    return f"pays if at least {needed:,} of 1,000 contacted come back because of it"


def when(outcome: Outcome, window: Window) -> dict[str, Any]:
    """Return the columns that say which forecast a row is about."""
    assert outcome.choice is not None
    return {
        "model": outcome.choice.model,
        "cutoff_date": window.judged.origin.cutoff,
        "horizon_days": outcome.horizon_days,
        "as_of_date": outcome.as_of_date,
    }


def totals(rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the rows of :func:`forecast_rows` that stand for everyone together."""
    return [row for row in rows if row["decile"] == EVERYONE]
