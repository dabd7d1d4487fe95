"""How good a forecast is: ranking, calibration and use, with intervals. Arrays in, numbers out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from scoring.calibration import logistic_line, logit
from scoring.features import Flags, Floats

BOOTSTRAPS = 200
TOP_SHARE = 0.10
Z = 1.959963984540054  # of a 95 % interval


@dataclass(frozen=True)
class Interval:
    """A figure and its 95 % bootstrap interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Evaluation:
    """The figures of one model at one cut-off; the rare class is the positive one of the ranking figures."""

    customers: int
    retained: int
    rare_class: str
    roc_auc: Interval
    average_precision: Interval
    lift: Interval
    log_loss: float
    brier: float
    brier_skill: float
    calibration_slope: float
    calibration_slope_error: float
    calibration_intercept: float
    mean_churn_probability: float
    threshold: float
    churn_precision: float
    churn_recall: float


class _Ranking:
    """One model's ranking, sorted once, so that a bootstrap costs one pass instead of one sort."""

    def __init__(self, probability: Floats, positive: Flags) -> None:
        self.order = np.argsort(-probability, kind="stable")
        ranked = probability[self.order]
        self.ends = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)  # last row of every tie
        self.positive = positive[self.order].astype(np.float64)

    def figures(self, weight: Floats) -> tuple[float, float, float]:
        """Return (AUC, average precision, lift at 10 %) with each customer counted `weight` times."""
        own = weight[self.order]
        hits = np.cumsum(own * self.positive)[self.ends]
        seen = np.cumsum(own)[self.ends]
        positives, total = hits[-1], seen[-1]
        negatives = total - positives
        if positives == 0 or negatives == 0:
            return float("nan"), float("nan"), float("nan")
        new_hits = np.diff(hits, prepend=0.0)
        misses = seen - hits
        new_misses = np.diff(misses, prepend=0.0)
        # A positive beats the negatives ranked below it, and half of those it is tied with.
        auc = float(np.sum(new_hits * (negatives - misses + new_misses / 2)) / (positives * negatives))
        with np.errstate(invalid="ignore", divide="ignore"):
            precision = np.where(seen > 0, hits / seen, 0.0)
        average_precision = float(np.sum(new_hits * precision) / positives)
        top = TOP_SHARE * total
        position = int(np.searchsorted(seen, top))
        before_seen = float(seen[position - 1]) if position else 0.0
        before_hits = float(hits[position - 1]) if position else 0.0
        group = float(seen[position]) - before_seen
        # A tie at the border is taken in proportion: no luck of the order.
        part = (top - before_seen) / group if group > 0 else 0.0
        caught = before_hits + part * (float(hits[position]) - before_hits)
        return auc, average_precision, caught / top / (positives / total)


def evaluate(
    churn_probability: Mapping[str, Floats],
    retained: Flags,
    *,
    reference: str,
    threshold: float,
    random_state: int,
    bootstraps: int = BOOTSTRAPS,
) -> dict[str, Evaluation]:
    """Judge several models on the same customers.

    Parameters
    ----------
    churn_probability : mapping of str to array, shape (n,)
        Per model.
    retained : array of bool, shape (n,)
        What happened.
    reference : str
        The model whose Brier score counts as no skill.
    threshold : float
        Churn probability from which a customer counts as a leaver, for precision and recall.
    random_state : int
        Seed of the bootstrap; all models share its samples.
    bootstraps : int
        Samples.

    Returns
    -------
    dict of str to Evaluation
    """
    rare_is_retained = retained.sum() * 2 <= len(retained)
    positive = retained if rare_is_retained else ~retained
    rankings = {
        name: _Ranking(1 - chance if rare_is_retained else chance, positive)
        for name, chance in churn_probability.items()
    }
    generator = np.random.default_rng(random_state)
    samples: dict[str, list[tuple[float, float, float]]] = {name: [] for name in rankings}
    for _ in range(bootstraps):
        weight = generator.poisson(1.0, len(retained)).astype(np.float64)
        for name, ranking in rankings.items():
            samples[name].append(ranking.figures(weight))
    churned = (~retained).astype(np.float64)
    brier_reference = float(np.mean((churn_probability[reference] - churned) ** 2))
    results: dict[str, Evaluation] = {}
    for name, chance in churn_probability.items():
        point = rankings[name].figures(np.ones(len(retained)))
        drawn = np.array(samples[name])
        auc, average_precision, lift = (_interval(point[i], drawn[:, i]) for i in range(3))
        brier = float(np.mean((chance - churned) ** 2))
        intercept, slope, error = logistic_line(logit(chance), churned)
        called = chance >= threshold
        caught = float((called & ~retained).sum())
        results[name] = Evaluation(
            customers=len(retained),
            retained=int(retained.sum()),
            rare_class="retained" if rare_is_retained else "churned",
            roc_auc=auc,
            average_precision=average_precision,
            lift=lift,
            log_loss=float(np.mean(log_losses(chance, retained))),
            brier=brier,
            brier_skill=1 - brier / brier_reference if brier_reference > 0 else float("nan"),
            calibration_slope=slope,
            calibration_slope_error=error,
            calibration_intercept=intercept if np.isfinite(slope) else float("nan"),
            mean_churn_probability=float(chance.mean()),
            threshold=threshold,
            churn_precision=caught / called.sum() if called.any() else float("nan"),
            churn_recall=caught / churned.sum() if churned.any() else float("nan"),
        )
    return results


