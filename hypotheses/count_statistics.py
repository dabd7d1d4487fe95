"""Effect sizes with intervals and p-values from value counts: no I/O, no data frames, no randomness.

Every test here depends on its data only through how many units share each distinct pair of values, so each function
takes three aligned arrays: the pairs (`x`, `y`) and the number of units behind each. Ten million orders arrive as
some thousand rows, and the result is exactly what one row per unit would give, ties included. Rows are sorted first,
so the order in which a database returns them cannot change a bit of the answer.

Only :mod:`scipy.special` is imported: :mod:`scipy.stats`, with which the tests compare, takes seconds to load.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[Any]

MIN_UNITS = 30
MIN_GROUP = 5
MIN_EXPECTED = 5.0
ALPHA = 0.05
MAX_STEPS, CONVERGED, STEEPEST = 50, 1e-10, 30.0
QUARTERS_APART = 0.75
"""Distance of the middles of the lowest and the highest quarter, in ranks from 0 to 1."""


@dataclass(frozen=True)
class Result:
    """Outcome of one test.

    Attributes
    ----------
    n
        Units that entered the test.
    statistic
        What the function of the same name in :mod:`scipy.stats` returns: rho, U, H, chi-square or t.
    p_value
        Two-sided, unadjusted.
    effect_size, effect_low, effect_high
        Effect and the bounds of its 95 % interval, in the unit the function names.

    The numbers but `n` are None when there is too little data to test.
    """

    n: int
    statistic: float | None = None
    p_value: float | None = None
    effect_size: float | None = None
    effect_low: float | None = None
    effect_high: float | None = None


@dataclass(frozen=True)
class _Table:
    """Counts of units by group (rows) and by ascending distinct value (columns)."""

    counts: Floats
    values: Floats

    @property
    def group_sizes(self) -> Floats:
        sizes: Floats = self.counts.sum(axis=1)
        return sizes

    @property
    def ties(self) -> Floats:
        ties: Floats = self.counts.sum(axis=0)
        return ties


def _crosstab(groups: Labels, values: Floats, units: Floats) -> _Table:
    """Count units by group and value; groups in ascending order of their label."""
    _, group_codes = np.unique(groups, return_inverse=True)
    distinct, value_codes = np.unique(values, return_inverse=True)
    counts = np.zeros((int(group_codes.max(initial=-1)) + 1, distinct.size))
    np.add.at(counts, (group_codes, value_codes), units)
    return _Table(counts, distinct)


def _sorted_pairs(x: Floats, y: Floats, units: Floats) -> tuple[Floats, Floats, Floats]:
    """Order pairs by value, so that floating-point sums do not depend on the order of arrival."""
    order = np.lexsort((units, y, x))
    return x[order], y[order], units[order]


def _mid_ranks(counts: Floats) -> Floats:
    """Average rank of each distinct value, given how many units share it, in ascending order of value."""
    ranks: Floats = np.cumsum(counts) - counts + (counts + 1) / 2
    return ranks


def _centred_ranks(codes: npt.NDArray[np.intp], units: Floats) -> Floats:
    """Average rank of each code less the mean of all ranks."""
    counts = np.zeros(int(codes.max()) + 1)
    np.add.at(counts, codes, units)
    return _mid_ranks(counts) - (float(units.sum()) + 1) / 2


def _two_sided_normal(z: float) -> float:
    return float(2 * special.ndtr(-abs(z)))


def _two_sided_t(t: float, degrees: float) -> float:
    return float(2 * special.stdtr(degrees, -abs(t)))


def _normal_quantile() -> float:
    return float(special.ndtri(1 - ALPHA / 2))


def noncentrality_interval(statistic: float, degrees: int) -> tuple[float, float]:
    """95 % interval of the noncentrality of a chi-square statistic, by inverting its distribution.

    Parameters
    ----------
    statistic
        Observed chi-square.
    degrees
        Its degrees of freedom.

    Returns
    -------
    tuple of float
        Lower and upper noncentrality; 0 where even the central distribution lies too high.

    Notes
    -----
    Smithson (2003), *Confidence Intervals*, chapter 4.
    """

    def solve(probability: float) -> float:
        if special.chdtr(degrees, statistic) <= probability:
            return 0.0
        return float(special.chndtrinc(statistic, degrees, probability))

    return solve(1 - ALPHA / 2), solve(ALPHA / 2)


def rank_correlation(x: Floats, y: Floats, units: Floats) -> Result:
    """Spearman's rho between two measures of the same unit.

    Parameters
    ----------
    x, y
        The distinct pairs of values, shape (pairs,).
    units
        Number of units with each pair, shape (pairs,).

    Returns
    -------
    Result
        Effect: rho. p from t with n - 2 degrees of freedom; interval on Fisher's scale with the variance of
        Bonett and Wright (2000), ``(1 + rho^2 / 2) / (n - 3)``.
    """
    x, y, units = _sorted_pairs(x, y, units)
    n = int(units.sum())
    distinct_x, codes_x = np.unique(x, return_inverse=True)
    distinct_y, codes_y = np.unique(y, return_inverse=True)
    if n < MIN_UNITS or distinct_x.size < 2 or distinct_y.size < 2:
        return Result(n)
    rank_x = _centred_ranks(codes_x, units)[codes_x]
    rank_y = _centred_ranks(codes_y, units)[codes_y]
    product = float((units * rank_x * rank_y).sum())
    squares = float((units * rank_x**2).sum()) * float((units * rank_y**2).sum())
    rho = float(np.clip(product / np.sqrt(squares), -1.0, 1.0))
    if abs(rho) == 1.0:
        return Result(n, rho, 0.0, rho, rho, rho)
    t = rho * np.sqrt((n - 2) / (1 - rho**2))
    half_width = _normal_quantile() * np.sqrt((1 + rho**2 / 2) / (n - 3))
    low, high = np.tanh(np.arctanh(rho) + np.array([-half_width, half_width]))
    return Result(n, rho, _two_sided_t(t, n - 2), rho, float(low), float(high))


def mann_whitney(x: Floats, y: Floats, units: Floats) -> Result:
    """Compare a measure between the units with ``x = 1`` and those with ``x = 0``.

    Parameters
    ----------
    x
        Group, 1 or 0, shape (pairs,).
    y
        Measure, shape (pairs,).
    units
        Number of units with each pair, shape (pairs,).

    Returns
    -------
    Result
        Effect: Cliff's delta, the chance that a unit of group 1 has the higher value less the chance that it has the
        lower one. p from the normal approximation corrected for ties; interval of Feng and Cliff (2004), which keeps
        within -1 and 1.
    """
    table = _crosstab(x, y, units)
    n = int(units.sum())
    if n < MIN_UNITS or table.counts.shape[0] != 2 or table.group_sizes.min() < MIN_GROUP or table.values.size < 2:
        return Result(n)
    others, ones = table.counts
    n_others, n_ones = (float(size) for size in table.group_sizes)
    # For each distinct value: the net share of the other group that lies below it, or above it.
    dominance_of_ones = (np.cumsum(others) - others - (n_others - np.cumsum(others))) / n_others
    dominance_over_others = ((n_ones - np.cumsum(ones)) - (np.cumsum(ones) - ones)) / n_ones
    delta = float((ones * dominance_of_ones).sum() / n_ones)
    u_statistic = (delta + 1) / 2 * n_ones * n_others
    ties = table.ties
    variance = n_ones * n_others / 12 * ((n + 1) - float((ties**3 - ties).sum()) / (n * (n - 1)))
    p_value = _two_sided_normal((u_statistic - n_ones * n_others / 2) / np.sqrt(variance))
    spread = float((ones * (dominance_of_ones - delta) ** 2).sum()) / (n_ones - 1) / n_ones
    spread += float((others * (dominance_over_others - delta) ** 2).sum()) / (n_others - 1) / n_others
    low, high = _cliff_interval(delta, spread, min(n_ones, n_others))
    return Result(n, u_statistic, p_value, delta, low, high)


def _cliff_interval(delta: float, variance: float, smaller_group: float) -> tuple[float, float]:
    """Asymmetric interval of Cliff's delta (Feng and Cliff 2004, equations 8 and 9)."""
    z = _normal_quantile()
    denominator = 1 - delta**2 + z**2 * variance
    if abs(delta) == 1.0 or denominator == 0:
        # Groups that do not overlap have no spread to estimate; the bound comes from the size of the smaller one.
        bound = (smaller_group - z**2) / (smaller_group + z**2)
        return (bound, 1.0) if delta > 0 else (-1.0, -bound)
    half_width = z * np.sqrt(variance) * np.sqrt((1 - delta**2) ** 2 + z**2 * variance)
    return (
        float((delta - delta**3 - half_width) / denominator),
        float((delta - delta**3 + half_width) / denominator),
    )


