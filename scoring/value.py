"""Expected and usual orders and money of a customer within the horizon."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from scoring.features import FeatureTable, Flags, Floats
from scoring.models.btyd import Pace

STRENGTHS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 1e9)
GROUPS = 4  # customers with 1, 2, 3, and 4 or more orders
GROUP_PRIOR = 50.0  # returns of the whole shop that a group's own are mixed with


@dataclass(frozen=True)
class ValueModel:
    """What a customer brings if they return, and what they would bring at their own pace.

    If they return, the number of orders is the mean of returning customers with as many past orders; their value is the
    customer's own mean payment, drawn towards the shop's the less, the more orders it rests on:
    ``(k * shop + n * own) / (k + n)``.

    Parameters
    ----------
    orders_if_returning : tuple of float
        For customers with 1, 2, 3, and 4 or more orders.
    shop_order_value : float
        Mean payment per order of returning customers, drawn towards that of all as far as chance may part them.
    strength : float
        k: the number of orders at which a customer's own mean weighs as much as the shop's.
    scale : float
        Ratio that makes the expected revenue of the fitted windows equal the observed one, at the shop's order value.
    pace : Pace
        How often customers order as long as they stay.
    """

    orders_if_returning: tuple[float, ...]
    shop_order_value: float
    strength: float
    scale: float
    pace: Pace

    def orders(self, table: FeatureTable) -> Floats:
        """Return the expected orders of each customer given that they return."""
        group = np.clip(table.numbers["order_count"], 1, GROUPS).astype(int) - 1
        result: Floats = np.array(self.orders_if_returning)[group]
        return result

    def usual_orders(self, table: FeatureTable, horizon_days: int) -> Floats:
        """Return the orders of each customer within the horizon at their own pace, were they to stay."""
        repeats, _, age = purchase_history(table.numbers)
        return self.pace.purchases(repeats, age, float(horizon_days))

    def order_value(self, table: FeatureTable) -> Floats:
        """Return the expected payment per order of each customer."""
        count = table.numbers["order_count"]
        own = np.nan_to_num(table.numbers["monetary_mean"])
        result: Floats = self.scale * (self.strength * self.shop_order_value + count * own) / (self.strength + count)
        return result

    def to_dict(self) -> dict[str, Any]:
        """Return the state as plain values."""
        return {
            **self.__dict__,
            "orders_if_returning": list(self.orders_if_returning),
            "pace": dict(self.pace.__dict__),
        }

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> ValueModel:
        """Restore what :meth:`to_dict` gave."""
        return cls(
            **{
                **state,
                "orders_if_returning": tuple(state["orders_if_returning"]),
                "pace": Pace(**state["pace"]),
            }
        )


def purchase_history(numbers: Mapping[str, Floats]) -> tuple[Floats, Floats, Floats]:
    """Return (repeat purchases, days from first to last, days from first to now) of each customer."""
    age = numbers["tenure_days"]
    return numbers["order_count"] - 1, age - numbers["recency_days"], age


def fit_value(table: FeatureTable, retained: Flags, orders: Floats, revenue: Floats, pace: Pace) -> ValueModel:
    """Fit on customers who returned.

    Parameters
    ----------
    table : FeatureTable
        Features at the cut-off, n rows.
    retained : array of bool, shape (n,)
    orders, revenue : array, shape (n,)
        Within the window.
    pace : Pace
        How often customers order as long as they stay.

    Returns
    -------
    ValueModel
    """
    back = retained & (orders > 0)
    history, count, money = table.take(back), orders[back], revenue[back]
    if not back.any():
        own = np.nan_to_num(table.numbers["monetary_mean"])
        return ValueModel((1.0,) * GROUPS, float(own.mean()) if len(own) else 0.0, 1.0, 1.0, pace)
    mean_orders = float(count.mean())
    group = np.clip(history.numbers["order_count"], 1, GROUPS).astype(int) - 1
    per_group = tuple(
        float((count[group == g].sum() + GROUP_PRIOR * mean_orders) / ((group == g).sum() + GROUP_PRIOR))
        for g in range(GROUPS)
    )
    seen_value = float(money.sum() / count.sum())
    shop = _draw_towards_everyone(seen_value, count, money, table)
    per_order = money / count
    ceiling = float(np.quantile(per_order, 0.99))  # one villa must not decide how far to trust everyone's mean
    seen = np.minimum(per_order, ceiling)
    own = np.minimum(np.nan_to_num(history.numbers["monetary_mean"]), ceiling)
    n = history.numbers["order_count"]

    def error(strength: float) -> float:
        return float(np.mean((seen - (strength * min(shop, ceiling) + n * own) / (strength + n)) ** 2))

    strength = min(STRENGTHS, key=error)
    unscaled = ValueModel(per_group, shop, strength, 1.0, pace)
    expected = float((unscaled.orders(history) * unscaled.order_value(history)).sum())
    scale = float(money.sum()) * shop / seen_value / expected if expected > 0 and seen_value > 0 else 1.0
    return ValueModel(per_group, shop, strength, scale, pace)


def _draw_towards_everyone(value: float, orders: Floats, revenue: Floats, table: FeatureTable) -> float:
    """Shrink the order value of the few who returned towards that of the many, whose villas and pins even out.

    The positive-part estimator of James and Stein for one mean: all the way when the two differ by no more than chance.
    """
    everyone = float(np.nansum(table.numbers["monetary_total"]) / np.nansum(table.numbers["order_count"]))
    variance = float(((revenue - value * orders) ** 2).sum()) / float(orders.sum()) ** 2
    apart = (value - everyone) ** 2
    return everyone + (value - everyone) * (max(1 - variance / apart, 0.0) if apart > 0 else 0.0)
