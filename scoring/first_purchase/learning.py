"""Learn what a first purchase says of the future, and find out whether that is more than the base rate.

Everything is split in time. The test is the last quarter of a year whose windows have ended; models that are judged on
it, and the choice between them, rest on windows that had ended when it began. The choice is made by forecasting
each of the last three quarters of those purchases from the ones before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from pipeline.base.errors import InputError
from scoring import evaluate
from scoring.calibration import Calibration, Window, calibrate, drawn_to_recent
from scoring.evaluate import Evaluation
from scoring.features import CITY, FeatureTable, Flags, Floats, constant
from scoring.first_purchase.categories import Categories, Hits, judge_categories
from scoring.first_purchase.model import FirstPurchaseModel, Forecast, Stage
from scoring.first_purchase.reading import CHECKOUT, STAGES, Moments, read
from scoring.first_purchase.worth import Worth
from scoring.fitting import ASIDE_BUCKETS, BASE_RATE, BOOSTED_ADDITIVE, LOGISTIC, MIN_RARE, thin
from scoring.models.additive import AdditiveScore
from scoring.models.boosting import Boosting, Stopping
from scoring.models.logistic import Logistic
from scoring.run import MARGIN, RANDOM_STATE

TEST_DAYS = 90
BLOCKS = 4
FOLDS = 4
LEVEL_DAYS = 30  # purchases of so many days have one level
KINDS = (BASE_RATE, LOGISTIC, BOOSTED_ADDITIVE)  # from simple to rich


@dataclass(frozen=True)
class Judged:
    """What was found out about one stage.

    Parameters
    ----------
    choice : str
        Kind of model that ships.
    reason : str
        Why.
    taught, tested : int
        Purchases that the judged models learned from, and that they were judged on; 0 where nothing could be judged.
    evaluations : mapping of str to Evaluation
        By kind of model, on the test.
    money : mapping of str to tuple
        By kind: revenue of the test expected and observed.
    categories : Hits or None
        How often the expected next category was the right one; None where nobody came back.
    ships_categories : bool
        Whether the expected category beat the most popular one.
    """

    choice: str
    reason: str
    taught: int
    tested: int
    evaluations: Mapping[str, Evaluation]
    money: Mapping[str, tuple[float, float]]
    categories: Hits | None
    ships_categories: bool


def learn_from(build: Path, horizon_days: int) -> FirstPurchaseModel:
    """Learn every stage from a published build.

    Parameters
    ----------
    build : Path
        Folder of the build.
    horizon_days : int
        Length of the window.

    Raises
    ------
    InputError
        Nobody came back within a window that has passed, or everyone did.
    """
    as_of, moments = read(build / "warehouse.duckdb", horizon_days)
    found = {name: learn(name, one, horizon_days) for name, one in moments.items()}
    stages = {name: stage for name, stage in found.items() if stage is not None}
    if CHECKOUT not in stages:
        raise InputError(
            f"Of {len(moments[CHECKOUT].day):,} first purchases whose {horizon_days} days have passed, nobody came "
            "back, or everyone: there is nothing to learn. Try another --horizon."
        )
    return FirstPurchaseModel(build.name, as_of.isoformat(), horizon_days, stages)


def learn(stage: str, moments: Moments, horizon_days: int) -> Stage | None:
    """Judge, choose, and fit the chosen model on all purchases.

    Parameters
    ----------
    stage : str
        Of ``STAGES``.
    moments : Moments
    horizon_days : int

    Returns
    -------
    Stage or None
        None where nobody came back, or everyone: a probability cannot be learned from that.
    """
    if not moments.is_back.any() or moments.is_back.all():
        return None
    # One thread: sums of several differ in their last bits, and the same input is to give the same model.
    with threadpool_limits(limits=1):
        judged = _judge(stage, moments, horizon_days)
        fitted = _fit(stage, moments, (judged.choice,))
        forecast = fitted[judged.choice]
    return Stage(
        forecast,
        Categories.learn(moments),
        judged.ships_categories,
        known_values(moments.features),
        facts_of(moments, judged),
    )


def _judge(stage: str, moments: Moments, horizon_days: int) -> Judged:
    tested_from = int(moments.day.max()) - TEST_DAYS + 1
    known = moments.take(moments.day + horizon_days < tested_from)
    test = moments.take(moments.day >= tested_from)
    if not known.is_back.any() or known.is_back.all():
        reason = f"no first purchase was known to have been followed by another when the last {TEST_DAYS} days began"
        return Judged(BASE_RATE, reason, 0, 0, {}, {}, None, ships_categories=False)
    choice, reason = _choose(stage, known)
    fitted = _fit(stage, known, KINDS)
    chances = {kind: model.probability(test.features) for kind, model in fitted.items()}
    evaluations: dict[str, Evaluation] = {}
    if test.is_back.any() and not test.is_back.all():
        evaluations = evaluate.evaluate(
            {kind: 1.0 - chance for kind, chance in chances.items()},
            test.is_back,
            reference=BASE_RATE,
            threshold=0.5,
            random_state=RANDOM_STATE,
        )
    money = {
        kind: (float(model.revenue(test.features).sum()), float(test.revenue.sum())) for kind, model in fitted.items()
    }
    ships = judge_categories(list(_blocks(known)))
    hits = judge_categories([(known, test)])
    return Judged(
        choice if choice in fitted else BASE_RATE,
        reason,
        len(known.day),
        len(test.day),
        evaluations,
        money,
        hits,
        ships_categories=ships is not None and ships.is_better,
    )


def _blocks(known: Moments) -> Iterator[tuple[Moments, Moments]]:
    """Return, for each quarter of the purchases but the first, those before it and itself."""
    edges = np.linspace(0, len(known.day), BLOCKS + 1).astype(int)
    for start, end in pairwise(edges[1:]):
        yield known.take(np.arange(start)), known.take(np.arange(start, end))


def _choose(stage: str, known: Moments) -> tuple[str, str]:
    losses: dict[str, list[Floats]] = {kind: [] for kind in KINDS}
    persons = []
    for before, block in _blocks(known):
        fitted = _fit(stage, before, KINDS)
        if set(fitted) != set(KINDS):
            continue  # too few had come back by then to learn from
        persons.append(block.person)
        for kind, model in fitted.items():
            losses[kind].append(evaluate.log_losses(1.0 - model.probability(block.features), block.is_back))
    if not persons:
        return BASE_RATE, "too few people came back to learn from"
    loss = {kind: np.concatenate(parts) for kind, parts in losses.items()}
    person = np.concatenate(persons)
    champion = BASE_RATE
    for kind in KINDS[1:]:
        if all(evaluate.beats(loss[kind], loss[one], person, MARGIN) for one in dict.fromkeys((champion, BASE_RATE))):
            champion = kind
    if champion == BASE_RATE:
        return champion, f"no model beats the base rate by {MARGIN:g} standard errors"
    return champion, f"it beats every simpler model by more than {MARGIN:g} standard errors"


def _fit(stage: str, known: Moments, kinds: Sequence[str]) -> dict[str, Forecast]:
    """Fit and calibrate; only the base rate where too few came back to learn from."""
    worth = Worth.learn(known)
    flat = AdditiveScore(0.0, ())
    level = _drawn(calibrate(flat.score(known.features), known.is_back), flat, known)
    fitted = {BASE_RATE: Forecast(BASE_RATE, flat, level, worth)}
    is_aside = known.bucket < ASIDE_BUCKETS
    rare = [min(int(one.sum()), int((~one).sum())) for one in (known.is_back[~is_aside], known.is_back[is_aside])]
    if rare[0] < MIN_RARE or rare[1] == 0:
        return fitted
    silent = constant(known.features)
    names = [name for name in STAGES[stage] if name not in silent]
    if LOGISTIC in kinds:
        fitted[LOGISTIC] = _fit_logistic(names, known, worth)
    if BOOSTED_ADDITIVE in kinds:
        aside = known.take(is_aside)
        table, is_back, weight = _training(known.take(~is_aside))
        stopping = Stopping(aside.features, aside.is_back)
        trees = Boosting(names, RANDOM_STATE).fit(table, is_back, weight, stopping)
        calibration = _drawn(calibrate(trees.score(aside.features), aside.is_back), trees, known)
        fitted[BOOSTED_ADDITIVE] = Forecast(BOOSTED_ADDITIVE, trees, calibration, worth)
    return fitted


def _fit_logistic(names: Sequence[str], known: Moments, worth: Worth) -> Forecast:
    """Fit on everyone, calibrated by what models of the others say of each fold: those who come back are too few."""
    score = np.zeros(len(known.day))
    for fold in range(FOLDS):
        is_held = known.bucket % FOLDS == fold
        score[is_held] = Logistic(names).fit(*_training(known.take(~is_held))).score(known.features.take(is_held))
    line = Logistic(names).fit(*_training(known))
    return Forecast(LOGISTIC, line, _drawn(calibrate(score, known.is_back), line, known), worth)


def _training(moments: Moments) -> tuple[FeatureTable, Flags, Floats]:
    """Return what a model is fitted on: features, outcomes, and how many people each row stands for."""
    rows, weight = thin(moments.is_back, RANDOM_STATE)
    chosen = moments.take(rows)
    return chosen.features, chosen.is_back, weight


def _drawn(calibration: Calibration, additive: AdditiveScore, known: Moments) -> Calibration:
    """Draw the level of a calibration to that of the last months."""
    age = int(known.day.max()) - known.day
    windows = []
    for month in np.unique(age // LEVEL_DAYS):
        rows = age // LEVEL_DAYS == month
        windows.append(Window(int(month) * LEVEL_DAYS, additive.score(known.features.take(rows)), known.is_back[rows]))
    return drawn_to_recent(calibration, windows)


def known_values(features: FeatureTable) -> dict[str, list[Any]]:
    """Return what was met in each feature: the words, or the lowest and the highest number."""
    found: dict[str, list[Any]] = {}
    for name, column in features.categories.items():
        if name != CITY.name:  # too many to be told, and a new one is nothing odd
            found[name] = sorted(column.words[code] for code in np.unique(column.codes))
    for name, values in features.numbers.items():
        numbers = values[~np.isnan(values)]
        if len(numbers):
            found[name] = [float(numbers.min()), float(numbers.max())]
    return found


def facts_of(moments: Moments, judged: Judged) -> dict[str, Any]:
    """Return what was found out about a stage, as plain values."""
    return {
        "purchases": len(moments.day),
        "returned": int(moments.is_back.sum()),
        "first_moment": date.fromordinal(int(moments.day.min())).isoformat(),
        "last_moment": date.fromordinal(int(moments.day.max())).isoformat(),
        "reason": judged.reason,
        "learned_from": judged.taught,
        "tested_on": judged.tested,
        "metrics": {kind: asdict(one) for kind, one in judged.evaluations.items()},
        "revenue": {kind: {"expected": money[0], "observed": money[1]} for kind, money in judged.money.items()},
        "next_category": judged.categories.to_dict() if judged.categories else None,
    }
