"""A score that is a sum of functions of one feature, or of two: what every shippable model is reduced to.

The sum makes explanations exact: a customer's contributions are the terms themselves. It also makes one representation
serve everyone, from five million customers at once to a single one, and lets a model be stored as plain numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from scoring.features import RHYTHM, TOGETHER, Category, Codes, FeatureTable, Floats, members
from scoring.models.rhythm import HISTORY, Rhythm


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


@dataclass(frozen=True)
class CurveTerm:
    """Straight lines between knots, and on beyond the outer two; of log(1 + value) or of the value."""

    feature: str
    log: bool
    knots: tuple[float, ...]
    effects: tuple[float, ...]
    slope_before: float
    slope_after: float
    missing: float

    def effect(self, table: FeatureTable) -> Floats:
        """Return the term of each row."""
        values = table.numbers[self.feature]
        place = np.nan_to_num(np.log1p(np.maximum(values, 0.0)) if self.log else values)
        before, after = np.maximum(self.knots[0] - place, 0.0), np.maximum(place - self.knots[-1], 0.0)
        inner = np.interp(place, self.knots, self.effects)
        curve = inner - self.slope_before * before + self.slope_after * after
        result: Floats = np.where(np.isnan(values), self.missing, curve)
        return result

    def to_dict(self) -> dict[str, Any]:
        """Return the state as plain values."""
        return {"kind": "curve", **self.__dict__}


@dataclass(frozen=True)
class Axis:
    """The codes of one feature of a pair: of intervals cut by sorted `edges`, or of `words`; the last one is the rest.

    A number belongs to the interval whose upper edge is the first not below it, and a missing one to the rest.
    """

    feature: str
    edges: tuple[float, ...] | None
    words: tuple[str, ...] | None

    @property
    def size(self) -> int:
        """Number of codes."""
        return len(self.words) + 1 if self.words is not None else len(self.edges or ()) + 2

    def codes(self, table: FeatureTable) -> Codes:
        """Return the code of each row."""
        rest = self.size - 1
        if self.words is not None:
            places = {word: float(code) for code, word in enumerate(self.words)}
            return table.categories[self.feature].lookup(places, float(rest)).astype(np.int32)
        values = table.numbers[self.feature]
        found = np.searchsorted(np.array(self.edges), np.nan_to_num(values), side="left")
        result: Codes = np.where(np.isnan(values), rest, found).astype(np.int32)
        return result

    def to_dict(self) -> dict[str, Any]:
        """Return the state as plain values."""
        return {"feature": self.feature, "edges": self.edges, "words": self.words}

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> Axis:
        """Restore what :meth:`to_dict` gave."""
        edges, words = state["edges"], state["words"]
        return cls(state["feature"], None if edges is None else _floats(edges), None if words is None else tuple(words))


@dataclass(frozen=True)
class PairTerm:
    """What two features add together, beyond what each adds alone: ``effects[code of first][code of second]``."""

    first: Axis
    second: Axis
    effects: tuple[tuple[float, ...], ...]

    @property
    def feature(self) -> str:
        """Both names."""
        return f"{self.first.feature}{TOGETHER}{self.second.feature}"

    def effect(self, table: FeatureTable) -> Floats:
        """Return the term of each row."""
        result: Floats = np.array(self.effects)[self.first.codes(table), self.second.codes(table)]
        return result

    def to_dict(self) -> dict[str, Any]:
        """Return the state as plain values."""
        return {
            "kind": "pair",
            "first": self.first.to_dict(),
            "second": self.second.to_dict(),
            "effects": self.effects,
        }


Term = LinearTerm | StepTerm | CategoryTerm | CurveTerm | PairTerm
_KINDS: dict[str, type[LinearTerm] | type[StepTerm] | type[CategoryTerm] | type[CurveTerm]] = {
    "linear": LinearTerm,
    "step": StepTerm,
    "category": CategoryTerm,
    "curve": CurveTerm,
}


@dataclass(frozen=True)
class AdditiveScore:
    """Log-odds of a return: `base` plus the terms. Terms are centred: the base is the average customer's.

    Parameters
    ----------
    base : float
    terms : tuple of Term
    rhythm : Rhythm, optional
        Where a term reads what the customer's rhythm alone says.
    """

    base: float
    terms: tuple[Term, ...]
    rhythm: Rhythm | None = None

    @property
    def features(self) -> tuple[str, ...]:
        """Columns that are read, each once, in the order of the terms."""
        read = [column for name in self._named() for column in (HISTORY if name == RHYTHM.name else (name,))]
        return tuple(dict.fromkeys(read))

    def _named(self) -> list[str]:
        return [name for term in self.terms for name in members(term.feature)]

    def prepared(self, table: FeatureTable) -> FeatureTable:
        """Return the table with what the terms read besides its columns."""
        # a fit may have had no use for the rhythm, and then nobody brings the columns it is worked out from
        return self.rhythm.add_to(table) if self.rhythm and RHYTHM.name in self._named() else table

    def score(self, table: FeatureTable) -> Floats:
        """Return the log-odds of a return, shape (rows,)."""
        total = np.full(table.rows, self.base)
        ready = self.prepared(table)
        for term in self.terms:
            total += term.effect(ready)
        return total

    def contributions(self, table: FeatureTable) -> dict[str, Floats]:
        """Return the share of the score of each feature, and of each two: ``base + sum(contributions) == score``."""
        result: dict[str, Floats] = {}
        ready = self.prepared(table)
        for term in self.terms:
            effect = term.effect(ready)
            result[term.feature] = result[term.feature] + effect if term.feature in result else effect
        return result

    def centred(self, table: FeatureTable, weight: Floats) -> AdditiveScore:
        """Move each term's weighted mean over `table` into the base, so that terms speak of difference from average."""
        base = self.base
        terms: list[Term] = []
        ready = self.prepared(table)
        for term in self.terms:
            mean = float(np.average(term.effect(ready), weights=weight))
            base += mean
            terms.append(_shifted(term, mean))
        return AdditiveScore(base, tuple(terms), self.rhythm)

    def to_dict(self) -> dict[str, Any]:
        """Return the state as plain values, for storage."""
        return {
            "base": self.base,
            "terms": [term.to_dict() for term in self.terms],
            "rhythm": self.rhythm.to_dict() if self.rhythm else None,
        }

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> AdditiveScore:
        """Restore what :meth:`to_dict` gave."""
        rhythm = state["rhythm"]
        terms = tuple(_restore(term) for term in state["terms"])
        return cls(float(state["base"]), terms, Rhythm.from_dict(rhythm) if rhythm else None)


