"""Values far from the others: counted and told, never dropped."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scoring.table.columns import Table

FENCE = 1.5  # interquartile ranges beyond the quartiles


@dataclass(frozen=True)
class Outliers:
    """How many values of a feature lie beyond its fences."""

    feature: str
    rows: int
    low: float
    high: float


def find_outliers(table: Table) -> list[Outliers]:
    """Count the values beyond 1.5 interquartile ranges from the quartiles; features without any are left out."""
    found = []
    for name, values in table.numbers.items():
        known = values[~np.isnan(values)]
        if not len(known):
            continue
        lower, upper = np.quantile(known, (0.25, 0.75))
        spread = upper - lower
        if spread <= 0:
            continue
        low, high = float(lower - FENCE * spread), float(upper + FENCE * spread)
        rows = int(((known < low) | (known > high)).sum())
        if rows:
            found.append(Outliers(name, rows, low, high))
    return found