def kruskal_wallis(groups: Labels, y: Floats, units: Floats, min_group: int = MIN_GROUP) -> Result:
    """Compare a measure between any number of groups; groups under `min_group` units are left out.

    Parameters
    ----------
    groups
        Label of the group, shape (pairs,).
    y
        Measure, shape (pairs,).
    units
        Number of units with each pair, shape (pairs,).
    min_group
        Fewest units of a group.

    Returns
    -------
    Result
        Effect: eta squared of the ranks, ``(H - k + 1) / (n - k)`` (Tomczak and Tomczak 2014), the share of the
        variance of ranks that lies between groups less what chance puts there, 0 at least. p from chi-square with
        k - 1 degrees of freedom; interval from the noncentrality of H.
    """
    table = _crosstab(groups, y, units)
    kept = table.counts[table.group_sizes >= min_group]
    table = _Table(kept[:, kept.sum(axis=0) > 0], table.values[:0])
    n = int(table.counts.sum())
    k, distinct = table.counts.shape
    if n < MIN_UNITS or k < 2 or distinct < 2:
        return Result(n)
    ranks = _mid_ranks(table.ties) - (n + 1) / 2
    sizes = table.group_sizes
    rank_sums = (table.counts * ranks).sum(axis=1)
    ties = table.ties
    correction = 1 - float((ties**3 - ties).sum()) / (float(n) ** 3 - n)
    h_statistic = 12 / (n * (n + 1)) * float((rank_sums**2 / sizes).sum()) / correction
    degrees = k - 1
    low, high = noncentrality_interval(h_statistic, degrees)
    return Result(
        n,
        h_statistic,
        float(special.chdtrc(degrees, h_statistic)),
        min(1.0, max(0.0, h_statistic - degrees) / (n - k)),
        min(1.0, low / (n - k)),
        min(1.0, high / (n - k)),
    )