def mean_of(scores: Sequence[AdditiveScore]) -> AdditiveScore:
    """Return the mean of several scores of one rhythm, term by term: a sum of terms itself."""
    share = 1.0 / len(scores)
    terms = [_scaled(term, share) for score in scores for term in score.terms]
    return AdditiveScore(share * sum(score.base for score in scores), tuple(terms), scores[0].rhythm)


def _scaled(term: Term, share: float) -> Term:
    if isinstance(term, LinearTerm):
        return replace(term, weight=share * term.weight, offset=share * term.offset, missing=share * term.missing)
    if isinstance(term, StepTerm):
        return replace(term, effects=_times(share, term.effects), missing=share * term.missing)
    if isinstance(term, CurveTerm):
        return replace(
            term,
            effects=_times(share, term.effects),
            slope_before=share * term.slope_before,
            slope_after=share * term.slope_after,
            missing=share * term.missing,
        )
    if isinstance(term, PairTerm):
        return replace(term, effects=tuple(_times(share, row) for row in term.effects))
    effects = {word: share * value for word, value in term.effects.items()}
    return CategoryTerm(term.feature, effects, share * term.other)


def _times(share: float, values: Sequence[float]) -> tuple[float, ...]:
    return tuple(share * value for value in values)


def _shifted(term: Term, mean: float) -> Term:
    if isinstance(term, LinearTerm):
        return replace(term, offset=term.offset - mean, missing=term.missing - mean)
    if isinstance(term, (StepTerm, CurveTerm)):
        return replace(term, effects=tuple(value - mean for value in term.effects), missing=term.missing - mean)
    if isinstance(term, PairTerm):
        return replace(term, effects=tuple(tuple(value - mean for value in row) for row in term.effects))
    return CategoryTerm(term.feature, {word: value - mean for word, value in term.effects.items()}, term.other - mean)


def _restore(state: Mapping[str, Any]) -> Term:
    if state["kind"] == "pair":
        effects = tuple(_floats(row) for row in state["effects"])
        return PairTerm(Axis.from_dict(state["first"]), Axis.from_dict(state["second"]), effects)
    values = {key: value for key, value in state.items() if key != "kind"}
    kind = _KINDS[state["kind"]]
    for name in ("edges", "knots", "effects"):
        if isinstance(values.get(name), list):
            values[name] = _floats(values[name])
    return kind(**values)


def _floats(values: Sequence[float]) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
