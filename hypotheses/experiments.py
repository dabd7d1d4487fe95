"""Two arms compared from their sums: shares and means with 95 % intervals, how even the split is, what a size can show.

Every function takes numbers or arrays of one shape and works element by element, so that two thousand simulated
campaigns are judged at once. Nothing here reads or draws anything.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

ALPHA = 0.05
POWER = 0.8
# A split that chance makes once in a thousand campaigns is taken for a fault, as experimentation teams do.
SPLIT_ALPHA = 0.001

Values = npt.NDArray[np.float64]
Numbers = float | npt.ArrayLike


@dataclass(frozen=True)
class Estimate:
    """A figure with the bounds of its 95 % interval; NaN where there is too little to say it."""

    value: Values
    low: Values
    high: Values


@dataclass(frozen=True)
class Sums:
    """What is left of one arm: people, and sums over them of an outcome and of what it was before.

    Attributes
    ----------
    people
        How many.
    outcome, outcome_squared
        Sums of the outcome and of its square.
    before, before_squared, product
        Sums of the covariate, of its square, and of outcome times covariate.
    """

    people: Values
    outcome: Values
    outcome_squared: Values
    before: Values
    before_squared: Values
    product: Values

    def __add__(self, other: Sums) -> Sums:
        """Return the sums of both arms together."""
        return Sums(*(getattr(self, name) + getattr(other, name) for name in self.__dataclass_fields__))


def _floats(*numbers: Numbers) -> tuple[Values, ...]:
    return tuple(np.asarray(number, dtype=np.float64) for number in numbers)


def _normal_quantile() -> float:
    return float(special.ndtri(1 - ALPHA / 2))


def wilson(events: Numbers, people: Numbers) -> tuple[Values, Values]:
    """Wilson's 95 % interval of a share."""
    events, people = _floats(events, people)
    z = _normal_quantile()
    with np.errstate(invalid="ignore", divide="ignore"):
        share = events / people
        middle = share + z**2 / (2 * people)
        half = z * np.sqrt(share * (1 - share) / people + z**2 / (4 * people**2))
        scale = 1 + z**2 / people
        return (middle - half) / scale, (middle + half) / scale


def share_difference(events: Numbers, people: Numbers, control_events: Numbers, control_people: Numbers) -> Estimate:
    """Difference of two shares, treated less control, with Newcombe's interval.

    Newcombe (1998), method 10: from the Wilson intervals of both shares, which hold their promise for rare outcomes
    where the textbook interval does not.
    """
    events, people, control_events, control_people = _floats(events, people, control_events, control_people)
    low, high = wilson(events, people)
    control_low, control_high = wilson(control_events, control_people)
    with np.errstate(invalid="ignore", divide="ignore"):
        share, control = events / people, control_events / control_people
        difference = share - control
        return Estimate(
            difference,
            difference - np.sqrt((share - low) ** 2 + (control_high - control) ** 2),
            difference + np.sqrt((high - share) ** 2 + (control - control_low) ** 2),
        )


def share_ratio(events: Numbers, people: Numbers, control_events: Numbers, control_people: Numbers) -> Estimate:
    """Ratio of two shares, treated over control; NaN where one of them has no event.

    Interval of Katz and others (1978), normal on the logarithm.
    """
    events, people, control_events, control_people = _floats(events, people, control_events, control_people)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = (events / people) / (control_events / control_people)
        ratio = np.where((events > 0) & (control_events > 0), ratio, np.nan)
        error = np.sqrt(1 / events - 1 / people + 1 / control_events - 1 / control_people)
        half = _normal_quantile() * error
        return Estimate(ratio, ratio * np.exp(-half), ratio * np.exp(half))


def share_p_value(events: Numbers, people: Numbers, control_events: Numbers, control_people: Numbers) -> Values:
    """Two-sided p-value of equal shares: chi-square with one degree of freedom, without correction."""
    events, people, control_events, control_people = _floats(events, people, control_events, control_people)
    with np.errstate(invalid="ignore", divide="ignore"):
        pooled = (events + control_events) / (people + control_people)
        error = np.sqrt(pooled * (1 - pooled) * (1 / people + 1 / control_people))
        z = (events / people - control_events / control_people) / error
    return np.asarray(2 * special.ndtr(-np.abs(z)))


