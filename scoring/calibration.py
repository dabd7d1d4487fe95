"""From a model's score to a probability, learned on customers and windows the model was not fitted on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.isotonic import IsotonicRegression

from scoring.features import Flags, Floats

# Below this many of the rare class a step function follows accidents: two parameters are all the data can carry.
ISOTONIC_MIN_RARE = 1000
STEP_MIN_SHARE = 0.02
STEP_MIN_RARE = 25
SLOPE_BOUNDS = (0.0, 3.0)
# The level of the windows to come is that of the known ones, the recent ones first: a window so many days older counts
# half as much.
HALF_LIFE_DAYS = 90.0
# How far, in log-odds, the recent level is expected to lie from that of all windows: what a handful of returns says
# beyond that is chance.
LEVEL_SPREAD = 0.25


def expit(values: Floats) -> Floats:
    """Return the probability of log-odds."""
    result: Floats = 1.0 / (1.0 + np.exp(-np.clip(values, -35, 35)))
    return result


def logit(probability: Floats) -> Floats:
    """Return the log-odds of a probability."""
    clipped = np.clip(probability, 1e-12, 1 - 1e-12)
    result: Floats = np.log(clipped) - np.log1p(-clipped)
    return result


@dataclass(frozen=True)
class Calibration:
    """A non-decreasing map from score to log-odds: linear between knots, and beyond them with the `slope`.

    A sigmoid is the map with a single knot.
    """

    method: str
    knots: tuple[float, ...]
    values: tuple[float, ...]
    slope: float

    def probability(self, score: Floats) -> Floats:
        """Return the calibrated probability of a return, shape as `score`."""
        knots, values = np.array(self.knots), np.array(self.values)
        inner = np.interp(score, knots, values)
        beyond = np.maximum(score - knots[-1], 0.0) - np.maximum(knots[0] - score, 0.0)
        return expit(inner + self.slope * beyond)

    def to_dict(self) -> dict[str, Any]:
        """Return the state as plain values."""
        return {"method": self.method, "knots": list(self.knots), "values": list(self.values), "slope": self.slope}

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> Calibration:
        """Restore what :meth:`to_dict` gave."""
        return cls(state["method"], tuple(state["knots"]), tuple(state["values"]), state["slope"])


@dataclass(frozen=True)
class Window:
    """The customers of a known window: how many days it is older than the latest one, their scores, who returned."""

    age_days: int
    score: Floats
    retained: Flags


def drawn_to_recent(calibration: Calibration, windows: Sequence[Window]) -> Calibration:
    """Move the level of a calibration to that of the recent windows, as far as they tell it.

    Parameters
    ----------
    calibration : Calibration
        Learned on the windows together.
    windows : sequence of Window

    Returns
    -------
    Calibration
        The same map, moved by the log-odds that make the forecast of the windows, each counted half as much for every
        ``HALF_LIFE_DAYS`` of its age, equal to what happened; drawn towards no move by ``LEVEL_SPREAD``.
    """
    weights = [0.5 ** (window.age_days / HALF_LIFE_DAYS) for window in windows]
    chances = [logit(calibration.probability(window.score)) for window in windows]
    move = 0.0
    for _ in range(60):
        gradient, information = -move / LEVEL_SPREAD**2, 1 / LEVEL_SPREAD**2
        for weight, chance, window in zip(weights, chances, windows, strict=True):
            expected = expit(chance + move)
            gradient += weight * (float(window.retained.sum()) - float(expected.sum()))
            information += weight * float((expected * (1 - expected)).sum())
        step = float(np.clip(gradient / information, -1.0, 1.0))
        move += step
        if abs(step) < 1e-9:
            break
    return Calibration(
        calibration.method, calibration.knots, tuple(value + move for value in calibration.values), calibration.slope
    )


def calibrate(score: Floats, retained: Flags, returning_people: int | None = None) -> Calibration:
    """Learn the map from scores to probabilities.

    Parameters
    ----------
    score : array, shape (n,)
        Log-odds of a model fitted on other data.
    retained : array of bool, shape (n,)
    returning_people : int, optional
        How many different people returned, where windows overlap and a return counts in several; n rows are n people
        by default.

    Returns
    -------
    Calibration
        Constant when all scores are equal, a sigmoid when the rare class has under 1,000 members, else isotonic.
    """
    rare = min(int(retained.sum()), int((~retained).sum()))
    if returning_people is not None:
        rare = min(rare, returning_people)
    share = (retained.sum() + 0.5) / (len(retained) + 1.0)
    if rare == 0 or float(np.ptp(score)) < 1e-12:
        level = float(logit(np.array([share]))[0])
        return Calibration("constant", (float(score[0]),), (level,), 0.0)
    if rare >= ISOTONIC_MIN_RARE:
        return _isotonic(score, retained)
    return _sigmoid(score, retained)


def logistic_line(score: Floats, outcome: Floats, weight: Floats | None = None) -> tuple[float, float, float]:
    """Fit ``logit P(outcome) = intercept + slope * score`` by maximum likelihood.

    Returns
    -------
    (intercept, slope, standard error of the slope)
        NaN for slope and error when the score does not vary.
    """
    weight = np.ones_like(score) if weight is None else weight
    mean = float(np.average(score, weights=weight))
    centred = score - mean
    level = float(logit(np.array([np.average(outcome, weights=weight)]))[0])
    if float(np.ptp(score)) < 1e-12:
        return level, float("nan"), float("nan")
    a, b = level, 0.0
    information = np.eye(2)
    for _ in range(60):
        p = expit(a + b * centred)
        residual, spread = weight * (outcome - p), weight * p * (1 - p)
        gradient = np.array([residual.sum(), (residual * centred).sum()])
        cross = (spread * centred).sum()
        information = np.array([[spread.sum(), cross], [cross, (spread * centred**2).sum()]])
        information += 1e-12 * np.eye(2)
        move = np.clip(np.linalg.solve(information, gradient), -2.0, 2.0)
        a, b = a + float(move[0]), b + float(move[1])
        if np.abs(move).max() < 1e-10:
            break
    error = float(np.sqrt(np.linalg.inv(information)[1, 1]))
    return a - b * mean, b, error


def _sigmoid(score: Floats, retained: Flags) -> Calibration:
    outcome = retained.astype(np.float64)
    _, slope, _ = logistic_line(score, outcome)
    slope = float(np.clip(slope, *SLOPE_BOUNDS))
    # With the slope held at its bound, the level still has to fit.
    level = _level(score, outcome, slope)
    center = float(score.mean())
    return Calibration("sigmoid", (center,), (level + slope * center,), slope)


def _level(score: Floats, outcome: Floats, slope: float) -> float:
    low, high = -60.0, 60.0
    target = float(outcome.mean())
    for _ in range(80):
        middle = (low + high) / 2
        if float(expit(middle + slope * score).mean()) < target:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _isotonic(score: Floats, retained: Flags) -> Calibration:
    """Isotonic regression, joined at the centres of its steps: no ties are made, and no probability is 0 or 1."""
    outcome = retained.astype(np.float64)
    steps = IsotonicRegression(out_of_bounds="clip").fit(score, outcome).predict(score)
    _, member = np.unique(steps, return_inverse=True)
    size = np.bincount(member)
    center = np.bincount(member, weights=score) / size
    rate = (np.bincount(member, weights=outcome) + 0.5) / (size + 1.0)
    # Steps of few customers, or few of the rare class, follow accidents and make the map too bold: they join their
    # neighbour.
    rare = min(float(outcome.sum()), float((1 - outcome).sum()))
    enough = max(len(score) * STEP_MIN_SHARE, len(score) / rare * STEP_MIN_RARE)
    groups: list[Floats] = []
    for step in np.column_stack([size, size * center, size * rate]):
        if groups and groups[-1][0] < enough:
            groups[-1] = groups[-1] + step
        else:
            groups.append(step)
    if len(groups) > 1 and groups[-1][0] < enough:
        last = groups.pop()
        groups[-1] = groups[-1] + last
    knots = [float(group[1] / group[0]) for group in groups]
    values = [float(value) for value in logit(np.array([group[2] / group[0] for group in groups]))]
    ordered = np.maximum.accumulate(np.array(values))
    _, slope, _ = logistic_line(score, outcome)
    return Calibration(
        "isotonic", tuple(knots), tuple(float(value) for value in ordered), float(np.clip(slope, *SLOPE_BOUNDS))
    )
