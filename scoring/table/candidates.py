"""The models that may ship: each a sum of effects of one feature, or of one and two, so that reasons are exact."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Protocol

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from scoring.models.sums import Pair, Sum, centred, tabulate
from scoring.table.coding import Coding
from scoring.table.columns import Codes, Flags, Floats

RARE_SHARE = 0.005  # words, and blanks, rarer than this have the average effect in the logistic model
FEW_ROWS = 20_000


class Fitted(Protocol):
    """A fitted candidate."""

    def score(self, codes: Codes) -> Floats:
        """Return log-odds of the label, shape (rows,)."""

    def tabulate(self, codes: Codes) -> Sum:
        """Return the very same scores as tables of effects, centred on these rows."""


@dataclass(frozen=True)
class Candidate:
    """A kind of model with its settings.

    Parameters
    ----------
    name : str
        Kind, as the card calls it.
    rank : int
        How complex it is to read: one terms of numbers, the other tables of effects, which must earn their place.
    settings : str
        In words.
    fit : callable
        Codings, codes and labels, and how long to train (None where that is no question), to a fitted model.
    is_staged : bool
        Whether its length of training is to be found.
    """

    name: str
    rank: int
    settings: str
    fit: Callable[[Sequence[Coding], Codes, Flags, int | None], Any]
    is_staged: bool = False


@dataclass(frozen=True)
class Boosting:
    """Histogram gradient boosting on codes; ``pairwise`` lets a tree use two features, otherwise it uses one."""

    are_pairs: bool
    learning_rate: float
    max_leaf_nodes: int
    min_samples_leaf: int
    l2_regularization: float
    max_iter: int
    random_state: int

    def fit(self, codings: Sequence[Coding], codes: Codes, is_positive: Flags, length: int | None) -> Trees:
        """Fit `length` trees, or as many as may be."""
        model = HistGradientBoostingClassifier(
            learning_rate=self.learning_rate,
            max_iter=length or self.max_iter,
            max_leaf_nodes=self.max_leaf_nodes,
            min_samples_leaf=min(self.min_samples_leaf, max(1, len(codes) // 20)),
            l2_regularization=self.l2_regularization,
            categorical_features=[coding.kind == "word" for coding in codings],
            interaction_cst="pairwise" if self.are_pairs else "no_interactions",
            early_stopping=False,
            random_state=self.random_state,
        )
        with _threads(len(codes)):
            model.fit(_inputs(codings, codes), is_positive)
        return Trees(tuple(codings), model, self.are_pairs)


def _threads(rows: int) -> threadpool_limits:
    """Return a context in which few rows are worked on by one thread: several would wait for each other."""
    return threadpool_limits(limits=1 if rows <= FEW_ROWS else None)


def _inputs(codings: Sequence[Coding], codes: Codes) -> Floats:
    """Return codes as the trees read them: NaN for a blank number."""
    found = codes.astype(np.float64)
    for place, coding in enumerate(codings):
        if coding.kind == "number":
            found[codes[:, place] == coding.blank, place] = np.nan
    return found


@dataclass(frozen=True)
class Trees:
    """Fitted trees."""

    codings: tuple[Coding, ...]
    model: Any
    are_pairs: bool

    def score(self, codes: Codes) -> Floats:
        """Return log-odds of the label, shape (rows,)."""
        with _threads(len(codes)):
            result: Floats = self.model.decision_function(_inputs(self.codings, codes)).astype(np.float64)
        return result

    def stages(self, codes: Codes) -> list[Floats]:
        """Return the scores after each tree."""
        inputs = _inputs(self.codings, codes)
        with _threads(len(codes)):
            return [scores.reshape(-1) for scores in self.model.staged_decision_function(inputs)]

    def tabulate(self, codes: Codes) -> Sum:
        """List the trees' answers for every code, and every pair of codes."""
        sizes = [coding.size for coding in self.codings]
        pairs = combinations(range(len(sizes)), 2) if self.are_pairs else ()
        return centred(tabulate(self.score, sizes, pairs), codes)


@dataclass(frozen=True)
class Mean:
    """The mean of several fitted models: of sums it is a sum again, and steadier than each."""

    members: tuple[Fitted, ...]

    def score(self, codes: Codes) -> Floats:
        """Return log-odds of the label, shape (rows,)."""
        result: Floats = np.mean([member.score(codes) for member in self.members], axis=0)
        return result

    def tabulate(self, codes: Codes) -> Sum:
        """Return the mean of the members' effects."""
        sums = [member.tabulate(codes) for member in self.members]
        share = 1.0 / len(sums)
        joint: dict[tuple[int, int], Floats] = {}
        for terms in sums:
            for pair in terms.pairs:
                place = (pair.first, pair.second)
                joint[place] = joint.get(place, np.zeros_like(pair.effects)) + share * pair.effects
        singles = tuple(
            share * np.sum(effects, axis=0) for effects in zip(*(terms.singles for terms in sums), strict=True)
        )
        pairs = tuple(Pair(*place, effects) for place, effects in sorted(joint.items(), key=lambda item: item[0]))
        return centred(Sum(share * sum(terms.base for terms in sums), singles, pairs), codes)


