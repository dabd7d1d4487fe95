"""Shops of every kind, without a database: what ships, what is said, and that reasons add up."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import date, timedelta

import numpy as np
import pytest

from scoring import clusters, model_card
from scoring.backtest import decision_rows
from scoring.calibration import expit
from scoring.effects import feature_effects
from scoring.explain import phrases, reasons
from scoring.features import BY_NAME, FEATURES, NAMES, Category, FeatureTable, concatenate, members
from scoring.fitting import BASE_RATE, RECENCY_ONLY, SHIPPABLE, Snapshot, fit_models, thin
from scoring.models.additive import AdditiveScore
from scoring.models.btyd import Pace
from scoring.run import Outcome, Run, calibration_rows, metric_rows
from scoring.shipped import ShippedModel
from scoring.value import fit_value

AS_OF = date(2020, 1, 1)
HORIZON = 90
CUTOFFS = [AS_OF - timedelta(days=90 * k) for k in range(8)]
SETTINGS = {
    "churn_band_medium_min": 0.5,
    "churn_band_high_min": 0.8,
    "churn_contact_cost": 0.5,
    "churn_kept_customer_value": 0.0,
    "churn_margin_share": 0.2,
}
Chance = Callable[[FeatureTable], np.ndarray]


def people(count: int, seed: int) -> FeatureTable:
    """Draw customers whose features are independent of each other."""
    draw = np.random.default_rng(seed)
    numbers, categories = {}, {}
    for feature in FEATURES:
        if feature.name.startswith("order_count_"):
            continue
        if feature.kind == "category":
            words = tuple(f"{feature.name}_{i}" for i in range(5))
            categories[feature.name] = Category(draw.integers(0, 5, count).astype(np.int32), words)
        elif feature.kind == "flag":
            numbers[feature.name] = draw.integers(0, 2, count).astype(float)
        else:
            numbers[feature.name] = np.round(draw.gamma(2.0, 20.0, count))
    numbers["order_count"] = draw.integers(1, 6, count).astype(float)
    numbers["tenure_days"] = numbers["recency_days"] + np.round(draw.gamma(2.0, 50.0, count))
    numbers["order_count_90_days"] = (numbers["recency_days"] <= 90).astype(float)
    numbers["order_count_365_days"] = np.where(numbers["tenure_days"] <= 365, numbers["order_count"], 1.0)
    numbers["last_review_score"] = draw.integers(1, 6, count).astype(float)
    numbers["last_review_score"][draw.random(count) < 0.2] = np.nan
    return FeatureTable(count, numbers, categories)


def shop(chance: Chance, count: int = 4000, cutoffs: list[date] | None = None, seed: int = 1) -> Outcome:
    """Run scoring on a shop whose customers return with the given chance."""
    days = CUTOFFS if cutoffs is None else cutoffs

    def load(cutoff: date) -> Snapshot:
        number = days.index(cutoff)
        table = people(count, seed * 100 + number)
        draw = np.random.default_rng(seed * 1000 + number)
        back = draw.random(count) < chance(table)
        wait = np.where(back, draw.integers(0, HORIZON, count), np.nan)
        revenue = np.where(back, np.round(table.numbers["monetary_mean"], 2) + 1, 0.0)
        window = np.full(count, cutoff.toordinal())
        person = np.arange(count) + 100_000 * number
        return Snapshot(table, wait, draw.integers(0, 1000, count), person, window, back.astype(float), revenue)

    run = Run(load, days, AS_OF, HORIZON, settings=SETTINGS)
    run.judge()
    run.choose()
    run.ship()
    return run.outcome


def snapshot_of(table: FeatureTable, retained: np.ndarray) -> Snapshot:
    """Give customers an outcome."""
    once = retained.astype(np.float64)
    number = np.arange(table.rows)
    return Snapshot(
        table, np.where(retained, 1.0, np.nan), number % 1000, number, np.zeros_like(number), once, 9 * once
    )


def constant(value: float) -> Chance:
    return lambda table: np.full(table.rows, value)


def known_process(table: FeatureTable) -> np.ndarray:
    score = table.numbers["last_review_score"]
    return expit(
        -1.0
        - 0.03 * (table.numbers["recency_days"] - 40)
        + 0.5 * np.log(table.numbers["order_count"])
        + np.where(np.isnan(score), -0.3, 0.4 * (score - 3))
        + table.categories["last_category"].lookup({"last_category_0": 1.0}, 0.0)
    )


@pytest.fixture(scope="module")
def knowing() -> Outcome:
    """Return a shop with a known process."""
    return shop(known_process, count=6000)


@pytest.mark.parametrize("seed", [1, 2])
def test_without_a_signal_nothing_richer_than_recency_ships(seed: int) -> None:
    outcome = shop(constant(0.1), seed=seed)
    assert outcome.test is not None
    recency = outcome.test.evaluations[RECENCY_ONLY].roc_auc
    assert recency.low <= 0.5 <= recency.high
    # Of many 95 % intervals some miss by chance; none misses by twice its width.
    for name, figures in outcome.test.evaluations.items():
        assert abs(figures.roc_auc.value - 0.5) <= figures.roc_auc.high - figures.roc_auc.low, name
    assert outcome.choice is not None
    assert outcome.choice.model in (BASE_RATE, RECENCY_ONLY)
    assert outcome.choice.reason in model_card.render(outcome)


def test_a_known_process_is_found_ranked_and_calibrated(knowing: Outcome) -> None:
    assert knowing.shipped is not None
    assert knowing.shipped.name in SHIPPABLE[3:]
    assert knowing.test is not None
    found = knowing.test.evaluations[knowing.shipped.name]
    table = people(6000, 100 + CUTOFFS.index(knowing.test.origin.cutoff))
    truth = known_process(table)
    order = np.argsort(truth)
    rank = np.empty(len(order))
    rank[order] = np.arange(1, len(order) + 1)
    back = knowing.test.snapshot.retained(HORIZON)
    best = (rank[back].mean() - (back.sum() + 1) / 2) / (~back).sum()
    assert found.roc_auc.value > best - 0.02
    # The calibration and the test have thousands of customers: each has a standard error of about 0.035.
    assert found.calibration_slope == pytest.approx(1.0, abs=0.15)
    expected, observed = knowing.test.money[knowing.shipped.name][:2]
    assert expected == pytest.approx(observed, rel=0.1)


@pytest.mark.parametrize(("chance", "word"), [(0.0, "nobody"), (1.0, "everyone")])
def test_where_nobody_or_everybody_returns_there_is_a_message_and_no_score(chance: float, word: str) -> None:
    outcome = shop(constant(chance), count=300)
    assert outcome.shipped is None
    assert any(word in message for message in outcome.messages)
    card = model_card.render(outcome)
    assert "NULL for everyone" in card
    assert metric_rows(outcome) == []
    assert decision_rows(outcome, SETTINGS) == []


def test_too_few_returns_to_learn_from_ship_the_base_rate() -> None:
    outcome = shop(lambda table: np.where(np.arange(table.rows) < 2, 1.0, 0.0), count=400)
    assert outcome.shipped is not None
    assert outcome.shipped.name == BASE_RATE
    scores = outcome.shipped.score(people(50, 5))
    assert np.ptp(scores.churn_probability) == 0
    assert all(text is None for column in scores.reasons.texts for text in column)


def test_a_history_shorter_than_the_horizon_has_a_message_and_no_score() -> None:
    outcome = shop(constant(0.1), count=100, cutoffs=[AS_OF])
    assert outcome.shipped is None
    assert any("shorter than the horizon" in message for message in outcome.messages)
    assert "No model" in model_card.render(outcome)


def test_one_customer_is_no_error() -> None:
    assert shop(constant(0.5), count=1, cutoffs=CUTOFFS[:3]).judged == []


def test_a_shop_without_reviews_can_be_scored() -> None:
    table = people(3000, 9)
    for name in ("last_review_score", "mean_review_score"):
        table.numbers[name][:] = np.nan
    retained = np.random.default_rng(1).random(3000) < 0.2
    snapshot = snapshot_of(table, retained)
    for name, model in fit_models([snapshot], HORIZON, random_state=1).items():
        assert np.isfinite(model.churn_probability(table)).all(), name


def test_contributions_add_up_to_the_score(knowing: Outcome) -> None:
    assert knowing.shipped is not None
    table = people(2000, 77)
    scores = knowing.shipped.score(table)
    total = scores.base_score + sum(scores.reasons.contributions) + scores.reasons.other
    assert np.allclose(total, scores.score, atol=1e-12)
    again = 1 - knowing.shipped.calibration.probability(-scores.score)
    assert np.allclose(again, scores.churn_probability, atol=1e-6)


def test_tabulated_trees_are_the_boosted_model_itself() -> None:
    table = people(4000, 3)
    retained = np.random.default_rng(2).random(4000) < known_process(table)
    snapshot = snapshot_of(table, retained)
    fitted = fit_models([snapshot], HORIZON, random_state=1, only="boosted_additive")["boosted_additive"]
    assert fitted.additive is not None
    contributions = fitted.additive.contributions(table)
    assert len(contributions) > 3
    assert np.allclose(fitted.additive.base + sum(contributions.values()), fitted.score(table))


@pytest.mark.parametrize("name", ["logistic_curves", "boosted_pairs", "blended_pairs"])
def test_what_ships_of_the_richer_models_is_an_exact_sum(name: str) -> None:
    """What a parcel's delay does depends on how long ago the order was: neither tells it alone."""
    table = people(6000, 21)
    is_recent, is_late = table.numbers["recency_days"] < 33, table.numbers["last_delay_days"] > 33
    chance = np.where(is_recent, np.where(is_late, 0.05, 0.5), np.where(is_late, 0.3, 0.05))
    retained = np.random.default_rng(3).random(6000) < chance
    model = fit_models([snapshot_of(table, retained)], HORIZON, random_state=1, only=name)[name].additive
    assert model is not None
    contributions = model.contributions(table)
    total = model.base + sum(contributions.values())
    assert np.abs(total - model.score(table)).max() < 1e-9
    stored = AdditiveScore.from_dict(json.loads(json.dumps(model.to_dict())))
    assert (stored.score(table) == model.score(table)).all()
    assert all(abs(float(effect.mean())) < 0.02 for effect in contributions.values())
    if name != "logistic_curves":
        pairs = [term for term in contributions if len(members(term)) == 2]
        strongest = max(pairs, key=lambda term: float(np.abs(contributions[term]).mean()))
        assert set(members(strongest)) == {"recency_days", "last_delay_days"}
        told = reasons({term: -effect for term, effect in contributions.items()}, model.prepared(table))
        rows = np.flatnonzero(told.topics[0] == "recency and delivery")
        assert len(rows) > 100
        assert all(re.match(r"last order [\w ]+ ago, together with last order ", told.texts[0][row]) for row in rows)
        effects = [one for one in feature_effects(model, table) if one.feature == strongest]
        assert sum(one.share for one in effects) == pytest.approx(1.0)


