"""Whether the forecast still holds: what it expected of each window that has closed, beside what happened.

Arrays in, rows out. Every window is forecast by the kind of model that ships, fitted on what was known on its first
day.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from scoring.backtest import RANK_BANDS, REST, RankBands, Window, when, windows
from scoring.evaluate import Z
from scoring.features import Floats
from scoring.run import Outcome, rounded

EVERYONE = "everyone"
HOLDS, BELOW, ABOVE = "as expected", "below", "above"
# How far windows lie from their forecast beyond chance, as a share of it, is learned from earlier windows; before there
# are any it is this, which counts as much as so many windows.
USUAL_SPREAD = 0.10
USUAL_WINDOWS = 3
SIGMA_OF_MEDIAN = 1.4826  # standard deviation of a normal distribution over its median distance from the mean
SPREAD_OF_PAYMENTS = 2.0  # mean square over squared mean of payments, where nobody has come to tell it


@dataclass(frozen=True)
class _Sum:
    """A sum over people: what was expected of it, its variance by chance alone, and what it came to."""

    expected: float
    variance: float
    actual: float

    @property
    def miss(self) -> float:
        """How far it lay from its forecast, as a share of it."""
        return self.actual / self.expected - 1.0 if self.expected > 0 else 0.0

    @property
    def miss_by_chance(self) -> float:
        """Standard deviation of that share by chance alone."""
        return float(np.sqrt(self.variance)) / self.expected if self.expected > 0 else 0.0

    def interval(self, spread: float) -> tuple[float, float]:
        """Return the 95 % interval of the forecast, windows lying apart by a share `spread` beyond chance."""
        reach = Z * float(np.sqrt(self.variance + (spread * self.expected) ** 2))
        return max(self.expected - reach, 0.0), self.expected + reach


def drift_rows(outcome: Outcome) -> list[dict[str, Any]]:
    """Return the rows of `forecast_drift`: returns and revenue, expected beside actual, together and by rank band.

    Returns
    -------
    list of dict
        Oldest window first. An interval holds what people do by chance, each by themselves, and how far earlier windows
        lay from their forecasts beyond it: the median, which no single odd window widens.
    """
    rows = []
    before: dict[str, list[_Sum]] = {"returns": [], "revenue": []}
    for window in windows(outcome, [*outcome.judged, *outcome.watched]):
        band = RankBands.learn(window.churn_probability).place(window.churn_probability)
        spreads = {name: usual_spread(earlier) for name, earlier in before.items()}
        for label in (EVERYONE, *(name for _, name in RANK_BANDS), REST):
            member = np.ones(len(band), dtype=bool) if label == EVERYONE else band == label
            if not member.any():
                continue
            sums = {"returns": _returns(window, member), "revenue": _revenue(window, member)}
            row = {**when(outcome, window), "band": label, "customers": int(member.sum())}
            for name, one in sums.items():
                low, high = one.interval(spreads[name])
                row |= {
                    f"expected_{name}": one.expected,
                    f"expected_{name}_low": low,
                    f"expected_{name}_high": high,
                    f"actual_{name}": int(one.actual) if name == "returns" else one.actual,
                    f"{name}_verdict": BELOW if one.actual < low else ABOVE if one.actual > high else HOLDS,
                }
            rows.append(row)
            if label == EVERYONE:
                for name, one in sums.items():
                    before[name].append(one)
    return [rounded(row) for row in rows]


def usual_spread(earlier: Sequence[_Sum]) -> float:
    """Return how far windows lie from their forecast beyond chance, as a share of it: a standard deviation."""
    misses = [abs(one.miss) for one in earlier] + [USUAL_SPREAD / SIGMA_OF_MEDIAN] * USUAL_WINDOWS
    by_chance = [one.miss_by_chance**2 for one in earlier] + [0.0] * USUAL_WINDOWS
    found = (SIGMA_OF_MEDIAN * float(np.median(misses))) ** 2 - float(np.median(by_chance))
    return float(np.sqrt(max(found, 0.0)))


def _returns(window: Window, member: npt.NDArray[np.bool_]) -> _Sum:
    chance = 1.0 - window.churn_probability[member]
    return _Sum(float(chance.sum()), float((chance * (1.0 - chance)).sum()), float(window.retained[member].sum()))


def _revenue(window: Window, member: npt.NDArray[np.bool_]) -> _Sum:
    chance, expected = 1.0 - window.churn_probability, window.expected_revenue
    if_back: Floats = expected / np.maximum(chance, 1e-12)
    squares = float((if_back[window.retained] ** 2).sum())
    # payments of those who came lie around what was expected of them: as much in every band
    wide = float((window.revenue[window.retained] ** 2).sum()) / squares if squares > 0 else SPREAD_OF_PAYMENTS
    variance = chance * wide * if_back**2 - expected**2
    return _Sum(
        float(expected[member].sum()),
        max(float(variance[member].sum()), 0.0),
        float(window.revenue[member].sum()),
    )


def warning(rows: Sequence[dict[str, Any]]) -> str | None:
    """Say when what the last closed window brought lies outside its interval; None when it does not.

    Parameters
    ----------
    rows : sequence of dict
        Those of :func:`drift_rows`.
    """
    last = next((row for row in reversed(rows) if row["band"] == EVERYONE), None)
    if last is None:
        return None
    outside = [
        f"{last[f'actual_{name}']:,.0f} {of} where {last[f'expected_{name}']:,.0f} were to be expected "
        f"({last[f'expected_{name}_low']:,.0f} to {last[f'expected_{name}_high']:,.0f})"
        for name, of in (("returns", "customers came back"), ("revenue", "were paid"))
        if last[f"{name}_verdict"] != HOLDS
    ]
    if not outside:
        return None
    return (
        f"The window from {last['cutoff_date']} lies outside the forecast made on that day: {'; '.join(outside)}. "
        "The model that ships has been fitted again with that window in it, and its level drawn to it."
    )
