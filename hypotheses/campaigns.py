"""Campaigns put to the test: treated against control of every launch whose time is over. No I/O."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hypotheses import experiments
from hypotheses.experiments import Estimate, Sums

TREATED, CONTROL = "treated", "control"
RETURN_RATE, REVENUE = "return_rate", "revenue_per_person"


@dataclass(frozen=True)
class Compared:
    """One measure of one launch; a figure is None where there is too little to say it.

    Attributes
    ----------
    launch_id, measure
        Which.
    verdict
        Of :func:`hypotheses.experiments.judge`.
    treated_value, control_value
        Share that returned, or revenue per person, of everyone who was drawn: whether written to or not.
    difference, ratio
        Treated less, and over, control, with 95 % intervals; revenue adjusted by the revenue before (CUPED).
    p_value
        Two-sided.
    split_p_value
        Of the sample ratio check.
    detectable_difference
        What a comparison of this size shows four times in five, given the control's own share.
    """

    launch_id: str
    measure: str
    verdict: str
    treated_value: float | None
    control_value: float | None
    difference: float | None
    difference_low: float | None
    difference_high: float | None
    ratio: float | None
    ratio_low: float | None
    ratio_high: float | None
    p_value: float | None
    split_p_value: float | None
    detectable_difference: float | None


def compare(launches: Sequence[Mapping[str, Any]], sums: Sequence[Mapping[str, Any]]) -> list[Compared]:
    """Compare the arms of every launch that is over and has people in both.

    Parameters
    ----------
    launches
        Rows of the mart ``campaigns``.
    sums
        Rows of ``int_campaign_sums``: one per launch and arm.

    Returns
    -------
    list of Compared
        Two per launch, return rate and revenue, in the order of the ids.
    """
    arms = {(row["launch_id"], row["arm"]): row for row in sums}
    compared: list[Compared] = []
    for launch in sorted(launches, key=lambda row: str(row["launch_id"])):
        name = launch["launch_id"]
        treated, control = arms.get((name, TREATED)), arms.get((name, CONTROL))
        if launch["is_over"] and treated is not None and control is not None:
            compared += _compare_arms(launch, treated, control)
    return compared


def _compare_arms(
    launch: Mapping[str, Any], treated: Mapping[str, Any], control: Mapping[str, Any]
) -> tuple[Compared, Compared]:
    name = str(launch["launch_id"])
    sizes = treated["people"], control["people"]
    split = experiments.split_p_value(*sizes, launch["control_share"])
    counts = treated["returned"], sizes[0], control["returned"], sizes[1]
    rate = experiments.share_difference(*counts)
    planned = launch["planned_difference"]
    revenue, revenue_ratio, revenue_p = experiments.mean_difference(_sums(treated), _sums(control))
    reached = experiments.detectable_difference(counts[2] / sizes[1], *sizes)
    return (
        _row(
            (name, RETURN_RATE),
            (counts[0] / sizes[0], counts[2] / sizes[1]),
            (rate, experiments.share_ratio(*counts)),
            (experiments.share_p_value(*counts), split, reached),
            experiments.judge(rate, split, np.nan if planned is None else planned),
        ),
        _row(
            (name, REVENUE),
            (treated["revenue"] / sizes[0], control["revenue"] / sizes[1]),
            (revenue, revenue_ratio),
            (revenue_p, split, np.nan),
            experiments.judge(revenue, split, np.nan),
        ),
    )


def _sums(arm: Mapping[str, Any]) -> Sums:
    names = ("people", "revenue", "revenue_squared", "revenue_before", "revenue_before_squared", "revenue_product")
    return Sums(*(np.asarray(arm[name], dtype=np.float64) for name in names))


def _row(
    key: tuple[str, str],
    values: tuple[float, float],
    estimates: tuple[Estimate, Estimate],
    further: tuple[Any, Any, Any],
    verdict: Any,
) -> Compared:
    estimated = [part for estimate in estimates for part in (estimate.value, estimate.low, estimate.high)]
    rest: list[Any] = [_or_none(figure) for figure in (*values, *estimated, *further)]
    return Compared(key[0], key[1], str(verdict), *rest)


def _or_none(figure: Any) -> float | None:
    number = float(figure)
    return number if math.isfinite(number) else None
