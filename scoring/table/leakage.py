"""Features that tell the label alone: more likely the label under another name than a cause of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.metrics import roc_auc_score

from scoring.table.coding import Coding
from scoring.table.columns import Codes, Flags, Floats, Rows

SUSPICIOUS_AUC = 0.98
PRIOR_ROWS = 5.0  # with the label's share, that the rate of a code is mixed with


@dataclass(frozen=True)
class Alone:
    """What one feature can do alone.

    Parameters
    ----------
    feature : str
    roc_auc : float
        Of the label's rate among rows with the same code, in other folds.
    rates : array, shape (rows,)
        That rate.
    """

    feature: str
    roc_auc: float
    rates: Floats

    @property
    def is_suspicious(self) -> bool:
        """Tell whether it separates the label too well to be a feature."""
        return self.roc_auc >= SUSPICIOUS_AUC


def try_each(codings: Sequence[Coding], codes: Codes, is_positive: Flags, fold: Rows) -> list[Alone]:
    """Try every feature alone, best first."""
    found = []
    for place, coding in enumerate(codings):
        rates = np.zeros(len(codes))
        for number in np.unique(fold):
            train, test = fold != number, fold == number
            rates[test] = rates_by_code(codes[train, place], is_positive[train], coding.size)[codes[test, place]]
        found.append(Alone(coding.feature, float(roc_auc_score(is_positive, rates)), rates))
    return sorted(found, key=lambda one: -one.roc_auc)


def rates_by_code(codes: Codes, is_positive: Flags, size: int) -> Floats:
    """Return the label's rate for each code, drawn towards the rate of all, shape (size,)."""
    count = np.bincount(codes, minlength=size)
    hits = np.bincount(codes, weights=is_positive, minlength=size)
    result: Floats = (hits + PRIOR_ROWS * is_positive.mean()) / (count + PRIOR_ROWS)
    return result
