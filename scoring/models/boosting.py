"""Histogram gradient boosting, with and without interactions between features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import HistGradientBoostingClassifier

from scoring.features import FeatureTable, Flags, Floats
from scoring.models.additive import AdditiveScore, CategoryTerm, StepTerm, Term

INTERVALS = 64  # per numeric feature: quantiles of the values met in training
WORDS = 60  # most frequent words of a category; the others share one code


@dataclass(frozen=True)
class _Binned:
    """Integer codes of the features, so that a tree's every possible answer can be listed."""

    features: tuple[str, ...]
    edges: dict[str, Floats]
    words: dict[str, dict[str, int]]

    @classmethod
    def learn(cls, features: Sequence[str], table: FeatureTable) -> _Binned:
        edges: dict[str, Floats] = {}
        words: dict[str, dict[str, int]] = {}
        used: list[str] = []
        for name in features:
            if name in table.numbers and np.isnan(table.numbers[name]).all():
                continue  # a shop without reviews: nothing to cut into intervals
            used.append(name)
            if name in table.categories:
                column = table.categories[name]
                counts = np.bincount(column.codes, minlength=len(column.words))
                ranked = sorted(range(len(column.words)), key=lambda code: (-counts[code], column.words[code]))
                words[name] = {column.words[code]: rank for rank, code in enumerate(ranked[:WORDS])}
            else:
                values = table.numbers[name][~np.isnan(table.numbers[name])]
                levels: Any = (
                    np.quantile(values, np.linspace(0, 1, INTERVALS + 1)[1:-1], method="lower") if len(values) else []
                )
                edges[name] = np.unique(np.asarray(levels, dtype=np.float64))
        return cls(tuple(used), edges, words)

    def codes(self, table: FeatureTable) -> npt.NDArray[np.float32]:
        result = np.empty((table.rows, len(self.features)), dtype=np.float32)
        for position, name in enumerate(self.features):
            if name in self.words:
                mapping = {word: float(code) for word, code in self.words[name].items()}
                result[:, position] = table.categories[name].lookup(mapping, float(WORDS))
            else:
                values = table.numbers[name]
                code = np.searchsorted(self.edges[name], np.nan_to_num(values), side="left").astype(np.float32)
                result[:, position] = np.where(np.isnan(values), np.nan, code)
        return result

    @property
    def is_category(self) -> list[bool]:
        return [name in self.words for name in self.features]


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
    learning_rate: float = 0.05
    max_iter: int = 400
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
        binned, model = self._grow(table, retained, weight, stopping, interactions=False)
        reference = np.full((1, len(binned.features)), np.nan, dtype=np.float32)
        base = float(model.decision_function(reference)[0])
        terms: list[Term] = []
        for position, name in enumerate(binned.features):
            size = WORDS + 1 if name in binned.words else len(binned.edges[name]) + 1
            grid = np.repeat(reference, size, axis=0)
            grid[:, position] = np.arange(size)
            effects = model.decision_function(grid) - base
            if not np.any(np.abs(effects) > 1e-12):
                continue
            if name in binned.words:
                words = {word: float(effects[code]) for word, code in binned.words[name].items()}
                terms.append(CategoryTerm(name, words, float(effects[WORDS])))
            else:
                edges = tuple(float(edge) for edge in binned.edges[name])
                terms.append(StepTerm(name, edges, tuple(float(effect) for effect in effects), 0.0))
        return AdditiveScore(base, tuple(terms)).centred(table, weight)

    def fit_with_interactions(
        self, table: FeatureTable, retained: Flags, weight: Floats, stopping: Stopping
    ) -> InteractingTrees:
        """Fit with interactions: a measure of what the additive models leave out; has no exact contributions."""
        binned, model = self._grow(table, retained, weight, stopping, interactions=True)
        return InteractingTrees(binned, model)

    def _grow(
        self, table: FeatureTable, retained: Flags, weight: Floats, stopping: Stopping, *, interactions: bool
    ) -> tuple[_Binned, HistGradientBoostingClassifier]:
        binned = _Binned.learn(self.features, table)
        codes = binned.codes(table)
        others = binned.codes(stopping.table)
        # a feature that nobody here has says nothing, and scikit-learn cannot find bins in it
        is_empty = np.isnan(codes).all(axis=0)
        codes[:, is_empty], others[:, is_empty] = 0, 0
        model = HistGradientBoostingClassifier(
            learning_rate=self.learning_rate,
            max_iter=self.max_iter,
            max_leaf_nodes=self.max_leaf_nodes,
            min_samples_leaf=max(20, min(self.min_samples_leaf, len(codes) // 50)),
            l2_regularization=self.l2_regularization,
            categorical_features=binned.is_category,
            interaction_cst=None if interactions else "no_interactions",
            early_stopping=True,
            n_iter_no_change=25,
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
        return binned, model


@dataclass(frozen=True)
class InteractingTrees:
    """Fitted trees with interactions."""

    binned: _Binned
    model: Any

    def score(self, table: FeatureTable) -> Floats:
        """Return the log-odds of a return, shape (rows,)."""
        result: Floats = self.model.decision_function(self.binned.codes(table)).astype(np.float64)
        return result
