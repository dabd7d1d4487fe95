"""The declared hypotheses put to the test: which function for which claim, adjustment, verdict. No I/O."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hypotheses import count_statistics as statistics
from hypotheses.count_statistics import Floats, Labels, Result

SUPPORTED = "supported"
NEGLIGIBLE = "negligible"
REJECTED = "rejected"
INCONCLUSIVE = "inconclusive"
AT_THRESHOLD = "at_threshold"
NOT_TESTED = "not_tested"

# Stricter than .05, for claims are judged again after every build: of a hundred verdicts that speak for or against one,
# chance may make one.
FALSE_DISCOVERY_RATE = 0.01


@dataclass(frozen=True)
class Hypothesis:
    """What was declared before looking.

    Attributes
    ----------
    hypothesis_id
        Its number in the seed.
    test
        A key of :data:`TESTS`.
    smallest_effect
        Smallest effect that would matter to the business, positive, in the unit of the test's effect; above 1 for
        ratios.
    direction
        `positive`, `negative`, or `different` for effects that have no sign.
    """

    hypothesis_id: int
    test: str
    smallest_effect: float
    direction: str


@dataclass(frozen=True)
class Counts:
    """Units of one hypothesis by distinct pair of values; see :mod:`hypotheses.count_statistics`."""

    label: Labels
    x: Floats
    y: Floats
    units: Floats


@dataclass(frozen=True)
class Judgement:
    """A hypothesis with its result."""

    hypothesis: Hypothesis
    result: Result
    p_value_adjusted: float | None
    verdict: str


TESTS: Mapping[str, Callable[[Counts], Result]] = {
    "rank_correlation": lambda counts: statistics.rank_correlation(counts.x, counts.y, counts.units),
    "mann_whitney": lambda counts: statistics.mann_whitney(counts.x, counts.y, counts.units),
    "kruskal_wallis": lambda counts: statistics.kruskal_wallis(counts.label, counts.y, counts.units),
    "independence": lambda counts: statistics.independence(counts.x, counts.y, counts.units),
    "goodness_of_fit": lambda counts: statistics.goodness_of_fit(counts.y, counts.units),
    "risk_ratio": lambda counts: statistics.risk_ratio(counts.x, counts.y, counts.units),
    "rate_trend": lambda counts: statistics.rate_trend(counts.x, counts.y, counts.units),
    "ratio_of_means": lambda counts: statistics.ratio_of_means(counts.x, counts.y, counts.units),
    "mean_difference": lambda counts: statistics.mean_difference(counts.x, counts.y, counts.units),
    "linear_trend": lambda counts: statistics.linear_trend(counts.x, counts.y, counts.units),
}
"""Name of a test in the seed, and what it does with the counts."""

RATIOS = frozenset({"risk_ratio", "rate_trend", "ratio_of_means", "independence"})
"""Tests whose effect is a ratio: 1 is no effect, and 0.8 is as far from it as 1.25."""


def verdict(hypothesis: Hypothesis, result: Result, p_value_adjusted: float | None) -> str:
    """Judge a claim by its effect, not by its p-value.

    Parameters
    ----------
    hypothesis
        The claim, with the smallest effect of interest and the direction it states.
    result
        Effect and 95 % interval.
    p_value_adjusted
        Benjamini-Hochberg adjusted p-value.

    Returns
    -------
    str
        `supported` when the adjusted p is under .01 and the whole interval lies at or beyond the smallest effect of
        interest, in the direction of the claim; `rejected` when the same holds in the other direction; `negligible`
        when the whole interval lies within the smallest effect on both sides; `at_threshold` when the interval is
        narrower than the smallest effect and lies across it: the effect is known, and just about large enough to
        matter; `not_tested` without a test: no data, or one group only; else `inconclusive`. Ratios are judged by
        their logarithms. An effect without sign cannot be rejected, only be negligible.
    """
    low, high, smallest = result.effect_low, result.effect_high, hypothesis.smallest_effect
    if low is None or high is None or p_value_adjusted is None:
        return NOT_TESTED if p_value_adjusted is None else INCONCLUSIVE
    if hypothesis.test in RATIOS:
        low, high, smallest = math.log(low), math.log(high), math.log(smallest)
    if hypothesis.direction == "negative":
        low, high = -high, -low
    if -smallest < low and high < smallest:
        return NEGLIGIBLE
    if p_value_adjusted < FALSE_DISCOVERY_RATE and low >= smallest:
        return SUPPORTED
    if p_value_adjusted < FALSE_DISCOVERY_RATE and high <= -smallest:
        return REJECTED
    if high - low < smallest and (low < smallest <= high or low <= -smallest < high):
        return AT_THRESHOLD
    return INCONCLUSIVE


def evaluate(hypotheses: Sequence[Hypothesis], counts: Mapping[int, Counts]) -> list[Judgement]:
    """Test every hypothesis and judge it.

    Parameters
    ----------
    hypotheses
        The declared ones; they form one family for the adjustment.
    counts
        Value counts by hypothesis id; a hypothesis without any is one without data.

    Returns
    -------
    list of Judgement
        One per hypothesis, in the given order.
    """
    results = [
        TESTS[hypothesis.test](counts[hypothesis.hypothesis_id]) if hypothesis.hypothesis_id in counts else Result(0)
        for hypothesis in hypotheses
    ]
    raw = np.array([np.nan if result.p_value is None else result.p_value for result in results], dtype=np.float64)
    adjusted = [None if np.isnan(value) else float(value) for value in statistics.adjust(raw)]
    return [
        Judgement(hypothesis, result, value, verdict(hypothesis, result, value))
        for hypothesis, result, value in zip(hypotheses, results, adjusted, strict=True)
    ]


def split_counts(hypothesis_id: Labels, label: Labels, x: Floats, y: Floats, units: Floats) -> dict[int, Counts]:
    """Cut one long table of counts into the hypotheses' own.

    Parameters
    ----------
    hypothesis_id, label, x, y, units
        Aligned columns, shape (rows,); what a test does not use may be NaN or None.

    Returns
    -------
    dict
        Counts by hypothesis id.
    """
    order = np.argsort(hypothesis_id, kind="stable")
    ids, starts = np.unique(hypothesis_id[order], return_index=True)
    if not len(ids):
        return {}
    return {
        int(number): Counts(label[rows], x[rows], y[rows], units[rows])
        for number, rows in zip(ids, np.split(order, starts[1:]), strict=True)
    }
