"""What about a first purchase goes with coming back: every value of every driver against everyone else. No I/O."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hypotheses import experiments
from hypotheses.count_statistics import adjust
from hypotheses.judging import FALSE_DISCOVERY_RATE

MORE, LESS, UNCLEAR = "returns_more", "returns_less", "no_clear_difference"


@dataclass(frozen=True)
class Driver:
    """One value of a driver within one horizon.

    Attributes
    ----------
    driver, driver_value, horizon_days
        Which.
    ratio, ratio_low, ratio_high
        Share of its people that returned over the share of all others, with a 95 % interval; None where nobody did.
    p_value_adjusted
        Of no difference, adjusted for all values of all drivers of the horizon (Benjamini-Hochberg).
    verdict
        ``returns_more`` or ``returns_less`` when that is under the false discovery rate, else ``no_clear_difference``.
    """

    driver: str
    driver_value: str
    horizon_days: int
    ratio: float | None
    ratio_low: float | None
    ratio_high: float | None
    p_value_adjusted: float | None
    verdict: str


def compare(counts: Sequence[Mapping[str, Any]], fewest: int) -> list[Driver]:
    """Compare every value that enough people share with all others of its driver.

    Parameters
    ----------
    counts
        Rows with driver, driver_value, horizon_days, people and returned.
    fewest
        Values of fewer people, and those that leave fewer others, are passed over.

    Returns
    -------
    list of Driver
        In the order of driver, value and horizon.
    """
    totals: dict[tuple[str, int], list[int]] = defaultdict(lambda: [0, 0])
    for row in counts:
        total = totals[row["driver"], row["horizon_days"]]
        total[0] += row["people"]
        total[1] += row["returned"]
    kept = [
        row
        for row in sorted(counts, key=lambda row: (row["driver"], row["driver_value"], row["horizon_days"]))
        if row["people"] >= fewest and totals[row["driver"], row["horizon_days"]][0] - row["people"] >= fewest
    ]
    if not kept:
        return []
    people, returned = (np.array([row[name] for row in kept], dtype=np.float64) for name in ("people", "returned"))
    all_people, all_returned = np.array([totals[row["driver"], row["horizon_days"]] for row in kept], dtype=float).T
    against = returned, people, all_returned - returned, all_people - people
    ratio, p_values = experiments.share_ratio(*against), experiments.share_p_value(*against)
    adjusted = np.full(len(kept), np.nan)
    horizons = np.array([row["horizon_days"] for row in kept])
    for horizon in np.unique(horizons):
        adjusted[horizons == horizon] = adjust(p_values[horizons == horizon])
    found = []
    for number, row in enumerate(kept):
        p_value = float(adjusted[number])
        is_clear = p_value < FALSE_DISCOVERY_RATE
        is_more = against[0][number] / people[number] > against[2][number] / against[3][number]
        found.append(
            Driver(
                str(row["driver"]),
                str(row["driver_value"]),
                int(row["horizon_days"]),
                _or_none(ratio.value[number]),
                _or_none(ratio.low[number]),
                _or_none(ratio.high[number]),
                _or_none(p_value),
                (MORE if is_more else LESS) if is_clear else UNCLEAR,
            )
        )
    return found


def _or_none(figure: float) -> float | None:
    number = float(figure)
    return number if np.isfinite(number) else None
