"""The model of first purchases as plain numbers: stored as JSON, and asked about one purchase at a time."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from scoring.calibration import Calibration
from scoring.explain import NEGLIGIBLE, REASONS, wording
from scoring.features import CITY, FeatureTable, Floats, from_arrow, topic_of
from scoring.first_purchase.categories import Categories
from scoring.first_purchase.reading import CHECKOUT, DELIVERED, STAGES, WAIT_DAYS
from scoring.first_purchase.worth import Worth
from scoring.fitting import BASE_RATE
from scoring.models.additive import AdditiveScore
from scoring.segment import Order, customer_features
from scoring.shipped import MONEY_DIGITS, PROBABILITY_DIGITS
from scoring.stored import digest_of, read_state, rounded_state

NAME = "first-purchase"
FILE = "first_purchase.json"  # in the folder NAME of the folder of models
FORMAT = 1


@dataclass(frozen=True)
class Forecast:
    """A model of one stage: the probability of another occasion, and what is paid then."""

    kind: str
    additive: AdditiveScore
    calibration: Calibration
    worth: Worth

    def probability(self, table: FeatureTable) -> Floats:
        """Return P(another occasion within the window), shape (rows,)."""
        return self.calibration.probability(self.additive.score(table))

    def revenue(self, table: FeatureTable) -> Floats:
        """Return what is expected to be paid within the window, shape (rows,)."""
        result: Floats = self.probability(table) * self.worth.if_back(table.numbers["first_order_payment"])
        return result


@dataclass(frozen=True)
class Reason:
    """What a feature, or two that act together, add to the log-odds of coming back."""

    text: str
    topic: str
    contribution: float


@dataclass(frozen=True)
class Answer:
    """The future of one first purchase.

    ``base_score + sum of the reasons' contributions + other == score``, in log-odds of coming back.
    """

    stage: str
    probability: float
    expected_revenue: float
    reasons: Sequence[Reason]
    base_score: float
    other: float
    score: float
    categories: Mapping[str, float]
    are_categories_better: bool
    is_base_rate: bool


@dataclass(frozen=True)
class Stage:
    """What ships at one stage.

    Parameters
    ----------
    forecast : Forecast
    categories : Categories
    are_categories_better : bool
        Whether the expected category was right more often than the most popular one.
    known : mapping of str to list
        By feature: the words that were met, or the lowest and the highest number.
    facts : mapping
        What was found out: why this model, figures of all of them.
    """

    forecast: Forecast
    categories: Categories
    are_categories_better: bool
    known: Mapping[str, Sequence[Any]]
    facts: Mapping[str, Any]

    def answer(self, name: str, features: Mapping[str, Any]) -> Answer:
        """Tell the future of a purchase with these features; `name` is the stage's."""
        table = _table(features, STAGES[name])
        contributions = {term: float(amount[0]) for term, amount in self.forecast.additive.contributions(table).items()}
        ranked = sorted(contributions, key=lambda term: -abs(contributions[term]))[:REASONS]
        reasons = [
            Reason(str(wording(term, table, np.array([0]))[0]), topic_of(term), contributions[term])
            for term in ranked
            if abs(contributions[term]) > NEGLIGIBLE
        ]
        score = float(self.forecast.additive.score(table)[0])
        base = self.forecast.additive.base
        first = str(features["first_category"])
        return Answer(
            name,
            round(float(self.forecast.probability(table)[0]), PROBABILITY_DIGITS),
            round(float(self.forecast.revenue(table)[0]), MONEY_DIGITS),
            reasons,
            base,
            score - base - sum(reason.contribution for reason in reasons),
            score,
            self.categories.of(first) if self.are_categories_better else self.categories.everyone,
            self.are_categories_better,
            self.forecast.kind == BASE_RATE,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the state as plain values."""
        return {
            "kind": self.forecast.kind,
            "additive": self.forecast.additive.to_dict(),
            "calibration": self.forecast.calibration.to_dict(),
            "worth": self.forecast.worth.to_dict(),
            "categories": self.categories.to_dict(),
            "are_categories_better": self.are_categories_better,
            "known": self.known,
            "facts": self.facts,
        }

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> Stage:
        """Restore what :meth:`to_dict` gave."""
        forecast = Forecast(
            state["kind"],
            AdditiveScore.from_dict(state["additive"]),
            Calibration.from_dict(state["calibration"]),
            Worth.from_dict(state["worth"]),
        )
        categories = Categories.from_dict(state["categories"])
        return cls(forecast, categories, bool(state["are_categories_better"]), state["known"], state["facts"])


@dataclass(frozen=True)
class FirstPurchaseModel:
    """The stages that could be learned, and from which build.

    Parameters
    ----------
    build_id : str
        The published build that it was learned from.
    as_of_date : str
        The day that build looks from, ISO format.
    horizon_days : int
        Length of the window.
    stages : mapping of str to Stage
        At least that of the checkout.
    """

    build_id: str
    as_of_date: str
    horizon_days: int
    stages: Mapping[str, Stage]

    def answer(self, order: Order, city: str | None) -> tuple[Answer, dict[str, Any]]:
        """Tell the future of a new customer from their first order, with what is known of it.

        Parameters
        ----------
        order : Order
            Not known to be delivered: as at the checkout. Otherwise as on the day of its review, or after the days that
            a review is waited for.
        city : str, optional

        Returns
        -------
        answer : Answer
        features : dict
            What it rests on.

        Raises
        ------
        ValueError
            The order is not valid, or was delivered before it was purchased.
        OverflowError
            Its days are the last of the calendar.
        """
        day = moment_of(order) if DELIVERED in self.stages else None
        stage = DELIVERED if day is not None else CHECKOUT
        at = day or order.purchased_at.date()
        found = customer_features([order], at + timedelta(days=1))
        features = {**found, CITY.name: city or "unknown"}
        return self.stages[stage].answer(stage, features), {name: features[name] for name in STAGES[stage]}

    @property
    def version(self) -> str:
        """Name, day and a digest of every number in the model: the same input gives the same version."""
        return f"{NAME}-{self.horizon_days}d-{self.as_of_date}-{digest_of(self.to_json())}"

    def to_json(self) -> str:
        """Return the whole model as JSON."""
        state = {
            "format": FORMAT,
            "build_id": self.build_id,
            "as_of_date": self.as_of_date,
            "horizon_days": self.horizon_days,
            "stages": {name: stage.to_dict() for name, stage in self.stages.items()},
        }
        return json.dumps(rounded_state(state), separators=(",", ":"), ensure_ascii=False, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> FirstPurchaseModel:
        """Restore what :meth:`to_json` gave.

        Raises
        ------
        ValueError
            The text is no model of this format.
        """
        state = read_state(text, FORMAT, "model of first purchases")
        stages = {name: Stage.from_dict(one) for name, one in state["stages"].items()}
        return cls(state["build_id"], state["as_of_date"], state["horizon_days"], stages)


def moment_of(order: Order) -> date | None:
    """Return the day on which delivery and review of an order are known; None while it is not delivered."""
    if order.delivered_at is None or not order.is_delivered:
        return None
    arrived = order.delivered_at.date()
    last = arrived + timedelta(days=WAIT_DAYS)
    reviewed = min((review.known_at.date() for review in order.reviews), default=last)
    return min(max(arrived, reviewed), last)


def _table(features: Mapping[str, Any], names: Sequence[str]) -> FeatureTable:
    columns = {}
    for name in names:
        value = features[name]
        if value is None:
            columns[name] = pa.array([None], pa.float64())
        else:
            columns[name] = pa.array([value if isinstance(value, (str, bool)) else float(value)])
    return from_arrow(pa.table(columns), names)
