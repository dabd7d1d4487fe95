"""Histogram gradient boosting: of one feature a tree, of two, and of any number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import HistGradientBoostingClassifier

from scoring.features import Codes, FeatureTable, Flags, Floats
from scoring.models.additive import AdditiveScore, Axis, CategoryTerm, PairTerm, StepTerm, Term
from scoring.models.sums import NOTHING, centred, tabulate

INTERVALS = 64  # per numeric feature: quantiles of the values met in training
INTERVALS_OF_PAIRS = 32  # per numeric feature where two may act together: a pair has as many squared
WORDS = 60  # most frequent words of a category; the others share one code
TOLERANCE = 1e-6  # log-odds, between trees and their tables: the rounding of some fifty effects
PARTNERS = 8  # features, those that say most alone, any two of which may act together


@dataclass(frozen=True)
class _Binned:
    """Integer codes of the features, so that a tree's every possible answer can be listed."""

    axes: tuple[Axis, ...]

    @classmethod
    def learn(cls, features: Sequence[str], table: FeatureTable, intervals: int) -> _Binned:
        axes: list[Axis] = []
        # Words first: scikit-learn puts them there itself, and counts the features that may act together from there.
        for name in sorted(features, key=lambda name: name not in table.categories):
            if name in table.categories:
                column = table.categories[name]
                counts = np.bincount(column.codes, minlength=len(column.words))
                met = [code for code in range(len(column.words)) if counts[code]]
                ranked = sorted(met, key=lambda code: (-counts[code], column.words[code]))
                axes.append(Axis(name, None, tuple(column.words[code] for code in ranked[:WORDS])))
                continue
            values = table.numbers[name][~np.isnan(table.numbers[name])]
            if not len(values):
                continue  # a shop without reviews: nothing to cut into intervals
            levels: Any = np.quantile(values, np.linspace(0, 1, intervals + 1)[1:-1], method="lower")
            axes.append(Axis(name, tuple(float(edge) for edge in np.unique(levels)), None))
        return cls(tuple(axes))

    def codes(self, table: FeatureTable) -> Codes:
        """Return the codes of each row, shape (rows, features)."""
        return np.column_stack([axis.codes(table) for axis in self.axes]).astype(np.int32)

    def inputs(self, codes: Codes) -> npt.NDArray[np.float32]:
        """Return codes as the trees read them: NaN for a number that is missing."""
        found = codes.astype(np.float32)
        for place, axis in enumerate(self.axes):
            if axis.words is None:
                found[codes[:, place] == axis.size - 1, place] = np.nan
        return found


@dataclass(frozen=True)
class Stopping:
    """Customers, other than those who are learned from, that decide when to stop; columns of length m."""

    table: FeatureTable
    retained: Flags