def test_a_stored_model_scores_to_the_same_bytes(knowing: Outcome) -> None:
    assert knowing.shipped is not None
    copy = ShippedModel.from_json(knowing.shipped.to_json())
    table = people(500, 8)
    assert copy.score(table).churn_probability.tobytes() == knowing.shipped.score(table).churn_probability.tobytes()
    assert copy.version == knowing.shipped.version


def test_a_second_run_gives_the_same_model(knowing: Outcome) -> None:
    again = shop(known_process, count=6000)
    assert again.shipped is not None
    assert knowing.shipped is not None
    assert again.shipped.to_json() == knowing.shipped.to_json()
    assert str(metric_rows(again)) == str(metric_rows(knowing))


def test_the_batch_does_not_matter(knowing: Outcome) -> None:
    assert knowing.shipped is not None
    table = people(100, 12)
    whole = knowing.shipped.score(table)
    for row in (0, 17, 99):
        alone = knowing.shipped.score(table.take(np.array([row])))
        assert alone.churn_probability[0] == whole.churn_probability[row]
        assert [text[0] for text in alone.reasons.texts] == [text[row] for text in whole.reasons.texts]


def test_reasons_are_the_strongest_topics_with_their_values() -> None:
    numbers = {"recency_days": np.array([214.0, 1.0]), "last_delay_days": np.array([9.0, -3.0])}
    table = FeatureTable(2, numbers, {"customer_state": Category(np.array([0, 0], dtype=np.int32), ("RJ",))})
    found = reasons(
        {
            "recency_days": np.array([0.9, -0.5]),
            "last_delay_days": np.array([0.2, -0.1]),
            "customer_state": np.array([0.0, 0.3]),
        },
        table,
    )
    assert [column[0] for column in found.texts] == [
        "last order 214 days ago (raises the risk)",
        "last order 9 days late (raises the risk)",
        None,
    ]
    assert [column[1] for column in found.texts] == [
        "last order 1 day ago (lowers the risk)",
        "lives in RJ (raises the risk)",
        "last order 3 days early (lowers the risk)",
    ]


