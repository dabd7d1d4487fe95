"""A model of first purchases ships only where it knows more than the base rate, and is exactly what it stores."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from pipeline.base.errors import InputError
from scoring.features import Category, FeatureTable, Floats
from scoring.first_purchase.categories import Categories, judge_categories
from scoring.first_purchase.learning import learn
from scoring.first_purchase.model import FirstPurchaseModel, Stage, moment_of
from scoring.first_purchase.reading import AFTER_DELIVERY, AT_CHECKOUT, CHECKOUT, DELIVERED, Moments
from scoring.fitting import BASE_RATE
from scoring.segment import Order, Review

ROWS, DAYS, WINDOW = 6_000, 700, 90
WORDS = ("books", "garden", "toys")


def moments(chance: Callable[[Floats, Floats], Floats], *, is_same_again: bool = False) -> Moments:
    """Draw purchases over two years; `chance` of coming back from the payment, in log, and the category's number."""
    rng = np.random.default_rng(8)
    paid = np.exp(rng.normal(4, 0.7, ROWS)).round(2)
    category = rng.integers(0, 3, ROWS)
    back = rng.random(ROWS) < chance(np.log(paid), category.astype(float))
    nothing = np.full(ROWS, np.nan)
    numbers = {name: nothing for name in (*AT_CHECKOUT, *AFTER_DELIVERY) if name not in WORD_FEATURES}
    numbers["first_order_payment"] = paid
    same = Category(np.zeros(ROWS, dtype=np.int32), ("unknown",))
    categories = {**dict.fromkeys(WORD_FEATURES, same), "first_category": Category(category.astype(np.int32), WORDS)}
    following = category if is_same_again else rng.integers(0, 3, ROWS)
    return Moments(
        FeatureTable(ROWS, numbers, categories),
        np.sort(rng.integers(738_000, 738_000 + DAYS, ROWS)),
        back,
        np.where(back, paid * 0.5 + 20, 0.0),
        np.array(
            [WORDS[code] if is_back else None for code, is_back in zip(following, back, strict=True)], dtype=object
        ),
        rng.integers(0, 1000, ROWS),
        np.arange(ROWS),
    )


WORD_FEATURES = (
    "first_category",
    "first_payment_type",
    "customer_city",
    "customer_state",
    "customer_region",
    "last_order_weekday",
)


def learned(drawn: Moments) -> Stage:
    """Learn, and restore from what is stored."""
    stage = learn(CHECKOUT, drawn, WINDOW)
    assert stage is not None
    model = FirstPurchaseModel("build", "2025-01-01", WINDOW, {CHECKOUT: stage, DELIVERED: stage})
    again = FirstPurchaseModel.from_json(model.to_json())
    assert again.to_json() == model.to_json() and again.version == model.version
    return again.stages[CHECKOUT]


def test_a_signal_ships_a_model_and_the_next_category() -> None:
    drawn = moments(lambda paid, category: 1 / (1 + np.exp(3 - (paid - 4) - category * 0.5)), is_same_again=True)
    stage = learned(drawn)
    assert stage.forecast.kind != BASE_RATE and stage.are_categories_better
    figures = stage.facts["metrics"][stage.forecast.kind]
    assert figures["roc_auc"]["low"] > 0.6 and figures["log_loss"] < stage.facts["metrics"][BASE_RATE]["log_loss"]
    assert figures["calibration_slope"] == pytest.approx(1, abs=0.35)
    money = stage.facts["revenue"][stage.forecast.kind]
    assert money["expected"] == pytest.approx(money["observed"], rel=0.25)
    features: dict[str, Any] = {name: None for name in AT_CHECKOUT if name not in WORD_FEATURES}
    features |= dict.fromkeys(WORD_FEATURES, "unknown") | {"last_order_weekday": 3}
    rich = stage.answer(CHECKOUT, {**features, "first_order_payment": 300.0, "first_category": "toys"})
    poor = stage.answer(CHECKOUT, {**features, "first_order_payment": 10.0, "first_category": "books"})
    assert rich.probability > poor.probability and rich.expected_revenue > poor.expected_revenue
    assert next(iter(rich.categories)) == "toys" and next(iter(poor.categories)) == "books"
    for answer in (rich, poor):
        told = math.fsum(reason.contribution for reason in answer.reasons)
        assert answer.base_score + told + answer.other == pytest.approx(answer.score, abs=1e-12)
        assert "first order" in " ".join(reason.text for reason in answer.reasons)


def test_noise_ships_the_base_rate() -> None:
    stage = learned(moments(lambda paid, category: np.full(ROWS, 0.06)))
    assert stage.forecast.kind == BASE_RATE and not stage.are_categories_better
    assert stage.facts["learned_from"] > 0 and set(stage.facts["metrics"]) > {BASE_RATE}
    probability = stage.forecast.probability(moments(lambda paid, category: paid * 0).features)
    assert float(np.ptp(probability)) == 0 and probability[0] == pytest.approx(0.06, abs=0.01)


def test_a_shop_without_categories_expects_none() -> None:
    drawn = moments(lambda paid, category: np.full(ROWS, 0.06))
    drawn.next_category[drawn.is_back] = "unknown"
    assert not Categories.learn(drawn).of("toys") and judge_categories([(drawn, drawn)]) is None


def test_the_test_and_its_teachers_do_not_overlap() -> None:
    stage = learned(moments(lambda paid, category: np.full(ROWS, 0.06)))
    per_day = ROWS / DAYS
    assert stage.facts["tested_on"] == pytest.approx(90 * per_day, rel=0.1)
    assert stage.facts["learned_from"] == pytest.approx((DAYS - 90 - WINDOW) * per_day, rel=0.05)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_nothing_is_learned_where_nobody_came_back_or_everyone(share: float) -> None:
    assert learn(CHECKOUT, moments(lambda paid, category: np.full(ROWS, share)), WINDOW) is None


def test_an_order_is_asked_about_when_its_review_is_known_and_after_two_weeks_at_most() -> None:
    bought = datetime(2025, 1, 1, 12)

    def order(arrived: int | None, *answered: int) -> Order:
        reviews = [Review(5, bought + timedelta(days=days)) for days in answered]
        delivered = None if arrived is None else bought + timedelta(days=arrived)
        return Order(bought, Decimal(10), delivered_at=delivered, reviews=reviews)

    assert moment_of(order(None, 3)) is None
    assert moment_of(order(5)) == date(2025, 1, 20)
    assert moment_of(order(5, 8)) == date(2025, 1, 9)
    assert moment_of(order(5, 3)) == date(2025, 1, 6)
    assert moment_of(order(5, 60)) == date(2025, 1, 20)


def test_an_empty_folder_is_told_in_a_sentence(
    tmp_path: object, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from scoring.first_purchase.__main__ import main

    monkeypatch.setenv("WAREHOUSE_DIR", str(tmp_path))
    assert main([]) == InputError.exit_code and main(["--horizon", "0"]) == InputError.exit_code
    told = capsys.readouterr().err
    assert "make warehouse" in told and "from 1 to 3650" in told and "Traceback" not in told
