"""A new customer's first order: its future, told with reasons, and with what is odd about the order."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict

from api.people import GivenOrder, Word
from api.problems import FieldProblem, Said, not_valid
from scoring.features import BY_NAME, CITY
from scoring.first_purchase.model import NAME, Answer, FirstPurchaseModel


class FirstOrder(GivenOrder):
    """A first order, as much of it as is known: with its delivery, and its review, once they are."""

    city: Word | None = None


class FirstQuestion(BaseModel):
    """A new customer to be forecast."""

    model_config = ConfigDict(extra="forbid")
    order: FirstOrder


def tell(model: FirstPurchaseModel, question: FirstQuestion, language: str) -> dict[str, Any]:
    """Forecast a new customer.

    Raises
    ------
    Problem
        422 where the order is canceled, or its days cannot be.
    """
    given = question.order
    if not given.is_valid:
        raise not_valid([FieldProblem("order.is_valid", Said("first_order_canceled"))])
    if given.delivered_at is not None and given.delivered_at.date() < given.purchased_at.date():
        raise not_valid([FieldProblem("order.delivered_at", Said("delivered_too_early"))])
    try:
        answer, features = model.answer(given.order(), given.city)
    except OverflowError:  # of the last days that a calendar has
        raise not_valid([FieldProblem("order", Said("beyond_the_calendar"))]) from None
    warnings = _warnings(model, answer, features)
    weight = math.fsum([*(abs(reason.contribution) for reason in answer.reasons), abs(answer.other)]) or 1.0
    return {
        "stage": answer.stage,
        "horizon_days": model.horizon_days,
        "probability": answer.probability,
        "expected_revenue": answer.expected_revenue,
        "reasons": [
            {
                "text": reason.text,
                "topic": reason.topic,
                "direction": "raises" if reason.contribution > 0 else "lowers",
                "contribution": reason.contribution,
                "share": round(abs(reason.contribution) / weight, 6),
            }
            for reason in answer.reasons
        ],
        "base_score": answer.base_score,
        "other_contribution": answer.other,
        "score": answer.score,
        "next_categories": [
            {"category": category, "probability": round(share, 6)} for category, share in answer.categories.items()
        ],
        "warnings": [{"field": one.field, "problem": one.said.text(language)} for one in warnings],
    }


def _warnings(model: FirstPurchaseModel, answer: Answer, features: Mapping[str, Any]) -> list[FieldProblem]:
    known = model.stages[answer.stage].known
    found = [FieldProblem("model", Said("base_rate"))] if answer.is_base_rate else []
    if answer.categories and not answer.are_categories_better:
        found.append(FieldProblem("next_categories", Said("popular_categories")))
    for name, met in known.items():
        value = features[name]
        if value is None or value == "unknown":
            continue
        if BY_NAME[name].kind == "category":
            # a weekday comes as its number, and there is no other one
            if isinstance(value, str) and value not in met:
                found.append(FieldProblem(name, Said("unseen_word", {"value": str(value)[:100]})))
        elif not met[0] <= float(value) <= met[1]:
            said = {"value": f"{float(value):g}", "low": f"{met[0]:g}", "high": f"{met[1]:g}"}
            found.append(FieldProblem(name, Said("out_of_range", said)))
    return found


def information(model: FirstPurchaseModel) -> dict[str, Any]:
    """Return what the model is, stage by stage, and how well it did on purchases it had not seen."""
    return {
        "model": NAME,
        "version": model.version,
        "trained_on": "the shop's own first purchases",
        "learned_from_build": model.build_id,
        "as_of_date": model.as_of_date,
        "horizon_days": model.horizon_days,
        "stages": {name: {"kind": stage.forecast.kind, **stage.facts} for name, stage in model.stages.items()},
    }


def describe(model: FirstPurchaseModel) -> list[dict[str, Any]]:
    """Return what can be known of every feature, those of the last stage included."""
    *_, last = model.stages.values()
    found: list[dict[str, Any]] = [{"name": CITY.name, "type": "text", "allowed_values": None}]
    for name, met in last.known.items():
        kind = BY_NAME[name].kind
        if kind == "category":
            found.append({"name": name, "type": "text", "allowed_values": list(met)})
        else:
            told = "yes or no" if kind == "flag" else "number"
            found.append({"name": name, "type": told, "minimum": met[0], "maximum": met[1]})
    return found