def independence(x: Floats, y: Floats, units: Floats) -> Result:
    """Chi-square test of whether the share of units with ``y = 1`` depends on their class.

    Parameters
    ----------
    x
        Class, shape (pairs,).
    y
        Outcome, 1 or 0, shape (pairs,).
    units
        Number of units with each pair, shape (pairs,).

    Returns
    -------
    Result
        Effect, a ratio: one plus the typical distance of a class's share from the overall share, relative to that
        share and less what chance puts there, ``1 + sqrt(max(0, chi2 - df) / n (1 - p) / p)``; 1 = no difference.
        Interval from the noncentrality. No result when a cell expects under five units.
    """
    counts = _crosstab(x, y, units).counts
    n = int(units.sum())
    if n < MIN_UNITS or counts.shape[0] < 2 or counts.shape[1] != 2:
        return Result(n)
    outcomes = counts.sum(axis=0)
    expected = np.outer(counts.sum(axis=1), outcomes) / n
    result = _chi_square(counts, expected, counts.shape[0] - 1, n)
    if result.effect_size is None or result.effect_low is None or result.effect_high is None:
        return result
    scale = float(np.sqrt(outcomes[0] / outcomes[1]))
    return replace(
        result,
        effect_size=1 + result.effect_size * scale,
        effect_low=1 + result.effect_low * scale,
        effect_high=1 + result.effect_high * scale,
    )


def goodness_of_fit(exposure: Floats, units: Floats) -> Result:
    """Chi-square test of units spread in proportion to exposure.

    Parameters
    ----------
    exposure
        What each class should be proportional to (such as its number of days), shape (classes,).
    units
        Units of each class, zeros included, shape (classes,).

    Returns
    -------
    Result
        Effect: Cohen's w less its expectation under even spread, ``sqrt((chi2 - df) / n)``, 0 at least; interval from
        the noncentrality. No result when a class expects under five units.
    """
    order = np.lexsort((exposure, units))
    units, exposure = units[order], exposure[order]
    n = int(units.sum())
    if n < MIN_UNITS or units.size < 2:
        return Result(n)
    return _chi_square(units, exposure / exposure.sum() * n, units.size - 1, n)


def _chi_square(counts: Floats, expected: Floats, degrees: int, n: int) -> Result:
    if expected.min() < MIN_EXPECTED:
        return Result(n)
    statistic = float(((counts - expected) ** 2 / expected).sum())
    low, high = noncentrality_interval(statistic, degrees)
    return Result(
        n,
        statistic,
        float(special.chdtrc(degrees, statistic)),
        float(np.sqrt(max(0.0, statistic - degrees) / n)),
        float(np.sqrt(low / n)),
        float(np.sqrt(high / n)),
    )