@dataclass(frozen=True)
class Boosting:
    """Boosted trees on quantile-binned features.

    Parameters
    ----------
    features : sequence of str
        Features to use.
    random_state : int
        Seed of the bins.
    learning_rate, max_iter, max_leaf_nodes, min_samples_leaf, l2_regularization
        See scikit-learn; the number of trees is found by early stopping.
    """

    features: Sequence[str]
    random_state: int
    learning_rate: float = 0.1
    max_iter: int = 200
    max_leaf_nodes: int = 6
    min_samples_leaf: int = 200
    l2_regularization: float = 20.0

    def fit(self, table: FeatureTable, retained: Flags, weight: Floats, stopping: Stopping) -> AdditiveScore:
        """Fit without interactions: every tree sees one feature, so the sum is a sum of functions of one feature.

        Parameters
        ----------
        table : FeatureTable
            Features, n rows.
        retained : array of bool, shape (n,)
        weight : array of float, shape (n,)
            How many customers each row stands for.
        stopping : Stopping
            Customers that decide when to stop.

        Returns
        -------
        AdditiveScore
            The trees tabulated: exactly the boosted model, not an approximation of it.
        """
        trees = self._grow(table, retained, weight, stopping, intervals=INTERVALS, together="no_interactions")
        return trees.tabulated(table, weight, ())

    def fit_with_pairs(
        self, table: FeatureTable, retained: Flags, weight: Floats, stopping: Stopping, partners: Sequence[str]
    ) -> AdditiveScore:
        """Fit with trees of up to two features, so that the sum is one of functions of one and of two features.

        Parameters
        ----------
        table, retained, weight, stopping
            As in :meth:`fit`.
        partners : sequence of str
            Features any two of which may act together.

        Returns
        -------
        AdditiveScore
            The trees tabulated, as in :meth:`fit`.
        """
        binned = _Binned.learn(self.features, table, INTERVALS_OF_PAIRS)
        places = [place for place, axis in enumerate(binned.axes) if axis.feature in partners]
        pairs = list(combinations(places, 2))
        alone = [{place} for place in range(len(binned.axes)) if place not in places or not pairs]
        together = [*alone, *({one, two} for one, two in pairs)]
        trees = self._grow(table, retained, weight, stopping, intervals=INTERVALS_OF_PAIRS, together=together)
        return trees.tabulated(table, weight, pairs)

    def fit_with_interactions(self, table: FeatureTable, retained: Flags, weight: Floats, stopping: Stopping) -> Trees:
        """Fit with interactions: a measure of what the other models leave out; has no exact contributions."""
        return self._grow(table, retained, weight, stopping, intervals=INTERVALS, together=None)

    def _grow(
        self,
        table: FeatureTable,
        retained: Flags,
        weight: Floats,
        stopping: Stopping,
        *,
        intervals: int,
        together: str | list[set[int]] | None,
    ) -> Trees:
        binned = _Binned.learn(self.features, table, intervals)
        codes = binned.inputs(binned.codes(table))
        others = binned.inputs(binned.codes(stopping.table))
        model = HistGradientBoostingClassifier(
            learning_rate=self.learning_rate,
            max_iter=self.max_iter,
            max_leaf_nodes=self.max_leaf_nodes,
            min_samples_leaf=max(20, min(self.min_samples_leaf, len(codes) // 50)),
            l2_regularization=self.l2_regularization,
            categorical_features=[axis.words is not None for axis in binned.axes],
            interaction_cst=together,
            early_stopping=True,
            n_iter_no_change=15,
            random_state=self.random_state,
        )
        model.fit(
            codes,
            retained,
            sample_weight=weight,
            X_val=others,
            y_val=stopping.retained,
            sample_weight_val=np.ones(len(others)),
        )
        return Trees(binned, model)


@dataclass(frozen=True)
class Trees:
    """Fitted trees."""

    binned: _Binned
    model: Any

    def score(self, table: FeatureTable) -> Floats:
        """Return the log-odds of a return, shape (rows,)."""
        return self._score(self.binned.codes(table))

    def _score(self, codes: Codes) -> Floats:
        result: Floats = self.model.decision_function(self.binned.inputs(codes)).astype(np.float64)
        return result

    def tabulated(self, table: FeatureTable, weight: Floats, pairs: Sequence[tuple[int, int]]) -> AdditiveScore:
        """Return the very same scores as a sum of terms, centred on these rows; `pairs` may act together."""
        axes = self.binned.axes
        found = centred(tabulate(self._score, [axis.size for axis in axes], pairs), self.binned.codes(table), weight)
        some = self.binned.codes(table.take(np.arange(min(table.rows, 1_000))))
        if np.abs(found.score(some) - self._score(some)).max() > TOLERANCE:
            raise ArithmeticError("The trees use more features together than were to be tabulated.")
        terms: list[Term] = []
        for axis, effects in zip(axes, found.singles, strict=True):
            if not np.any(np.abs(effects) > NOTHING):
                continue
            values = [float(effect) for effect in effects]
            if axis.words is not None:
                terms.append(CategoryTerm(axis.feature, dict(zip(axis.words, values[:-1], strict=True)), values[-1]))
            else:
                terms.append(StepTerm(axis.feature, axis.edges or (), tuple(values[:-1]), values[-1]))
        for pair in found.pairs:
            joint = tuple(tuple(float(value) for value in row) for row in pair.effects)
            terms.append(PairTerm(axes[pair.first], axes[pair.second], joint))
        return AdditiveScore(found.base, tuple(terms))
