"""What a customer's rhythm alone says of a return, as a feature for models that know more of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from scoring.calibration import logit
from scoring.features import RHYTHM, FeatureTable, Floats
from scoring.models.btyd import BuyTillYouDie

# Columns it is worked out from.
HISTORY = ("order_count", "recency_days", "tenure_days")


@dataclass(frozen=True)
class Rhythm:
    """The log-odds of at least one purchase within the horizon under a buy-till-you-die model.

    Parameters
    ----------
    model : BuyTillYouDie
        Fitted to histories in days; no outcome is used.
    horizon_days : int
    """

    model: BuyTillYouDie
    horizon_days: int

    def add_to(self, table: FeatureTable) -> FeatureTable:
        """Return the table with the feature :data:`RHYTHM`; the same table when it has it."""
        if RHYTHM.name in table.numbers:
            return table
        return replace(table, numbers={**table.numbers, RHYTHM.name: self._log_odds(table.numbers)})

    def _log_odds(self, numbers: Mapping[str, Floats]) -> Floats:
        age = numbers["tenure_days"]
        chance = self.model.probability_of_purchase(
            numbers["order_count"] - 1, age - numbers["recency_days"], age, float(self.horizon_days)
        )
        result: Floats = np.round(logit(np.clip(chance, 1e-6, 1 - 1e-6)), 9)
        return result

    def to_dict(self) -> dict[str, Any]:
        """Return the state as plain values."""
        return {"model": dict(self.model.__dict__), "horizon_days": self.horizon_days}

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> Rhythm:
        """Restore what :meth:`to_dict` gave."""
        return cls(BuyTillYouDie(**state["model"]), int(state["horizon_days"]))