def risk_ratio(x: Floats, y: Floats, units: Floats) -> Result:
    """Compare the share of units with ``y = 1`` between those with ``x = 1`` and those with ``x = 0``.

    Parameters
    ----------
    x, y
        Group and outcome, each 1 or 0, shape (pairs,).
    units
        Number of units with each pair, shape (pairs,).

    Returns
    -------
    Result
        Effect: share in group 1 over share in group 0. p from the chi-square without continuity correction; interval
        of Katz and others (1978), normal on the logarithm. No result when a cell expects under five units or the
        outcome is missing from a group.
    """
    counts = _crosstab(x, y, units).counts
    n = int(units.sum())
    if n < MIN_UNITS or counts.shape != (2, 2):
        return Result(n)
    sizes, outcomes = counts.sum(axis=1), counts.sum(axis=0)
    expected = np.outer(sizes, outcomes) / n
    if expected.min() < MIN_EXPECTED or counts[:, 1].min() == 0:
        return Result(n)
    statistic = float(((counts - expected) ** 2 / expected).sum())
    ratio = float(counts[1, 1] / sizes[1] / (counts[0, 1] / sizes[0]))
    half_width = _normal_quantile() * np.sqrt(float((1 / counts[:, 1] - 1 / sizes).sum()))
    return Result(
        n,
        statistic,
        float(special.chdtrc(1, statistic)),
        ratio,
        float(ratio * np.exp(-half_width)),
        float(ratio * np.exp(half_width)),
    )


def rate_trend(x: Floats, y: Floats, units: Floats) -> Result:
    """Share of units with ``y = 1`` along the ranks of a measure.

    Parameters
    ----------
    x
        Measure, shape (pairs,).
    y
        Outcome, 1 or 0, shape (pairs,).
    units
        Number of units with each pair, shape (pairs,).

    Returns
    -------
    Result
        Effect: ratio of the share in the middle of the lowest quarter to that in the middle of the highest, on the line
        ``log share = a + b rank`` with mid-ranks from 0 to 1. Statistic: z of b with a robust error, as a share is no
        Poisson count (Zou 2004, modified Poisson regression). No result
        with under five units of either outcome, or where all that have it lie at one end.
    """
    x, y, units = _sorted_pairs(x, y, units)
    n = int(units.sum())
    distinct, codes = np.unique(x, return_inverse=True)
    positive = float((units * y).sum())
    if n < MIN_UNITS or distinct.size < 2 or min(positive, n - positive) < MIN_EXPECTED:
        return Result(n)
    counts = np.zeros(distinct.size)
    np.add.at(counts, codes, units)
    rank = ((_mid_ranks(counts) - 0.5) / n)[codes]
    design = np.column_stack([np.ones_like(rank), rank])
    line = np.array([np.log(positive / n), 0.0])
    for _ in range(MAX_STEPS):
        share = np.exp(design @ line)
        information = (design.T * (units * share)) @ design
        step = np.linalg.solve(information, design.T @ (units * (y - share)))
        line = line + step
        if np.abs(line).max() > STEEPEST:
            # whoever has the outcome lies at one end: no line is steep enough
            return Result(n)
        if np.abs(step).max() < CONVERGED:
            break
    else:
        return Result(n)
    share = np.exp(design @ line)
    inverse = np.linalg.inv((design.T * (units * share)) @ design)
    spread = inverse @ ((design.T * (units * (y - share) ** 2)) @ design) @ inverse
    error = float(np.sqrt(spread[1, 1]))
    z = float(line[1]) / error
    low, high = (-QUARTERS_APART * (line[1] + side * _normal_quantile() * error) for side in (1, -1))
    return Result(
        n,
        z,
        _two_sided_normal(z),
        float(np.exp(-QUARTERS_APART * line[1])),
        float(np.exp(low)),
        float(np.exp(high)),
    )


