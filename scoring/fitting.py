"""Fit every model at one origin: the same data, thinning and calibration for all, so that their figures compare."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from scoring.calibration import HALF_LIFE_DAYS, Calibration, Window, calibrate, drawn_to_recent
from scoring.features import NAMES, RHYTHM, FeatureTable, Flags, Floats, concatenate, constant
from scoring.models import btyd
from scoring.models.additive import AdditiveScore, mean_of
from scoring.models.boosting import PARTNERS, Boosting, Stopping
from scoring.models.logistic import Logistic
from scoring.models.rhythm import Rhythm
from scoring.value import purchase_history

BASE_RATE = "base_rate"
RECENCY_ONLY = "recency_only"
RECENCY_FREQUENCY = "recency_frequency"
MBG_NBD = "mbg_nbd"
BG_NBD = "bg_nbd"
LOGISTIC = "logistic"
LOGISTIC_CURVES = "logistic_curves"
BOOSTED_ADDITIVE = "boosted_additive"
BOOSTED_PAIRS = "boosted_pairs"
BLENDED = "blended"
BLENDED_PAIRS = "blended_pairs"
BOOSTED_INTERACTIONS = "boosted_interactions"
# One of each group of near-copies (for a one-time buyer the first order is the last and the largest): with all of them
# a linear model gives one a large effect and its twin the opposite, and neither can be read.
LINEAR_FEATURES = (
    "recency_days",
    "recency_to_mean_gap",
    "order_count",
    "order_count_90_days",
    "order_count_365_days",
    "mean_gap_days",
    "gap_days_sd",
    "monetary_mean",
    "spend_trend",
    "items_per_order",
    "freight_share",
    "last_category",
    "category_count",
    "last_payment_type",
    "last_installments",
    "customer_state",
    "mean_delivery_days",
    "last_delay_days",
    "late_share",
    "has_open_delivery",
    "last_review_score",
    "is_last_review_missing",
    "has_review_comment",
    "last_order_weekday",
    "last_order_month",
    "canceled_order_count",
)
# From simple to rich. Models of one step are told alike, each a sum of terms: of two features, of one feature each, of
# one or two.
FEW = (RECENCY_FREQUENCY,)
ALONE = (LOGISTIC, LOGISTIC_CURVES, BOOSTED_ADDITIVE, BLENDED)
IN_PAIRS = (BOOSTED_PAIRS, BLENDED_PAIRS)
STEPS = (FEW, ALONE, IN_PAIRS)
SHIPPABLE = (BASE_RATE, RECENCY_ONLY, *FEW, *ALONE, *IN_PAIRS)
# Fitted and published beside them, but without exact contributions per customer.
REFERENCES = (BG_NBD, MBG_NBD, BOOSTED_INTERACTIONS)
BTYD: Mapping[str, btyd.Kind] = {BG_NBD: "bg", MBG_NBD: "mbg"}

SEASON_FEATURES = ("last_order_weekday", "last_order_month")
SEASONS_FROM_DAYS = 640  # two years of windows, first to last cut-off

MIN_RARE = 20  # fewer of the rare class to learn from: no model, only the base rate
FREE_ROWS = 50_000  # training rows up to which nothing is left out
MAX_COMMON = 200_000  # and never more of them than this
KEPT_PER_RARE = 20  # beyond it, rows of the common class kept per row of the rare one
BTYD_CUSTOMERS = 20_000  # histories that the buy-till-you-die likelihoods are fitted to
OLDEST_LEVEL_DAYS = 4 * HALF_LIFE_DAYS  # older windows would count less than a sixteenth in the level
ASIDE_BUCKETS = 250  # of 1,000, people who calibrate the models and decide when boosting stops


@dataclass(frozen=True)
class Snapshot:
    """Everyone at one cut-off.

    Parameters
    ----------
    features : FeatureTable
    days_to_next_order : array, shape (n,)
        Outcome: NaN when there is no later order.
    bucket : array of int, shape (n,)
        0 to 999, drawn from the customer's id: the same person has the same one at every cut-off.
    person : array of int, shape (n,)
        Who it is: the same number at every cut-off.
    window : array of int, shape (n,)
        The cut-off, as a day number.
    orders, revenue : array, shape (n,)
        Outcome within the window of the features; NaN where unknown.
    """

    features: FeatureTable
    days_to_next_order: Floats
    bucket: npt.NDArray[np.int64]
    person: npt.NDArray[np.int64]
    window: npt.NDArray[np.int64]
    orders: Floats
    revenue: Floats

    def retained(self, horizon_days: int) -> Flags:
        """Return who ordered within the horizon."""
        result: Flags = np.nan_to_num(self.days_to_next_order, nan=np.inf) < horizon_days
        return result

    def take(self, rows: npt.NDArray[np.intp] | Flags) -> Snapshot:
        """Return the chosen customers."""
        return Snapshot(
            self.features.take(rows),
            self.days_to_next_order[rows],
            self.bucket[rows],
            self.person[rows],
            self.window[rows],
            self.orders[rows],
            self.revenue[rows],
        )


def stack(snapshots: Sequence[Snapshot]) -> Snapshot:
    """Put the customers of several cut-offs into one."""
    if len(snapshots) == 1:
        return snapshots[0]
    return Snapshot(
        concatenate([one.features for one in snapshots]),
        np.concatenate([one.days_to_next_order for one in snapshots]),
        np.concatenate([one.bucket for one in snapshots]),
        np.concatenate([one.person for one in snapshots]),
        np.concatenate([one.window for one in snapshots]),
        np.concatenate([one.orders for one in snapshots]),
        np.concatenate([one.revenue for one in snapshots]),
    )


@dataclass(frozen=True)
class Fitted:
    """A model with its calibration; `additive` is None when it cannot ship."""

    score: Callable[[FeatureTable], Floats]
    calibration: Calibration
    additive: AdditiveScore | None

    def churn_probability(self, table: FeatureTable) -> Floats:
        """Return P(no order within the horizon), shape (rows,)."""
        return 1.0 - self.calibration.probability(self.score(table))


def pick(snapshots: Sequence[Snapshot], rows: npt.NDArray[np.intp]) -> Snapshot:
    """Return the chosen customers of several cut-offs; `rows` ascend, as if the cut-offs lay one behind the other."""
    starts = np.cumsum([0, *(len(one.bucket) for one in snapshots)])
    parts = np.split(rows, np.searchsorted(rows, starts[1:-1]))
    return stack([one.take(part - start) for one, part, start in zip(snapshots, parts, starts[:-1], strict=True)])


def fit_models(
    known: Sequence[Snapshot],
    horizon_days: int,
    *,
    random_state: int,
    only: str | None = None,
    without: Collection[str] = (),
) -> dict[str, Fitted]:
    """Fit and calibrate the models.

    Parameters
    ----------
    known : sequence of Snapshot
        Customers at cut-offs whose outcome is known, oldest first; some of the people are kept for calibration.
    horizon_days : int
    random_state : int
    only : str, optional
        Fit just this model.
    without : collection of str
        Models not to fit.

    Returns
    -------
    dict of str to Fitted
        By model name. Only the base rate when the rare class is too small to learn from; nothing when one class is
        empty.
    """
    # One thread: sums of several threads differ in their last bits, and the same input is to give the same scores.
    with threadpool_limits(limits=1):
        wanted = {only} if only else {*SHIPPABLE, *REFERENCES} - set(without)
        return _fit_models(known, horizon_days, random_state, wanted)


def _fit_models(
    known: Sequence[Snapshot], horizon_days: int, random_state: int, wanted: Collection[str]
) -> dict[str, Fitted]:
    outcomes = [one.retained(horizon_days) for one in known]
    retained = np.concatenate(outcomes)
    if retained.all() or not retained.any():
        return {}
    is_aside = np.concatenate([one.bucket for one in known]) < ASIDE_BUCKETS
    aside = pick(known, np.flatnonzero(is_aside))
    seen = retained[is_aside]
    days = [int(one.window[0]) if len(one.window) else 0 for one in known]
    recent = [place for place, day in enumerate(days) if max(days) - day <= OLDEST_LEVEL_DAYS]
    # what the models read, with the rhythm once it is known: worked out once and not by every model again
    tables, aside_table = {place: known[place].features for place in recent}, aside.features
    fitted: dict[str, Fitted] = {}

    def add(name: str, fit: Callable[[], AdditiveScore | Callable[[FeatureTable], Floats]]) -> None:
        if name not in wanted:
            return
        model = fit()
        additive = model if isinstance(model, AdditiveScore) else None
        score = model.score if isinstance(model, AdditiveScore) else model
        windows = [Window(max(days) - days[place], score(one), outcomes[place]) for place, one in tables.items()]
        calibration = calibrate(score(aside_table), seen, len(np.unique(aside.person[seen])))
        fitted[name] = Fitted(score, drawn_to_recent(calibration, windows), additive)

    learning = np.flatnonzero(~is_aside)
    is_rare_enough = (
        len(seen) > 0
        and min(int(retained[learning].sum()), int((~retained[learning]).sum())) >= MIN_RARE
        and min(int(seen.sum()), int((~seen).sum())) > 0
    )
    if len(seen):
        add(BASE_RATE, lambda: AdditiveScore(0.0, ()))
    if not is_rare_enough:
        return fitted
    rows, weight = thin(retained[learning], random_state)
    training = pick(known, learning[rows])
    table, outcome = training.features, training.retained(horizon_days)
    add(RECENCY_ONLY, lambda: Logistic(("recency_days",), inverse_penalty=1.0).fit(table, outcome, weight))
    add(
        RECENCY_FREQUENCY,
        lambda: Logistic(("recency_days", "order_count"), inverse_penalty=1.0).fit(table, outcome, weight),
    )
    # In less than two years of windows a month is a window in disguise.
    untold = set(() if max(days) - min(days) >= SEASONS_FROM_DAYS else SEASON_FEATURES) | constant(table)
    linear = [name for name in LINEAR_FEATURES if name not in untold]
    add(LOGISTIC, lambda: Logistic(linear).fit(table, outcome, weight))
    rhythm, dying = None, {}
    with suppress(ValueError):  # histories without a maximum of the likelihood: none of these then
        dying = {name: _histories_fit(kind, known[-1].features, random_state) for name, kind in BTYD.items()}
        rhythm = Rhythm(dying[MBG_NBD], horizon_days)
    if rhythm:
        aside_table = rhythm.add_to(aside_table)
        tables = {place: rhythm.add_to(one) for place, one in tables.items()}
    richer = _Richer(untold, rhythm, (table, outcome, weight), Stopping(aside_table, seen), random_state)
    add(LOGISTIC_CURVES, lambda: richer.curved)
    add(BOOSTED_ADDITIVE, lambda: richer.alone)
    add(BLENDED, lambda: mean_of((richer.curved, richer.alone)))
    add(BOOSTED_PAIRS, lambda: richer.in_pairs)
    add(BLENDED_PAIRS, lambda: mean_of((richer.curved, richer.in_pairs)))
    add(BOOSTED_INTERACTIONS, richer.interacting)
    for name, model in dying.items():
        add(name, lambda model=model: _expected_orders(model, horizon_days))  # type: ignore[misc]
    return fitted


def strongest(model: AdditiveScore, table: FeatureTable, count: int) -> list[str]:
    """Return the features whose terms set customers furthest apart, the first one most."""
    spread = {name: float(effect.std()) for name, effect in model.contributions(table).items()}
    return sorted(spread, key=lambda name: (-spread[name], name))[:count]


class _Richer:
    """The models that know the rhythm; those that others rest on are fitted once, whoever asks first."""

    def __init__(
        self,
        untold: Collection[str],
        rhythm: Rhythm | None,
        known: tuple[FeatureTable, Flags, Floats],
        stopping: Stopping,
        random_state: int,
    ) -> None:
        table, outcome, weight = known
        own = (RHYTHM.name,) if rhythm else ()
        linear = [name for name in LINEAR_FEATURES if name not in untold]
        self._curves = Logistic([*linear, "tenure_days", *own], is_curved=True)
        self._boosting = Boosting([*(name for name in NAMES if name not in untold), *own], random_state)
        self._rhythm = rhythm
        self._known = (rhythm.add_to(table) if rhythm else table, outcome, weight)
        self._stopping = stopping

    @cached_property
    def curved(self) -> AdditiveScore:
        return replace(self._curves.fit(*self._known), rhythm=self._rhythm)

    @cached_property
    def alone(self) -> AdditiveScore:
        return replace(self._boosting.fit(*self._known, self._stopping), rhythm=self._rhythm)

    @cached_property
    def in_pairs(self) -> AdditiveScore:
        best = strongest(self.alone, self._stopping.table, PARTNERS)
        return replace(self._boosting.fit_with_pairs(*self._known, self._stopping, best), rhythm=self._rhythm)

    def interacting(self) -> Callable[[FeatureTable], Floats]:
        trees, rhythm = self._boosting.fit_with_interactions(*self._known, self._stopping), self._rhythm
        return lambda table: trees.score(rhythm.add_to(table) if rhythm else table)


def thin(retained: Flags, random_state: int) -> tuple[npt.NDArray[np.intp], Floats]:
    """Leave out most of the common class where there is too much of it, and weight the rest by what it stands for.

    Returns
    -------
    (rows, weight)
        Positions kept, ascending, and how many rows each stands for.
    """
    if len(retained) <= FREE_ROWS:
        return np.arange(len(retained)), np.ones(len(retained))
    is_rare = retained if retained.sum() * 2 <= len(retained) else ~retained
    common = np.flatnonzero(~is_rare)
    wanted = max(KEPT_PER_RARE * int(is_rare.sum()), FREE_ROWS)
    kept_rare, rare_weight = np.flatnonzero(is_rare), 1.0
    generator = np.random.default_rng(random_state)
    if len(kept_rare) > FREE_ROWS:
        rare_weight = len(kept_rare) / FREE_ROWS
        kept_rare = generator.choice(kept_rare, FREE_ROWS, replace=False)
    wanted = min(wanted, MAX_COMMON)
    common_weight = 1.0
    if len(common) > wanted:
        common_weight = len(common) / wanted
        common = generator.choice(common, wanted, replace=False)
    rows = np.concatenate([kept_rare, common])
    weight = np.concatenate([np.full(len(kept_rare), rare_weight), np.full(len(common), common_weight)])
    order = np.argsort(rows, kind="stable")
    return rows[order], weight[order]


def _histories_fit(kind: btyd.Kind, table: FeatureTable, random_state: int) -> btyd.BuyTillYouDie:
    """Fit to the histories alone: no outcome is used."""
    repeats, last, age = purchase_history(table.numbers)
    if len(repeats) > BTYD_CUSTOMERS:
        chosen = np.random.default_rng(random_state).choice(len(repeats), BTYD_CUSTOMERS, replace=False)
        repeats, last, age = repeats[chosen], last[chosen], age[chosen]
    return btyd.fit(kind, repeats, last, age)


def _expected_orders(model: btyd.BuyTillYouDie, horizon_days: int) -> Callable[[FeatureTable], Floats]:
    """Return a score: the log of the expected purchases."""

    def score(features: FeatureTable) -> Floats:
        # Many customers share a history: the hypergeometric function is worked out once for each.
        histories, member = np.unique(np.column_stack(purchase_history(features.numbers)), axis=0, return_inverse=True)
        expected = model.expected_purchases(histories[:, 0], histories[:, 1], histories[:, 2], float(horizon_days))
        result: Floats = np.log(np.maximum(expected, 1e-12))[member.reshape(-1)]
        return result

    return score
