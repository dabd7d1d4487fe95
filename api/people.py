"""A person's orders for the warehouse's own churn model: features by its rules, scored many at a time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, NaiveDatetime

from api.problems import FieldProblem, Said
from api.published import Build
from scoring.features import BY_NAME, FEATURES, NAMES, Feature, from_arrow
from scoring.segment import Order, Review, customer_features

Money = Annotated[Decimal, Field(ge=0, le=1_000_000_000, max_digits=18, decimal_places=6)]
Count = Annotated[int, Field(ge=0, le=100_000)]
Word = Annotated[str, Field(max_length=200)]
MODEL = "churn"
FEATURE_TABLE = "marts.churn_features"
METRICS = "marts.churn_model_metrics"


class GivenReview(BaseModel):
    """A review of an order."""

    model_config = ConfigDict(extra="forbid")
    score: Annotated[int, Field(ge=1, le=5)]
    known_at: NaiveDatetime = Field(description="when it was answered, in the shop's time")
    has_comment: bool = False
    review_id: Word = ""


class GivenOrder(BaseModel):
    """One order of a person, as much of it as is known; money in the shop's currency, times in the shop's time."""

    model_config = ConfigDict(extra="forbid")
    purchased_at: NaiveDatetime
    payment_value: Money = Field(description="sum of the payments")
    order_value: Money = Field(Decimal(0), description="items with freight")
    freight_value: Money = Decimal(0)
    item_count: Count = 1
    main_category: Word | None = None
    payment_type: Word | None = None
    max_installments: Count | None = None
    state: Word | None = None
    region: Word | None = None
    is_valid: bool = Field(True, description="false for canceled and unavailable orders")
    is_delivered: bool = True
    delivered_at: NaiveDatetime | None = None
    estimated_delivery_date: date | None = None
    reviews: Annotated[list[GivenReview], Field(max_length=100)] = []
    order_id: Word = ""

    def order(self) -> Order:
        """Return it as scoring reads it."""
        values = {name: getattr(self, name) for name in GivenOrder.model_fields if name != "reviews"}
        return Order(**values, reviews=[Review(**review.model_dump()) for review in self.reviews])


@dataclass(frozen=True)
class Person:
    """The features of one person, and what is odd about them."""

    features: dict[str, Any]
    warnings: Sequence[FieldProblem]


@dataclass(frozen=True)
class Known:
    """What the people of the build have in one feature."""

    feature: Feature
    low: float | None
    high: float | None
    missing_share: float
    words: tuple[str, ...]


class Forecaster:
    """The churn model of one build, with what must be worked out once a build."""

    def __init__(self, build: Build) -> None:
        self.build = build
        assert build.segmenter.model is not None
        self.model = build.segmenter.model
        self.metrics = self._metrics()
        self.threshold = float((self.metrics or {}).get("decision_threshold") or 0.5)
        self.known = {known.feature.name: known for known in self._known()}

    def _metrics(self) -> dict[str, Any] | None:
        if not self.build.has(METRICS):
            return None
        where = "where is_shipped and role = 'test' and horizon_days = ?"
        found = self.build.records(
            f"{self.build.select(METRICS)} {where} order by cutoff_date desc limit 1", [self.model.horizon_days]
        )
        return found[0] if found else None

    def _known(self) -> list[Known]:
        day = self.build.segmenter.as_of_date
        present = set(self.build.names(FEATURE_TABLE))
        features = [feature for feature in FEATURES if feature.name in present]
        parts = []
        for feature in features:
            parts.append(f"count(*) - count({feature.name})")
            if feature.kind == "category":
                parts.append(f"array_agg(distinct {feature.name}::varchar)")
            else:
                parts.append(f"[min({feature.name}::double), max({feature.name}::double)]")
        sql = f"select count(*), {', '.join(parts)} from {FEATURE_TABLE} where cutoff_date = ?"
        row = self.build.rows(sql, [day])[1][0]
        people = max(row[0], 1)
        found = []
        for place, feature in enumerate(features):
            missing, seen = row[1 + 2 * place], row[2 + 2 * place]
            is_word = feature.kind == "category"
            low, high = (None, None) if is_word or not row[0] else seen
            words = tuple(sorted(word for word in seen or () if word is not None)) if is_word else ()
            found.append(Known(feature, low, high, missing / people, words))
        return found

    def describe(self) -> list[dict[str, Any]]:
        """Return what can be known of every feature."""
        types = {column.name: column for column in self.build.tables[FEATURE_TABLE]}
        return [
            {
                "name": known.feature.name,
                "type": {"category": "text", "flag": "yes or no"}.get(known.feature.kind, "number"),
                "unit": _unit(known.feature.name),
                "description": types[known.feature.name].description,
                "minimum": known.low,
                "maximum": known.high,
                "share_missing": round(known.missing_share, 6),
                "allowed_values": list(known.words) if known.feature.kind == "category" else None,
            }
            for known in self.known.values()
        ]

    def person(self, orders: Sequence[GivenOrder], where: str = "") -> Person:
        """Work out the features of a person.

        Raises
        ------
        ValueError
            No valid order before the day of the build.
        """
        features = customer_features([order.order() for order in orders], self.build.segmenter.as_of_date)
        warnings = []
        for name, known in self.known.items():
            value = features[name]
            if value is None:
                continue
            if known.feature.kind == "category":
                word = str(value)
                if word != "unknown" and word not in known.words:
                    warnings.append(FieldProblem(f"{where}{name}", Said("unseen_word", {"value": word[:100]})))
            elif known.low is not None and known.high is not None and not known.low <= float(value) <= known.high:
                said = {"value": f"{float(value):g}", "low": f"{known.low:g}", "high": f"{known.high:g}"}
                warnings.append(FieldProblem(f"{where}{name}", Said("out_of_range", said)))
        return Person(features, warnings)

    def tell(self, people: Sequence[Person], language: str) -> list[dict[str, Any]]:
        """Score people together, in their order."""
        if not people:
            return []
        columns = {name: pa.array([_arrow(person.features[name]) for person in people]) for name in NAMES}
        scores = self.model.score(from_arrow(pa.table(columns)))
        answers = []
        is_flat = not self.model.additive.terms
        for row, person in enumerate(people):
            probability = float(scores.churn_probability[row])
            amounts = [float(column[row]) for column in scores.reasons.contributions]
            other = float(scores.reasons.other[row])
            weight = math.fsum([*map(abs, amounts), abs(other)]) or 1.0
            warnings = [*person.warnings, *([FieldProblem("model", Said("base_rate"))] if is_flat else [])]
            answers.append(
                {
                    "probability": probability,
                    "band": str(scores.churn_band[row]),
                    "decision": {"is_positive": probability >= self.threshold, "threshold": self.threshold},
                    "reasons": [
                        {
                            "text": str(words[row]),
                            "topic": str(topic[row]),
                            "direction": "raises" if amount > 0 else "lowers",
                            "contribution": amount,
                            "share": round(abs(amount) / weight, 6),
                        }
                        for words, topic, amount in zip(
                            scores.reasons.texts, scores.reasons.topics, amounts, strict=True
                        )
                        if words[row] is not None
                    ],
                    "base_score": scores.base_score,
                    "other_contribution": other,
                    "score": float(scores.score[row]),
                    "expected_revenue": float(scores.expected_revenue[row]),
                    "value_at_risk": float(scores.value_at_risk[row]),
                    "warnings": [{"field": one.field, "problem": one.said.text(language)} for one in warnings],
                }
            )
        return answers

    def information(self) -> dict[str, Any]:
        """Return what the model is, and how well it did on people it had not seen."""
        return {
            "model": MODEL,
            "kind": self.model.name,
            "version": self.model.version,
            "trained_on": "the shop's own customers",
            "cutoff_date": str(self.build.segmenter.as_of_date),
            "horizon_days": self.model.horizon_days,
            "threshold": self.threshold,
            "metrics": self.metrics,
            "build_id": self.build.build_id,
        }


def _arrow(value: Any) -> float | str | bool | None:
    if value is None:
        return np.nan
    if isinstance(value, (str, bool)):
        return value
    return float(value)


def _unit(name: str) -> str | None:
    """Return the unit that a feature's name states."""
    if BY_NAME[name].kind != "number":
        return None
    if name.endswith("days") or name.endswith("days_sd"):
        return "days"
    if name.endswith("share"):
        return "share"
    if name.startswith("monetary") or name.endswith("payment"):
        return "money"
    return "count" if name.endswith(("count", "items", "installments", "order")) else None
