"""The figures against scikit-learn and against cases one can work out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from scoring.calibration import Calibration, calibrate, expit, logistic_line, logit
from scoring.evaluate import Evaluation, beats, deciles, evaluate, log_losses
from scoring.run import Trials, choose


def outcomes(count: int, level: float, spread: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    score = draw.normal(level, spread, count)
    return score, draw.random(count) < expit(score)


def trials(losses: dict[str, np.ndarray], off_level: dict[str, float] | None = None) -> Trials:
    """Give models with these losses; their levels are right unless said otherwise."""
    levels = dict.fromkeys(losses, 1.0) | (off_level or {})
    return Trials(losses, levels, np.arange(len(losses["base_rate"])))


def judged(chance: np.ndarray, retained: np.ndarray, threshold: float = 0.5) -> dict[str, Evaluation]:
    base = np.full(len(chance), 1 - retained.mean())
    return evaluate(
        {"model": chance, "base_rate": base}, retained, reference="base_rate", threshold=threshold, random_state=1
    )


@pytest.mark.parametrize("level", [-4.0, 1.5])
def test_ranking_figures_equal_scikit_learn_with_ties(level: float) -> None:
    score, retained = outcomes(5000, level, 1.0, 5)
    churn = np.round(1 - expit(score), 2)  # many ties
    found = judged(churn, retained)["model"]
    rare_is_retained = retained.mean() <= 0.5
    assert found.rare_class == ("retained" if rare_is_retained else "churned")
    assert found.roc_auc.value == pytest.approx(roc_auc_score(~retained, churn))
    positive, rank = (retained, 1 - churn) if rare_is_retained else (~retained, churn)
    assert found.average_precision.value == pytest.approx(average_precision_score(positive, rank))
    assert found.roc_auc.low < found.roc_auc.value < found.roc_auc.high


def test_a_constant_has_no_ranking_and_no_skill() -> None:
    _, retained = outcomes(4000, -3.0, 1.0, 6)
    found = judged(np.full(4000, 0.95), retained)["base_rate"]
    assert found.roc_auc.value == pytest.approx(0.5)
    assert found.lift.value == pytest.approx(1.0)
    assert found.brier_skill == pytest.approx(0.0)
    assert np.isnan(found.calibration_slope)


def test_lift_is_how_much_denser_the_rare_class_is_in_the_top_tenth() -> None:
    retained = np.zeros(1000, dtype=bool)
    retained[:50] = True
    churn = np.linspace(0, 1, 1000)
    assert judged(churn, retained)["model"].lift.value == pytest.approx(10.0)


def test_true_probabilities_have_slope_one_and_intercept_zero() -> None:
    score, retained = outcomes(60_000, -2.0, 1.0, 7)
    found = judged(1 - expit(score), retained)["model"]
    assert found.calibration_slope == pytest.approx(1.0, abs=3 * found.calibration_slope_error)
    assert found.calibration_intercept == pytest.approx(0.0, abs=0.1)


def test_precision_and_recall_are_those_of_churn_at_the_threshold() -> None:
    retained = np.array([True, True, False, False, False])
    churn = np.array([0.1, 0.7, 0.6, 0.8, 0.2])
    found = judged(churn, retained, threshold=0.6)["model"]
    assert found.churn_precision == pytest.approx(2 / 3)
    assert found.churn_recall == pytest.approx(2 / 3)


def test_deciles_keep_equal_probabilities_together_and_count_everybody() -> None:
    score, retained = outcomes(1003, -1.0, 1.0, 8)
    churn = np.round(1 - expit(score), 1)
    groups = deciles(churn, retained)
    assert sum(group.customers for group in groups) == 1003
    assert sum(group.churned for group in groups) == int((~retained).sum())
    assert len(groups) <= len(np.unique(churn))


def test_few_of_the_rare_class_get_a_sigmoid_and_many_an_isotonic_calibration() -> None:
    score, retained = outcomes(20_000, -4.0, 1.0, 9)
    assert calibrate(score, retained).method == "sigmoid"
    score, retained = outcomes(20_000, -1.0, 1.0, 9)
    assert calibrate(score, retained).method == "isotonic"


@pytest.mark.parametrize("level", [-4.0, -1.0, 2.0])
def test_calibration_mends_a_score_that_is_too_bold_and_keeps_its_order(level: float) -> None:
    score, retained = outcomes(40_000, level, 0.8, 10)
    bold = 2.5 * score + 3
    half = np.arange(40_000) < 20_000
    found = calibrate(bold[half], retained[half])
    chance = found.probability(bold[~half])
    _, slope, error = logistic_line(logit(chance), retained[~half].astype(float))
    assert slope == pytest.approx(1.0, abs=max(0.1, 3 * error))
    assert chance.mean() == pytest.approx(retained[~half].mean(), rel=0.1)
    assert (np.diff(chance[np.argsort(bold[~half], kind="stable")]) >= 0).all()
    assert 0 < chance.min() <= chance.max() < 1


def test_calibration_survives_storage() -> None:
    score, retained = outcomes(9000, -1.0, 1.0, 11)
    found = calibrate(score, retained)
    assert np.array_equal(Calibration.from_dict(found.to_dict()).probability(score), found.probability(score))


def test_a_class_that_never_occurs_is_not_said_to_be_impossible() -> None:
    chance = calibrate(np.zeros(100), np.zeros(100, dtype=bool)).probability(np.zeros(3))
    assert (chance > 0).all()
    assert (chance < 0.01).all()


def losses_of(gain: float, noise: float, seed: int, count: int = 10_000) -> np.ndarray:
    return np.random.default_rng(seed).normal(1.0 - gain, noise, count)


def test_what_does_not_beat_recency_only_does_not_ship() -> None:
    base = np.full(10_000, 1.0)
    recency = base - 0.1
    level_with_recency = recency + np.random.default_rng(1).normal(0, 0.5, 10_000)
    losses = {"base_rate": base, "recency_only": recency, "logistic": level_with_recency}
    assert choose(trials(losses)).model == "recency_only"
    assert choose(trials({**losses, "logistic": recency - 0.05})).model == "logistic"


def test_recency_itself_has_to_beat_the_base_rate() -> None:
    base = np.full(10_000, 1.0)
    losses = {"base_rate": base, "recency_only": base + 0.01, "logistic": base + 0.005}
    # Better than recency, but no better than knowing nothing.
    assert choose(trials(losses)).model == "base_rate"


def test_models_without_exact_contributions_never_ship() -> None:
    base = np.full(1000, 1.0)
    losses = {"base_rate": base, "recency_only": base - 0.1, "mbg_nbd": base - 0.9, "boosted_interactions": base - 0.9}
    assert choose(trials(losses)).model == "recency_only"


def test_a_person_met_at_several_cut_offs_counts_once() -> None:
    # a gain of .1 whose standard error is .058
    champion, challenger = np.full(300, 1.0), np.tile([-0.1, 1.9], 150)
    again = np.tile(np.arange(300), 9)
    assert not beats(challenger, champion, np.arange(300))
    assert not beats(np.tile(challenger, 9), np.tile(champion, 9), again)
    assert beats(np.tile(challenger, 9), np.tile(champion, 9), np.arange(2_700)), "taken for as many people"


def test_what_is_far_from_the_returns_of_all_windows_does_not_ship() -> None:
    base = np.full(1000, 1.0)
    losses = {"base_rate": base, "recency_only": base - 0.1, "logistic": base - 0.2}
    assert choose(trials(losses)).model == "logistic"
    assert choose(trials(losses, {"logistic": 1.4, "recency_only": 1.1})).model == "recency_only"
    assert choose(trials(losses, {"logistic": 1.4, "recency_only": 1.5})).model == "base_rate"
    assert choose(trials(losses, {"logistic": 1.4, "recency_only": 1.5, "base_rate": 1.6})).model == "logistic"


def test_on_equal_terms_the_simpler_kind_of_model_ships() -> None:
    base = np.full(1000, 1.0)
    draw = np.random.default_rng(4).normal(0, 0.1, 1000)
    noise, error = draw - draw.mean(), float(draw.std(ddof=1)) / 1000**0.5
    losses = {"base_rate": base, "recency_only": base - 0.1, "logistic": base - 0.2}
    assert choose(trials({**losses, "boosted_pairs": base - 0.2 + noise - 0.9 * error})).model == "logistic"
    assert choose(trials({**losses, "boosted_pairs": base - 0.2 + noise - 1.1 * error})).model == "boosted_pairs"


def test_of_models_that_are_told_alike_the_best_ships() -> None:
    base = np.full(1000, 1.0)
    draw = np.random.default_rng(4).normal(0, 0.1, 1000)
    by_a_hair = base - 0.2001 + draw - draw.mean()
    losses = {"base_rate": base, "recency_only": base - 0.1, "logistic": base - 0.2, "blended": by_a_hair}
    assert choose(trials(losses)).model == "blended"
    # and none of them comes in by a hair past what is really simpler
    few = {"base_rate": base, "recency_only": base - 0.1, "recency_frequency": base - 0.2, "blended": by_a_hair}
    assert choose(trials(few)).model == "recency_frequency"
    alone = {"base_rate": base, "recency_only": base - 0.2, "blended": by_a_hair}
    assert choose(trials(alone)).model == "recency_only"


def test_a_gain_has_to_be_larger_than_two_of_its_standard_errors() -> None:
    champion = np.full(10_000, 1.0)
    everyone = np.arange(10_000)
    assert beats(losses_of(0.03, 1.0, 2), champion, everyone) is (losses_of(0.03, 1.0, 2).mean() < 1 - 0.02)
    assert not beats(champion, champion, everyone)
    assert log_losses(np.array([0.5]), np.array([True])) == pytest.approx([np.log(2)])
