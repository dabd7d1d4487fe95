"""Figures of forecasts that were made for rows their model had not seen, with intervals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from scoring.table.columns import Flags, Floats, Rows

DRAWS = 400
MEASURES = ("roc_auc", "average_precision", "log_loss", "brier_score", "precision", "recall", "share_chosen")


@dataclass(frozen=True)
class Figure:
    """A value with its 95 % interval."""

    value: float
    low: float
    high: float

    def to_dict(self) -> dict[str, float | None]:
        """Return the figure as plain values, rounded."""
        return {name: None if np.isnan(one) else round(one, 4) for name, one in self.__dict__.items()}


def judge(
    probability: Floats, is_chosen: Flags, is_positive: Flags, groups: Rows, random_state: int
) -> Mapping[str, Figure]:
    """Judge forecasts.

    Parameters
    ----------
    probability : array, shape (rows,)
    is_chosen : array of bool, shape (rows,)
        The decision at the threshold of the fold.
    is_positive : array of bool, shape (rows,)
    groups : array of int, shape (rows,)
        People: intervals come from drawing them, not their rows, again and again.
    random_state : int

    Returns
    -------
    mapping of str to Figure
        By :data:`MEASURES`.
    """
    generator = np.random.default_rng(random_state)
    order = np.argsort(-probability, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(probability[order])), len(order) - 1)
    ordered = _Ordered(probability[order], is_chosen[order], is_positive[order], ends)
    whole = ordered.measure(np.ones(len(order)))
    people = int(groups.max()) + 1
    drawn = np.array(
        [
            ordered.measure(_drawn(people, generator)[groups][order])
            for _ in range(DRAWS if len(order) <= 100_000 else 100)
        ]
    )
    found = {}
    for place, name in enumerate(MEASURES):
        known = drawn[:, place][~np.isnan(drawn[:, place])]
        low, high = np.quantile(known, (0.025, 0.975)) if len(known) else (np.nan, np.nan)
        found[name] = Figure(float(whole[place]), float(low), float(high))
    return found


def _drawn(people: int, generator: np.random.Generator) -> Floats:
    """Draw as many people as there are, with replacement; returns how often each was."""
    return np.bincount(generator.integers(people, size=people), minlength=people).astype(np.float64)


@dataclass(frozen=True)
class _Ordered:
    """Rows by falling probability; ``ends`` are the last rows of equal ones."""

    probability: Floats
    is_chosen: Flags
    is_positive: Flags
    ends: Rows

    def measure(self, weight: Floats) -> list[float]:
        positive = weight * self.is_positive
        hits = np.cumsum(positive)[self.ends]
        seen = np.cumsum(weight)[self.ends]
        misses = seen - hits
        if hits[-1] == 0 or misses[-1] == 0:
            return [float("nan")] * len(MEASURES)
        recall = hits / hits[-1]
        fallout = misses / misses[-1]
        auc = float(np.trapezoid(np.append(0.0, recall), np.append(0.0, fallout)))
        with np.errstate(invalid="ignore", divide="ignore"):
            precision = np.where(seen > 0, hits / np.maximum(seen, 1e-12), 0.0)
        average = float((np.diff(np.append(0.0, recall)) * precision).sum())
        clipped = np.clip(self.probability, 1e-6, 1 - 1e-6)
        loss = -np.where(self.is_positive, np.log(clipped), np.log1p(-clipped))
        chosen = float((weight * self.is_chosen).sum())
        caught = float((positive * self.is_chosen).sum())
        total = weight.sum()
        return [
            auc,
            average,
            float((weight * loss).sum() / total),
            float((weight * (self.probability - self.is_positive) ** 2).sum() / total),
            caught / chosen if chosen else float("nan"),
            caught / float(hits[-1]),
            chosen / float(total),
        ]


def choose_threshold(probability: Floats, is_positive: Flags, least_precision: float) -> tuple[float, bool]:
    """Return the probability from which precision is at least as asked for, at the highest recall.

    Parameters
    ----------
    probability : array, shape (rows,)
        Of rows their model had not seen.
    is_positive : array of bool, shape (rows,)
    least_precision : float

    Returns
    -------
    threshold : float
    is_met : bool
        False when no threshold has that precision: then it is the one with the highest.
    """
    order = np.argsort(-probability, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(probability[order])), len(order) - 1)
    hits = np.cumsum(is_positive[order])[ends]
    precision = hits / (ends + 1)
    # the highest precision of three lucky rows is no threshold
    usable = hits >= min(20, max(1, int(is_positive.sum()) // 10))
    enough = np.flatnonzero((precision >= least_precision) & usable)
    place = int(enough[-1]) if len(enough) else int(np.argmax(np.where(usable, precision, -1.0)))
    # half way to the next lower one: what scores alike is chosen alike
    here = float(probability[order][ends[place]])
    below = float(probability[order][ends[place + 1]]) if place + 1 < len(ends) else here
    return (here + below) / 2, bool(len(enough))
