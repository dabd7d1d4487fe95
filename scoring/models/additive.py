"""A score that is a sum of one function per feature: what every shippable model is reduced to.

The sum makes explanations exact: a customer's contributions are the terms themselves. It also makes one representation
serve everyone, from five million customers at once to a single one, and lets a model be stored as plain numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from scoring.features import Category, FeatureTable, Floats


@dataclass(frozen=True)
class LinearTerm:
    """``weight * t(value) + offset``, where t is log(1 + value) or the value; `missing` where there is none."""

    feature: str
    log: bool
    weight: float
    offset: float
    missing: float

    def effect(self, table: FeatureTable) -> Floats:
        """Return the term of each row."""
        values = table.numbers[self.feature]
        transformed = np.log1p(np.maximum(values, 0.0)) if self.log else values
        result: Floats = np.where(np.isnan(values), self.missing, self.weight * transformed + self.offset)
        return result

    def to_dict(self) -> dict[str, Any]:
        """Return the state as plain values."""
        return {"kind": "linear", **self.__dict__}


@dataclass(frozen=True)
class StepTerm:
    """``effects[i]`` for values in the i-th interval cut by the sorted `edges` (each edge belongs to the left)."""

    feature: str
    edges: tuple[float, ...]
    effects: tuple[float, ...]
    missing: float

    def effect(self, table: FeatureTable) -> Floats:
        """Return the term of each row."""
        values = table.numbers[self.feature]
        position = np.searchsorted(np.array(self.edges), np.nan_to_num(values), side="left")
        result: Floats = np.where(np.isnan(values), self.missing, np.array(self.effects)[position])
        return result

    def to_dict(self) -> dict[str, Any]:
        """Return the state as plain values."""
        return {"kind": "step", **self.__dict__}


@dataclass(frozen=True)
class CategoryTerm:
    """A number per word; words the model has not met get `other`."""

    feature: str
    effects: Mapping[str, float]
    other: float

    def effect(self, table: FeatureTable) -> Floats:
        """Return the term of each row."""
        column: Category = table.categories[self.feature]
        return column.lookup(self.effects, self.other)

    def to_dict(self) -> dict[str, Any]:
        """Return the state as plain values."""
        return {"kind": "category", **self.__dict__}


Term = LinearTerm | StepTerm | CategoryTerm
_KINDS: dict[str, type[LinearTerm] | type[StepTerm] | type[CategoryTerm]] = {
    "linear": LinearTerm,
    "step": StepTerm,
    "category": CategoryTerm,
}


@dataclass(frozen=True)
class AdditiveScore:
    """Log-odds of a return: `base` plus the terms. Terms are centred: the base is the average customer's."""

    base: float
    terms: tuple[Term, ...]

    @property
    def features(self) -> tuple[str, ...]:
        """Features used, each once, in the order of their terms."""
        return tuple(dict.fromkeys(term.feature for term in self.terms))

    def score(self, table: FeatureTable) -> Floats:
        """Return the log-odds of a return, shape (rows,)."""
        total = np.full(table.rows, self.base)
        for term in self.terms:
            total += term.effect(table)
        return total

    def contributions(self, table: FeatureTable) -> dict[str, Floats]:
        """Return each feature's share of the score: ``base + sum(contributions) == score``."""
        result: dict[str, Floats] = {}
        for term in self.terms:
            effect = term.effect(table)
            result[term.feature] = result[term.feature] + effect if term.feature in result else effect
        return result

    def centred(self, table: FeatureTable, weight: Floats) -> AdditiveScore:
        """Move each term's weighted mean over `table` into the base, so that terms speak of difference from average."""
        base = self.base
        terms: list[Term] = []
        for term in self.terms:
            mean = float(np.average(term.effect(table), weights=weight))
            base += mean
            terms.append(_shifted(term, mean))
        return AdditiveScore(base, tuple(terms))

    def to_dict(self) -> dict[str, Any]:
        """Return the state as plain values, for storage."""
        return {"base": self.base, "terms": [term.to_dict() for term in self.terms]}

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> AdditiveScore:
        """Restore what :meth:`to_dict` gave."""
        return cls(float(state["base"]), tuple(_restore(term) for term in state["terms"]))


def _shifted(term: Term, mean: float) -> Term:
    if isinstance(term, LinearTerm):
        return LinearTerm(term.feature, term.log, term.weight, term.offset - mean, term.missing - mean)
    if isinstance(term, StepTerm):
        return StepTerm(term.feature, term.edges, tuple(value - mean for value in term.effects), term.missing - mean)
    return CategoryTerm(term.feature, {word: value - mean for word, value in term.effects.items()}, term.other - mean)


def _restore(state: Mapping[str, Any]) -> Term:
    values = {key: value for key, value in state.items() if key != "kind"}
    kind = _KINDS[state["kind"]]
    if kind is StepTerm:
        values["edges"], values["effects"] = _floats(values["edges"]), _floats(values["effects"])
    return kind(**values)


def _floats(values: Sequence[float]) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