def mean_of(members: Sequence[tuple[Candidate, int | None]]) -> Candidate:
    """Return the candidate that is the mean of others, each trained as long as was best for it."""

    def fit(codings: Sequence[Coding], codes: Codes, is_positive: Flags, _: int | None) -> Mean:
        return Mean(tuple(one.fit(codings, codes, is_positive, length) for one, length in members))

    last = members[-1][0]
    trees = ", ".join(str(length) for _, length in members)
    return Candidate(last.name, last.rank, f"mean of all boosted, {trees} trees", fit)


@dataclass(frozen=True)
class Line:
    """A fitted logistic regression: the effect of every code."""

    terms: Sum

    def score(self, codes: Codes) -> Floats:
        """Return log-odds of the label, shape (rows,)."""
        return self.terms.score(codes)

    def tabulate(self, codes: Codes) -> Sum:
        """Return its effects, centred on these rows."""
        return centred(self.terms, codes)


@dataclass(frozen=True)
class Logistic:
    """Logistic regression: a number by the mean of its interval, a word, and a blank, by an effect of its own.

    A blank number counts as the median; whether it was blank is a feature too.
    """

    inverse_penalty: float

    def fit(self, codings: Sequence[Coding], codes: Codes, is_positive: Flags, _: int | None = None) -> Line:
        """Fit on codes."""
        columns: list[Floats] = []
        plan: list[tuple[int, Floats]] = []  # feature, and what each of its codes puts into the column
        for place, coding in enumerate(codings):
            shares = np.bincount(codes[:, place], minlength=coding.size) / len(codes)
            for values in _columns_of(coding, shares):
                columns.append(values[codes[:, place]])
                plan.append((place, values))
        if not columns:
            share = float(is_positive.mean())
            return Line(Sum(float(np.log(share / (1 - share))), tuple(np.zeros(coding.size) for coding in codings)))
        regression = LogisticRegression(C=self.inverse_penalty, max_iter=2000)
        regression.fit(np.column_stack(columns), is_positive)
        singles = [np.zeros(coding.size) for coding in codings]
        for (place, values), weight in zip(plan, regression.coef_[0], strict=True):
            singles[place] += weight * values
        return Line(Sum(float(regression.intercept_[0]), tuple(singles)))


def _columns_of(coding: Coding, shares: Floats) -> list[Floats]:
    """Return the columns that a feature gives a linear model: for each of them a value a code."""
    found = []
    if coding.kind == "number":
        values = np.zeros(coding.size)
        values[:-1] = coding.centres
        known = shares[:-1].sum()
        order = np.cumsum(shares[:-1]) >= known / 2
        values[-1] = values[:-1][int(order.argmax())]
        mean = float(values @ shares)
        spread = float(np.sqrt(((values - mean) ** 2) @ shares))
        if spread > 1e-12:
            found.append((values - mean) / spread)
        choices = [coding.blank]
    else:
        choices = [*range(len(coding.words)), coding.blank]
    for code in choices:
        if RARE_SHARE <= shares[code] < 1:
            found.append((np.arange(coding.size) == code) - shares[code])
    return found


def candidates(random_state: int, rows: int) -> list[Candidate]:
    """Return all candidates for a table of so many rows, simplest first.

    Trees of three leaves, many and slow, tell strangers best; those of many leaves know customers who resemble others.
    """
    large, few = rows > 20_000, rows < 2_000
    rate, longest = (0.1, 200) if few or large else (0.05, 600)
    alone = Boosting(False, rate, 3, 20, 10.0, longest, random_state)
    calm = Boosting(True, rate, 3, 20 if large else 10, 10.0, longest, random_state)
    keen = Boosting(True, 0.1, 24, 20 if large else 2, 0.3, 120 if few else 300, random_state)
    return [
        Candidate("logistic", 0, "inverse penalty 0.3", Logistic(0.3).fit),
        Candidate("boosted", 1, "trees of one feature, 3 leaves", alone.fit, is_staged=True),
        Candidate("boosted with pairs", 1, "trees of two features, 3 leaves", calm.fit, is_staged=True),
        Candidate("boosted with pairs", 1, "trees of two features, 24 leaves", keen.fit, is_staged=True),
    ]