@pytest.mark.parametrize("name", NAMES)
def test_every_feature_can_be_put_into_words(name: str) -> None:
    feature = BY_NAME[name]
    if feature.kind == "category":
        table = FeatureTable(1, {}, {name: Category(np.zeros(1, dtype=np.int32), ("credit_card",))})
        assert "credit card" in phrases(feature, table, np.arange(1))[0]
        return
    values = np.array([0.0, 1.0, 2.0, 37.4, np.nan] if feature.kind == "number" else [0.0, 1.0])
    told = phrases(feature, FeatureTable(len(values), {name: values}, {}), np.arange(len(values)))
    assert all("{" not in text for text in told)
    assert len(set(told[:4])) >= min(len(values), 3) or feature.decimals == -2


def test_thinning_keeps_the_rare_class_and_stands_for_everybody() -> None:
    retained = np.random.default_rng(1).random(400_000) < 0.005
    rows, weight = thin(retained, 1)
    assert retained[rows].sum() == retained.sum()
    assert len(rows) < 100_000
    assert weight.sum() == pytest.approx(400_000)
    assert np.average(retained[rows], weights=weight) == pytest.approx(retained.mean())


def test_tables_of_different_words_can_be_stacked() -> None:
    left = FeatureTable(1, {}, {"customer_state": Category(np.array([0], dtype=np.int32), ("SP", "RJ"))})
    right = FeatureTable(2, {}, {"customer_state": Category(np.array([0, 1], dtype=np.int32), ("RJ", "MG"))})
    both = concatenate([left, right]).categories["customer_state"]
    assert [both.words[code] for code in both.codes] == ["SP", "RJ", "MG"]


