"""What somebody who comes back pays within the window, from what they paid first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from scoring.features import Floats
from scoring.value import STRENGTHS

if TYPE_CHECKING:
    from scoring.first_purchase.reading import Moments


@dataclass(frozen=True)
class Worth:
    """``mean * (strength + own / usual) / (strength + 1)``: who paid more first pays more later, as far as that holds.

    Parameters
    ----------
    mean : float
        Paid within the window by those who came back.
    usual : float
        Mean of their first payments; of all people's where nobody came back.
    strength : float
        The larger, the less the own first payment counts.
    """

    mean: float
    usual: float
    strength: float

    @classmethod
    def learn(cls, moments: Moments) -> Worth:
        """Fit on those who came back."""
        first = np.nan_to_num(moments.features.numbers["first_order_payment"])
        back, paid = first[moments.is_back], moments.revenue[moments.is_back]
        if not len(back) or back.mean() <= 0:
            usual = float(first.mean()) if len(first) else 0.0
            return cls(float(paid.mean()) if len(paid) else usual, usual, STRENGTHS[-1])
        mean, usual = float(paid.mean()), float(back.mean())
        ceiling = float(np.quantile(paid, 0.99))  # one villa must not decide how far the first payment tells the later
        seen = np.minimum(paid, ceiling)
        own = np.minimum(back, float(np.quantile(back, 0.99)))

        def error(strength: float) -> float:
            return float(np.mean((seen - cls(mean, usual, strength).if_back(own)) ** 2))

        return cls(mean, usual, min(STRENGTHS, key=error))

    def if_back(self, first_payment: Floats) -> Floats:
        """Return what is paid within the window by somebody who comes back, shape as `first_payment`."""
        own = np.nan_to_num(first_payment) / self.usual if self.usual > 0 else np.ones_like(first_payment)
        result: Floats = self.mean * (self.strength + own) / (self.strength + 1.0)
        return result

    def to_dict(self) -> dict[str, Any]:
        """Return the state as plain values."""
        return dict(self.__dict__)

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> Worth:
        """Restore what :meth:`to_dict` gave."""
        return cls(**state)
