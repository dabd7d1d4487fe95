"""The model that ships, as plain numbers: one object that scores millions of customers or one."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from scoring import explain
from scoring.calibration import Calibration
from scoring.features import FeatureTable, Floats
from scoring.models.additive import AdditiveScore
from scoring.stored import digest_of, rounded_state
from scoring.value import ValueModel

PROBABILITY_DIGITS = 6
MONEY_DIGITS = 2


@dataclass(frozen=True)
class Scores:
    """The output for many customers, in columns of length n.

    ``base_score + sum(reasons.contributions) + reasons.other == score``, in log-odds of churn; ``churn_probability`` is
    its calibrated value.
    """

    churn_probability: Floats
    churn_band: npt.NDArray[np.object_]
    score: Floats
    base_score: float
    reasons: explain.Reasons
    expected_orders: Floats
    expected_revenue: Floats
    usual_revenue: Floats
    value_at_risk: Floats


@dataclass(frozen=True)
class ShippedModel:
    """Score, calibration, value and bands of the model in use.

    Parameters
    ----------
    name : str
        Kind of model, as in the metrics.
    known_until : str
        Day on which the last window it learned from had closed, ISO format.
    horizon_days : int
    additive : AdditiveScore
        Log-odds of a return.
    calibration : Calibration
        From score to the probability of a return.
    value : ValueModel
    band_medium_min, band_high_min : float
        Churn probabilities from which the band is medium, and high.
    """

    name: str
    known_until: str
    horizon_days: int
    additive: AdditiveScore
    calibration: Calibration
    value: ValueModel
    band_medium_min: float
    band_high_min: float

    def churn_probability(self, table: FeatureTable) -> Floats:
        """Return P(no order within the horizon) as published, shape (rows,); only the model's features are read."""
        result: Floats = np.round(1.0 - self.calibration.probability(-self._add_up(table)[1]), PROBABILITY_DIGITS)
        return result

    def band(self, churn_probability: Floats) -> npt.NDArray[np.object_]:
        """Return the band of each customer, shape (rows,)."""
        band: npt.NDArray[np.object_] = np.full(len(churn_probability), "low", dtype=object)
        band[churn_probability >= self.band_medium_min] = "medium"
        band[churn_probability >= self.band_high_min] = "high"
        return band

    def _add_up(self, table: FeatureTable) -> tuple[dict[str, Floats], Floats]:
        """Return each feature's contribution to the log-odds of churn, and their sum with the base."""
        contributions = {name: -effect for name, effect in self.additive.contributions(table).items()}
        score = np.full(table.rows, -self.additive.base)
        for effect in contributions.values():
            score = score + effect
        return contributions, score

    def score(self, table: FeatureTable) -> Scores:
        """Score customers.

        Parameters
        ----------
        table : FeatureTable
            Features at the cut-off, n rows.

        Returns
        -------
        Scores
        """
        table = self.additive.prepared(table)
        contributions, score = self._add_up(table)
        returning = self.calibration.probability(-score)
        churn = np.round(1.0 - returning, PROBABILITY_DIGITS)
        expected = returning * self.value.orders(table)
        worth = self.value.order_value(table)
        expected_revenue: Floats = np.round(expected * worth, MONEY_DIGITS)
        usual_revenue: Floats = np.round(self.value.usual_orders(table, self.horizon_days) * worth, MONEY_DIGITS)
        value_at_risk = (usual_revenue - expected_revenue).clip(min=0.0).round(MONEY_DIGITS)
        return Scores(
            churn_probability=churn,
            churn_band=self.band(churn),
            score=score,
            base_score=-self.additive.base,
            reasons=explain.reasons(contributions, table),
            expected_orders=np.round(expected, PROBABILITY_DIGITS),
            expected_revenue=expected_revenue,
            usual_revenue=usual_revenue,
            value_at_risk=value_at_risk,
        )

    @property
    def version(self) -> str:
        """Name, horizon, day and a digest of every number in the model: the same input gives the same version."""
        return f"{self.name}-{self.horizon_days}d-{self.known_until}-{digest_of(self.to_json())}"

    def to_json(self) -> str:
        """Return the whole model as JSON."""
        state = {
            "name": self.name,
            "known_until": self.known_until,
            "horizon_days": self.horizon_days,
            "additive": self.additive.to_dict(),
            "calibration": self.calibration.to_dict(),
            "value": self.value.to_dict(),
            "band_medium_min": self.band_medium_min,
            "band_high_min": self.band_high_min,
        }
        return json.dumps(rounded_state(state), sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> ShippedModel:
        """Restore what :meth:`to_json` gave."""
        state: dict[str, Any] = json.loads(text)
        return cls(
            name=state["name"],
            known_until=state["known_until"],
            horizon_days=state["horizon_days"],
            additive=AdditiveScore.from_dict(state["additive"]),
            calibration=Calibration.from_dict(state["calibration"]),
            value=ValueModel.from_dict(state["value"]),
            band_medium_min=state["band_medium_min"],
            band_high_min=state["band_high_min"],
        )