@pytest.mark.parametrize("level", [1.0, 3.0])
def test_the_order_value_of_the_few_who_return_is_theirs_only_where_it_is_surely_another(
    level: float,
) -> None:
    """Sixty return and pay 100 an order like everyone, give or take; or three times that."""
    table = people(3000, 21)
    draw = np.random.default_rng(4)
    table.numbers["monetary_total"][:] = 100.0 * table.numbers["order_count"]
    table.numbers["monetary_mean"][:] = 100.0
    retained = np.arange(3000) % 50 == 0
    orders = np.where(retained, draw.integers(1, 4, 3000), 0).astype(float)
    revenue = orders * np.round(draw.gamma(2, 50 * level, 3000), 2)
    model = fit_value(table, retained, orders, revenue, Pace(0.5, 300.0))
    expected = (model.orders(table) * model.order_value(table))[retained].sum()
    ordinary = 100 * orders.sum()
    if level == 1:
        assert abs(expected - ordinary) < 0.5 * abs(revenue.sum() - ordinary)
    else:
        assert expected == pytest.approx(revenue.sum(), rel=0.1)


def test_effects_of_a_feature_are_shares_of_everybody(knowing: Outcome) -> None:
    assert knowing.shipped is not None
    effects = feature_effects(knowing.shipped.additive, people(3000, 30))
    assert effects[0].feature == "recency_days"
    shares: dict[str, float] = {}
    for effect in effects:
        shares[effect.feature] = shares.get(effect.feature, 0.0) + effect.share
    assert all(share == pytest.approx(1.0) for share in shares.values())
    recency = [effect.effect for effect in effects if effect.feature == "recency_days"]
    assert recency[0] < recency[-1]


def test_rows_for_the_marts_are_complete(knowing: Outcome) -> None:
    rows = metric_rows(knowing)
    assert {row["role"] for row in rows} == {"test", "validation"}
    assert sum(row["is_shipped"] for row in rows) == 4
    assert len({(row["model"], row["cutoff_date"]) for row in rows}) == len(rows)
    assert len(decision_rows(knowing, SETTINGS)) == 12
    assert {row["decile"] for row in calibration_rows(knowing)} <= set(range(1, 11))


def test_separate_groups_are_found_named_and_numbered_by_size() -> None:
    table = people(900, 40)
    draw = np.random.default_rng(5)
    for name in clusters.FEATURES:
        table.numbers[name][:] = draw.normal(5, 0.1, 900)
        table.numbers[name][:300] = draw.normal(20, 0.1, 300)
    found = clusters.fit(table, 1)
    assert found is not None
    labels, position = found.place(table)
    assert len(set(labels[:300])) == 1
    assert labels[0] not in set(labels[300:])
    assert position.shape == (900, 2)
    sizes = np.bincount(labels)[1:]
    assert (np.diff(sizes) <= 0).all()
    assert len(set(found.profiles)) == found.chosen
    assert all(name for name in found.profiles)


def test_the_number_of_clusters_follows_the_stated_rule() -> None:
    def one(count: int, silhouette: float, stability: float) -> clusters.Selection:
        return clusters.Selection(count, silhouette, 0.0, stability)

    assert clusters.choose([one(2, 0.2, 0.9), one(3, 0.4, 0.85), one(4, 0.6, 0.5)]) == 3
    assert clusters.choose([one(2, 0.402, 0.9), one(3, 0.404, 0.9)]) == 2
    assert clusters.choose([one(2, 0.2, 0.3), one(3, 0.1, 0.6)]) == 3


def test_too_few_customers_make_no_clusters() -> None:
    assert clusters.fit(people(20, 1), 1) is None