def ratio_of_means(x: Floats, y: Floats, units: Floats) -> Result:
    """Compare the mean of a positive measure between the units with ``x = 1`` and those with ``x = 0``, as a ratio.

    Parameters
    ----------
    x
        Group, 1 or 0, shape (pairs,).
    y
        Measure, zero at least, shape (pairs,).
    units
        Number of units with each pair, shape (pairs,).

    Returns
    -------
    Result
        Effect: mean of group 1 over mean of group 0. Statistic and p are Welch's for the difference; the interval is
        Welch's too, on the logarithm by the delta method.
    """
    difference = mean_difference(x, y, units)
    if difference.effect_size is None:
        return Result(difference.n)
    table = _crosstab(x, y, units)
    sizes = table.group_sizes
    means = (table.counts * table.values).sum(axis=1) / sizes
    if means.min() <= 0:
        return Result(difference.n)
    squares = (table.counts * (table.values[None, :] - means[:, None]) ** 2).sum(axis=1)
    variances = squares / (sizes - 1) / sizes / means**2
    total = float(variances.sum())
    degrees = total**2 / float((variances**2 / (sizes - 1)).sum())
    half_width = float(special.stdtrit(degrees, 1 - ALPHA / 2)) * np.sqrt(total)
    ratio = float(means[1] / means[0])
    return replace(
        difference,
        effect_size=ratio,
        effect_low=float(ratio * np.exp(-half_width)),
        effect_high=float(ratio * np.exp(half_width)),
    )


def mean_difference(x: Floats, y: Floats, units: Floats) -> Result:
    """Compare the mean of a measure between the units with ``x = 1`` and those with ``x = 0`` (Welch).

    Parameters
    ----------
    x
        Group, 1 or 0, shape (pairs,).
    y
        Measure, shape (pairs,).
    units
        Number of units with each pair, shape (pairs,).

    Returns
    -------
    Result
        Effect: mean of group 1 less mean of group 0, in the unit of the measure, with Welch's t interval.
    """
    table = _crosstab(x, y, units)
    n = int(units.sum())
    if n < MIN_UNITS or table.counts.shape[0] != 2 or table.group_sizes.min() < MIN_GROUP:
        return Result(n)
    sizes = table.group_sizes
    means = (table.counts * table.values).sum(axis=1) / sizes
    squares = (table.counts * (table.values[None, :] - means[:, None]) ** 2).sum(axis=1)
    variances = squares / (sizes - 1) / sizes
    total = float(variances.sum())
    if total == 0:
        return Result(n)
    degrees = total**2 / float((variances**2 / (sizes - 1)).sum())
    difference = float(means[1] - means[0])
    t = difference / np.sqrt(total)
    half_width = float(special.stdtrit(degrees, 1 - ALPHA / 2)) * np.sqrt(total)
    return Result(
        n,
        float(t),
        _two_sided_t(t, degrees),
        difference,
        float(difference - half_width),
        float(difference + half_width),
    )


def linear_trend(x: Floats, y: Floats, units: Floats) -> Result:
    """Slope of the group means of a measure over ordered groups.

    Parameters
    ----------
    x
        Position of the group, such as weeks, shape (pairs,).
    y
        Measure, shape (pairs,).
    units
        Number of units with each pair, shape (pairs,).

    Returns
    -------
    Result
        Effect: least-squares slope, in units of `y` per unit of `x`, with an interval that allows each group a
        variance of its own (White's estimator, HC1).
    """
    x, y, units = _sorted_pairs(x, y, units)
    n = int(units.sum())
    if n < MIN_UNITS or np.unique(x).size < 2 or np.unique(y).size < 2:
        return Result(n)
    centred = x - float((units * x).sum()) / n
    spread = float((units * centred**2).sum())
    slope = float((units * centred * y).sum()) / spread
    residual = y - float((units * y).sum()) / n - slope * centred
    error = np.sqrt(n / (n - 2) * float((units * (residual * centred) ** 2).sum())) / spread
    if error == 0:
        return Result(n)
    half_width = float(special.stdtrit(n - 2, 1 - ALPHA / 2)) * error
    t = slope / error
    return Result(n, float(t), _two_sided_t(t, n - 2), slope, float(slope - half_width), float(slope + half_width))


def adjust(p_values: Floats) -> Floats:
    """Benjamini-Hochberg adjusted p-values.

    Parameters
    ----------
    p_values
        Raw p-values of one family of tests, shape (tests,); NaN marks one that was not made and stays NaN.

    Returns
    -------
    ndarray
        The smallest false discovery rate at which each would be called a discovery, shape (tests,).
    """
    adjusted = np.full(p_values.shape, np.nan)
    tested = np.flatnonzero(~np.isnan(p_values))
    descending = tested[np.argsort(-p_values[tested], kind="stable")]
    ranks = np.arange(tested.size, 0, -1)
    # a factor of 1 or more in a form that rounds to nothing less: p * n / n can fall an ulp short of p
    adjusted[descending] = np.minimum(1.0, np.minimum.accumulate(p_values[descending] * (tested.size / ranks)))
    return adjusted
