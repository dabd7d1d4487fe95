"""One run of scoring: evaluate at past cut-offs, choose, fit once more on all that is known, score."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from scoring import evaluate
from scoring.cutoffs import Origin, Plan, apart, make_plan
from scoring.evaluate import Evaluation
from scoring.features import Floats
from scoring.fitting import BASE_RATE, BOOSTED_INTERACTIONS, RECENCY_ONLY, STEPS, Snapshot, fit_models, stack
from scoring.models.btyd import fit_pace
from scoring.shipped import ShippedModel
from scoring.value import ValueModel, fit_value, purchase_history

RANDOM_STATE = 20_180_901
MARGIN = 2.0  # standard errors by which a model must beat the base rate, and recency alone, to ship
STEP_MARGIN = 1.0  # standard errors by which a richer kind of explanation must beat a simpler one
OFF_LEVEL = 1.25  # ratio of returns, expected to observed, within which no model is turned down for its level
DRIFT = 1.5  # ratio of observed to forecast returns beyond which the metrics carry a note

Loader = Callable[[date], Snapshot]


@dataclass(frozen=True)
class Judged:
    """All models at one cut-off, and what happened in the window after it."""

    role: str
    origin: Origin
    evaluations: Mapping[str, Evaluation]
    churn_probability: Mapping[str, Floats]
    snapshot: Snapshot
    value: ValueModel
    money: Mapping[str, tuple[float, float, float, float]]  # orders expected, observed, revenue expected, observed


@dataclass(frozen=True)
class Choice:
    """Which model ships, and why."""

    model: str
    reason: str


@dataclass
class Outcome:
    """Everything a run found out."""

    as_of_date: date
    horizon_days: int
    plan: Plan
    judged: list[Judged] = field(default_factory=list)
    watched: list[Judged] = field(default_factory=list)  # by the kind that ships alone, beside those that were judged
    choice: Choice | None = None
    shipped: ShippedModel | None = None
    messages: list[str] = field(default_factory=list)

    @property
    def test(self) -> Judged | None:
        """The evaluation at the test cut-off."""
        return next((one for one in self.judged if one.role == "test"), None)


class Run:
    """Evaluate and fit.

    Parameters
    ----------
    load : callable
        Gives everyone at a cut-off.
    cutoffs : sequence of date
        Cut-offs with features.
    as_of_date : date
    horizon_days : int
        Window of the forecast.
    settings : mapping of str to float
        Thresholds of the warehouse.
    progress : callable, optional
        Told a line per step.
    """

    def __init__(
        self,
        load: Loader,
        cutoffs: list[date],
        as_of_date: date,
        horizon_days: int,
        *,
        settings: Mapping[str, float],
        progress: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._load = load
        self._cache: dict[date, Snapshot] = {}
        self._settings = settings
        self._progress = progress
        self.outcome = Outcome(as_of_date, horizon_days, make_plan(cutoffs, as_of_date, horizon_days))

    def judge(self) -> None:
        """Fit every model at each judged origin and compare its forecast with what happened."""
        asked = self.outcome.plan.judged
        for _, origin in asked:
            # read before the threads start: a database connection serves one of them
            for cutoff in (*origin.known, origin.cutoff):
                self._snapshot(cutoff)
        # The origins know nothing of each other: a thread each, as many as there are cores. The limit is set out here
        # too, or the first fit to end would lift it for the others.
        with threadpool_limits(limits=1), ThreadPoolExecutor(os.cpu_count()) as pool:
            judged = list(pool.map(lambda one: self._judge(*one), asked))
        for (_, origin), one in zip(asked, judged, strict=True):
            if one is None:
                self.outcome.messages.append(
                    f"Not judged at {origin.cutoff}: in the windows known by then nobody returned, or everyone did."
                )
            else:
                self.outcome.judged.append(one)

    def _judge(self, role: str, origin: Origin) -> Judged | None:
        self._progress(f"judging at {origin.cutoff} ({role})")
        # the ceiling is only told of, at the last window
        without = () if role == "test" else (BOOSTED_INTERACTIONS,)
        models = fit_models(self._known(origin), self.outcome.horizon_days, random_state=RANDOM_STATE, without=without)
        if not models:
            return None
        snapshot = self._snapshot(origin.cutoff)
        retained = snapshot.retained(self.outcome.horizon_days)
        chances = {name: model.churn_probability(snapshot.features) for name, model in models.items()}
        evaluations = evaluate.evaluate(
            chances,
            retained,
            reference=BASE_RATE,
            threshold=self._settings["churn_band_medium_min"],
            random_state=RANDOM_STATE,
        )
        money: dict[str, tuple[float, float, float, float]] = {}
        value = self._value(origin)
        orders, worth = value.orders(snapshot.features), value.order_value(snapshot.features)
        for name, chance in chances.items():
            expected = (1 - chance) * orders
            money[name] = (
                float(expected.sum()),
                float(np.nansum(snapshot.orders)),
                float((expected * worth).sum()),
                float(np.nansum(snapshot.revenue)),
            )
        return Judged(role, origin, evaluations, chances, snapshot, value, money)

    def choose(self) -> Choice | None:
        """Choose on all validation cut-offs together; see :func:`choose`."""
        validations = [one for one in self.outcome.judged if one.role == "validation"]
        if not validations:
            self.outcome.choice = Choice(
                RECENCY_ONLY, "there is no closed window to choose a model on, so the simplest one with a reason ships"
            )
        else:
            self.outcome.choice = choose(gather_trials(validations, self.outcome.horizon_days))
        return self.outcome.choice

    def watch(self) -> None:
        """Forecast the closed windows that were not judged by the kind that ships, from what was known on their day."""
        choice = self.outcome.choice
        if choice is None:
            return
        done = {one.origin.cutoff for one in self.outcome.judged}
        asked = [origin for origin in self.outcome.plan.watched if origin.cutoff not in done]
        for origin in asked:
            for cutoff in (*origin.known, origin.cutoff):
                self._snapshot(cutoff)
        with threadpool_limits(limits=1), ThreadPoolExecutor(os.cpu_count()) as pool:
            watched = pool.map(lambda origin: self._watch(origin, choice.model), asked)
            self.outcome.watched = [one for one in watched if one is not None]

    def _watch(self, origin: Origin, kind: str) -> Judged | None:
        self._progress(f"holding the forecast of {origin.cutoff} against what happened")
        known = self._known(origin)
        models = fit_models(known, self.outcome.horizon_days, random_state=RANDOM_STATE, only=kind)
        if kind not in models:
            return None
        snapshot = self._snapshot(origin.cutoff)
        chances = {kind: models[kind].churn_probability(snapshot.features)}
        return Judged("watched", origin, {}, chances, snapshot, self._value(origin), {})

    def ship(self) -> ShippedModel | None:
        """Fit the chosen model on every closed window, for scoring until the next one closes."""
        plan, choice = self.outcome.plan, self.outcome.choice
        if plan.final is None or choice is None:
            self.outcome.messages.append(
                f"No scores: the history is shorter than the horizon of {self.outcome.horizon_days} days, "
                "so no outcome is known yet."
            )
            return None
        self._progress("fitting the model that ships")
        known = self._known(plan.final)
        horizon = self.outcome.horizon_days
        models = fit_models(known, horizon, random_state=RANDOM_STATE, only=choice.model)
        if not models:
            models = fit_models(known, horizon, random_state=RANDOM_STATE, only=BASE_RATE)
            self.outcome.choice = Choice(
                BASE_RATE, "too few customers returned, or left, to learn from: the base rate ships"
            )
        if not models:
            everyone = all(one.retained(horizon).all() for one in known)
            self.outcome.messages.append(
                f"No scores: in every closed window {'everyone' if everyone else 'nobody'} returned, "
                "and a probability cannot be learned from that."
            )
            self.outcome.choice = None
            return None
        ((name, fitted),) = models.items()
        assert fitted.additive is not None
        self.outcome.shipped = ShippedModel(
            name=name,
            known_until=(max(plan.final.known) + timedelta(days=horizon)).isoformat(),
            horizon_days=horizon,
            additive=fitted.additive,
            calibration=fitted.calibration,
            value=self._value(plan.final),
            band_medium_min=self._settings["churn_band_medium_min"],
            band_high_min=self._settings["churn_band_high_min"],
        )
        # What is stored is what scores: both go through the same rounding.
        self.outcome.shipped = ShippedModel.from_json(self.outcome.shipped.to_json())
        return self.outcome.shipped

    def _value(self, origin: Origin) -> ValueModel:
        # windows that do not overlap: each payment counts once
        known = stack([self._snapshot(cutoff) for cutoff in apart(origin.known, self.outcome.horizon_days)])
        repeats, _, age = purchase_history(self._snapshot(max(origin.known)).features.numbers)
        return fit_value(
            known.features,
            known.retained(self.outcome.horizon_days),
            known.orders,
            known.revenue,
            fit_pace(repeats, age),
        )

    def _known(self, origin: Origin) -> list[Snapshot]:
        return [self._snapshot(cutoff) for cutoff in origin.known]

    def _snapshot(self, cutoff: date) -> Snapshot:
        if cutoff not in self._cache:
            self._cache[cutoff] = self._load(cutoff)
        return self._cache[cutoff]


@dataclass(frozen=True)
class Trials:
    """What the models said at all validation cut-offs together, a row a customer and cut-off.

    Parameters
    ----------
    losses : mapping of str to array, shape (n,)
        Log loss of each row, of the models fitted at every one of the cut-offs.
    off_level : mapping of str to float
        Returns of all windows together, expected to observed or the other way round: the ratio above 1.
    person : array of int, shape (n,)
        Whose row it is.
    """

    losses: Mapping[str, Floats]
    off_level: Mapping[str, float]
    person: npt.NDArray[np.int64]


def gather_trials(judged: Sequence[Judged], horizon_days: int) -> Trials:
    """Put the validation cut-offs behind each other."""
    # where too few had returned to learn from, on the shop's first days, there is nothing to choose between
    judged = [one for one in judged if RECENCY_ONLY in one.churn_probability] or list(judged)
    everywhere = [name for name in judged[0].churn_probability if all(name in one.churn_probability for one in judged)]
    retained = np.concatenate([one.snapshot.retained(horizon_days) for one in judged])
    chances = {name: np.concatenate([one.churn_probability[name] for one in judged]) for name in everywhere}
    return Trials(
        {name: evaluate.log_losses(chance, retained) for name, chance in chances.items()},
        {name: _off_level(float((1.0 - chance).sum()), float(retained.sum())) for name, chance in chances.items()},
        np.concatenate([one.snapshot.person for one in judged]),
    )


def _off_level(expected: float, observed: float) -> float:
    if expected <= 0 or observed <= 0:
        return float("inf")
    return max(expected / observed, observed / expected)


def choose(trials: Trials) -> Choice:
    """Apply the rule: what does not beat what is simpler on the validation cut-offs does not ship.

    Parameters
    ----------
    trials : Trials

    Returns
    -------
    Choice
        Recency-only must beat the base rate, and every richer model both, by more than ``MARGIN`` standard errors of
        the mean difference in log loss, people counted once. Of those that do, models that are told alike compete on
        their mean log loss, and the best of a richer step must beat the simpler ones by more than ``STEP_MARGIN``. A
        model that misses the returns of all windows together by more than ``OFF_LEVEL``, and by more than the one it
        would replace, stays out.
    """
    known = trials.losses

    def is_better(name: str, other: str, margin: float) -> bool:
        level = trials.off_level[name]
        is_level = level <= OFF_LEVEL or level <= trials.off_level[other]
        return is_level and evaluate.beats(known[name], known[other], trials.person, margin)

    if RECENCY_ONLY in known and is_better(RECENCY_ONLY, BASE_RATE, MARGIN):
        floor, below = RECENCY_ONLY, "recency alone beats the base rate"
    else:
        floor, below = BASE_RATE, "recency alone does not beat the base rate"
    # what recency alone beats must not come in past it where recency itself stays out
    simplest = [name for name in dict.fromkeys((floor, RECENCY_ONLY)) if name in known]
    champion = floor
    for step in STEPS:
        passed = [name for name in step if name in known and all(is_better(name, one, MARGIN) for one in simplest)]
        if not passed:
            continue
        best = min(passed, key=lambda name: float(known[name].mean()))
        if champion == floor or is_better(best, champion, STEP_MARGIN):
            champion = best
    if champion == floor:
        return Choice(floor, f"{below}, and no other model beats recency alone by {MARGIN:g} standard errors")
    return Choice(
        champion,
        f"it beats the base rate and recency alone by more than {MARGIN:g} standard errors, is the best of its kind, "
        f"and no richer kind beats it by more than {STEP_MARGIN:g}",
    )


def metric_rows(outcome: Outcome) -> list[dict[str, Any]]:
    """Return the rows of `churn_model_metrics`."""
    rows: list[dict[str, Any]] = []
    version = outcome.shipped.version if outcome.shipped else None
    for judged in outcome.judged:
        for name, figures in judged.evaluations.items():
            churned = figures.customers - figures.retained
            money = judged.money.get(name, (float("nan"),) * 4)
            rare = min(figures.retained, churned)
            rows.append(
                {
                    "model": name,
                    "cutoff_date": judged.origin.cutoff,
                    "horizon_days": outcome.horizon_days,
                    "as_of_date": outcome.as_of_date,
                    "role": judged.role,
                    "is_shipped": outcome.choice is not None and name == outcome.choice.model,
                    "customers": figures.customers,
                    "retained_customers": figures.retained,
                    "churned_customers": churned,
                    "rare_class": figures.rare_class,
                    "prevalence": rare / figures.customers,
                    "roc_auc": figures.roc_auc.value,
                    "roc_auc_low": figures.roc_auc.low,
                    "roc_auc_high": figures.roc_auc.high,
                    "average_precision": figures.average_precision.value,
                    "average_precision_low": figures.average_precision.low,
                    "average_precision_high": figures.average_precision.high,
                    "lift_at_10_percent": figures.lift.value,
                    "lift_at_10_percent_low": figures.lift.low,
                    "lift_at_10_percent_high": figures.lift.high,
                    "log_loss": figures.log_loss,
                    "brier_score": figures.brier,
                    "brier_skill": figures.brier_skill,
                    "calibration_slope": figures.calibration_slope,
                    "calibration_slope_standard_error": figures.calibration_slope_error,
                    "calibration_intercept": figures.calibration_intercept,
                    "mean_churn_probability": figures.mean_churn_probability,
                    "decision_threshold": figures.threshold,
                    "churn_precision": figures.churn_precision,
                    "churn_recall": figures.churn_recall,
                    "everybody_churns_precision": churned / figures.customers,
                    "everybody_churns_recall": 1.0 if churned else float("nan"),
                    "orders_expected": money[0],
                    "orders_observed": None if np.isnan(money[1]) else int(money[1]),
                    "revenue_expected": money[2],
                    "revenue_observed": money[3],
                    "model_version": version if judged.role == "test" else None,
                    "note": drift_note(figures),
                }
            )
    return [rounded(row) for row in rows]


def calibration_rows(outcome: Outcome) -> list[dict[str, Any]]:
    """Return the rows of `churn_calibration`."""
    return [
        rounded(
            {
                "model": name,
                "cutoff_date": judged.origin.cutoff,
                "horizon_days": outcome.horizon_days,
                "as_of_date": outcome.as_of_date,
                "decile": group.decile,
                "customers": group.customers,
                "churned_customers": group.churned,
                "mean_churn_probability": group.mean_churn_probability,
                "observed_churn_rate": group.churned / group.customers,
                "observed_churn_rate_low": group.low,
                "observed_churn_rate_high": group.high,
            }
        )
        for judged in outcome.judged
        for name, chance in judged.churn_probability.items()
        for group in evaluate.deciles(chance, judged.snapshot.retained(outcome.horizon_days))
    ]


def drift_note(figures: Evaluation) -> str | None:
    """Say when the window brought far more or fewer returns than the windows before it."""
    expected = (1 - figures.mean_churn_probability) * figures.customers
    if expected <= 0 or expected / DRIFT <= figures.retained <= expected * DRIFT:
        return None
    return (
        f"{figures.retained:,} customers returned where earlier windows gave {expected:,.0f} to expect: "
        "the shop changed, or the data thin out towards their end. Ranking figures stand, levels do not."
    )


def rounded(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row with nine decimals: the last bits of a sum are no news."""
    return {key: round(value, 9) if isinstance(value, float) else value for key, value in row.items()}