def mean_difference(treated: Sums, control: Sums) -> tuple[Estimate, Estimate, Values]:
    """Difference and ratio of two means, adjusted by what the outcome was before (CUPED).

    Parameters
    ----------
    treated, control
        Sums of both arms.

    Returns
    -------
    difference, ratio : Estimate
        Welch's intervals; the ratio's by the delta method on the logarithm.
    p_value : ndarray
        Two-sided, Welch's t.

    Notes
    -----
    Deng and others (2013): the outcome less theta times the covariate has the same expected difference and a smaller
    variance; theta is the slope over both arms together. A covariate that does not vary changes nothing.
    """
    both = treated + control
    with np.errstate(invalid="ignore", divide="ignore"):
        covariance = both.product - both.outcome * both.before / both.people
        spread = both.before_squared - both.before**2 / both.people
        theta = np.where(spread > 0, covariance / np.where(spread > 0, spread, 1.0), 0.0)
        mean_before = both.before / both.people
        means, variances, people = [], [], []
        for arm in (treated, control):
            means.append(arm.outcome / arm.people - theta * (arm.before / arm.people - mean_before))
            squares = (
                (arm.outcome_squared - arm.outcome**2 / arm.people)
                + theta**2 * (arm.before_squared - arm.before**2 / arm.people)
                - 2 * theta * (arm.product - arm.outcome * arm.before / arm.people)
            )
            variances.append(np.maximum(squares, 0.0) / (arm.people - 1) / arm.people)
            people.append(arm.people)
        difference = means[0] - means[1]
        error, quantile, degrees = _welch(variances, people)
        absolute = Estimate(difference, difference - quantile * error, difference + quantile * error)
        p_value = 2 * special.stdtr(degrees, -np.abs(difference / error))
        is_positive = (means[0] > 0) & (means[1] > 0)
        ratio = np.where(is_positive, means[0] / means[1], np.nan)
        relative = [variance / mean**2 for variance, mean in zip(variances, means, strict=True)]
        relative_error, relative_quantile, _ = _welch(relative, people)
        factor = np.exp(relative_quantile * relative_error)
    return absolute, Estimate(ratio, ratio / factor, ratio * factor), np.asarray(p_value)


def _welch(variances: list[Values], people: list[Values]) -> tuple[Values, Values, Values]:
    """Give the standard error of a difference, the 97.5 % quantile of its t, and the degrees of freedom."""
    total = variances[0] + variances[1]
    degrees = total**2 / (variances[0] ** 2 / (people[0] - 1) + variances[1] ** 2 / (people[1] - 1))
    return np.sqrt(total), np.asarray(special.stdtrit(degrees, 1 - ALPHA / 2)), degrees


def split_p_value(treated: Numbers, control: Numbers, control_share: Numbers) -> Values:
    """Two-sided p-value of the arms' sizes, given the share that was to be held out: the sample ratio check."""
    treated, control, control_share = _floats(treated, control, control_share)
    people = treated + control
    with np.errstate(invalid="ignore", divide="ignore"):
        statistic = (control - people * control_share) ** 2 / (people * control_share * (1 - control_share))
    return np.asarray(special.chdtrc(1, statistic))


def detectable_difference(share: Numbers, treated: Numbers, control: Numbers) -> Values:
    """Smallest rise of a share that a comparison of such a size would show four times in five.

    Parameters
    ----------
    share
        Share expected without treatment, strictly between 0 and 1.
    treated, control
        People in each arm.

    Returns
    -------
    ndarray
        Difference of the shares at a power of .8 and a two-sided level of .05; NaN where even 1 would not be shown.
    """
    share, treated, control = _floats(share, treated, control)
    share, treated, control = np.broadcast_arrays(share, treated, control)
    needed = _normal_quantile(), float(special.ndtri(POWER))
    low, high = share.copy(), np.ones_like(share)

    def is_shown(raised: Values) -> npt.NDArray[np.bool_]:
        pooled = (treated * raised + control * share) / (treated + control)
        noise = np.sqrt(pooled * (1 - pooled) * (1 / treated + 1 / control))
        spread = np.sqrt(raised * (1 - raised) / treated + share * (1 - share) / control)
        return np.asarray(raised - share >= needed[0] * noise + needed[1] * spread)

    with np.errstate(invalid="ignore", divide="ignore"):
        is_possible = is_shown(high) & (share > 0)
        for _ in range(60):
            middle = (low + high) / 2
            shown = is_shown(middle)
            high, low = np.where(shown, middle, high), np.where(shown, low, middle)
    return np.where(is_possible, high - share, np.nan)


def people_needed(share: float, uplift: float, control_share: float) -> int | None:
    """How many people in both arms show a relative rise of a share four times in five; None where none would.

    Parameters
    ----------
    share
        Share expected without treatment.
    uplift
        Relative rise, such as .2 for a fifth.
    control_share
        Share of people held out.
    """
    raised = share * (1 + uplift)
    if not 0 < share < raised < 1:
        return None
    rates = (1 - control_share), control_share
    pooled = rates[0] * raised + rates[1] * share
    noise = np.sqrt(pooled * (1 - pooled) * (1 / rates[0] + 1 / rates[1]))
    spread = np.sqrt(raised * (1 - raised) / rates[0] + share * (1 - share) / rates[1])
    root = (_normal_quantile() * noise + float(special.ndtri(POWER)) * spread) / (raised - share)
    return int(np.ceil(root**2))


def judge(difference: Estimate, split_p: Values, smallest: Numbers) -> npt.NDArray[np.str_]:
    """Say what a comparison has shown, one word each.

    Parameters
    ----------
    difference
        Treated less control.
    split_p
        Of the sample ratio check.
    smallest
        The difference that the campaign was planned to show; NaN where it could show none.

    Returns
    -------
    ndarray of str
        ``broken_split``: the arms are not the sizes that were drawn, nothing is said. ``worked``, ``harmed``: the whole
        interval lies on one side of zero. ``no_effect_that_matters``: all of it lies within the planned difference.
        ``cannot_tell``: anything else.
    """
    (smallest,) = _floats(smallest)
    with np.errstate(invalid="ignore"):
        return np.select(
            [
                split_p < SPLIT_ALPHA,
                difference.low > 0,
                difference.high < 0,
                (difference.low > -smallest) & (difference.high < smallest),
            ],
            ["broken_split", "worked", "harmed", "no_effect_that_matters"],
            "cannot_tell",
        )