def log_losses(churn_probability: Floats, retained: Flags) -> Floats:
    """Return the log loss of each customer."""
    chance = np.clip(churn_probability, 1e-12, 1 - 1e-12)
    result: Floats = -np.where(retained, np.log1p(-chance), np.log(chance))
    return result


def _interval(value: float, drawn: Floats) -> Interval:
    usable = drawn[~np.isnan(drawn)]
    if not len(usable) or np.isnan(value):
        return Interval(value, float("nan"), float("nan"))
    low, high = np.quantile(usable, [0.025, 0.975])
    return Interval(value, float(low), float(high))


@dataclass(frozen=True)
class Decile:
    """Customers with similar probabilities: what was said and what happened."""

    decile: int
    customers: int
    churned: int
    mean_churn_probability: float
    low: float
    high: float


def deciles(churn_probability: Floats, retained: Flags) -> list[Decile]:
    """Group customers by tenths of their churn probability, 1 = lowest; equal probabilities share a group.

    Returns
    -------
    list of Decile
        With a Wilson 95 % interval of the observed rate; groups that ties leave empty are absent.
    """
    group = tenths(churn_probability)
    result = []
    for decile in range(1, 11):
        members = group == decile
        count = int(members.sum())
        if not count:
            continue
        churned = int((~retained[members]).sum())
        low, high = wilson(churned, count)
        result.append(Decile(decile, count, churned, float(churn_probability[members].mean()), low, high))
    return result


def tenths(values: Floats) -> npt.NDArray[np.int64]:
    """Return the tenth, 1 to 10, that each value belongs to; equal values share the highest of theirs."""
    order = np.sort(values)
    rank = np.searchsorted(order, values, side="right") / len(order)
    result: npt.NDArray[np.int64] = np.ceil(rank * 10 - 1e-9).astype(np.int64)
    return result


def wilson(hits: int, count: int, z: float = Z) -> tuple[float, float]:
    """Return the 95 % Wilson interval of a share."""
    share = hits / count
    spread = z * np.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    middle, scale = share + z * z / (2 * count), 1 + z * z / count
    return float((middle - spread) / scale), float((middle + spread) / scale)


def beats(challenger: Floats, champion: Floats, person: npt.NDArray[np.int64], standard_errors: float = 2.0) -> bool:
    """Tell whether the challenger's losses are lower by more than `standard_errors` of the difference.

    Parameters
    ----------
    challenger, champion : array, shape (n,)
        Loss of each row.
    person : array of int, shape (n,)
        Whose row it is: rows of one person, at several cut-offs, go together and count as one draw.
    standard_errors : float
    """
    _, member = np.unique(person, return_inverse=True)
    gain = np.bincount(member.reshape(-1), weights=champion - challenger)
    if len(gain) < 2:
        return False
    error = float(gain.std(ddof=1)) / np.sqrt(len(gain))
    return float(gain.mean()) > standard_errors * error and float(gain.mean()) > 0
