"""The model of a labelled table as plain numbers: a base, a table of effects a feature, a table a pair of features.

Its score is their sum, so that the reasons of a score are its own terms and nothing is approximated.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from scoring.calibration import Calibration
from scoring.models.sums import Pair, Sum
from scoring.stored import digest_of, read_state
from scoring.table.coding import Cell, Coding
from scoring.table.columns import Floats

REASONS = 5
NEGLIGIBLE = 1e-6  # log-odds; nothing that small is a reason
PROBABILITY_DIGITS = 6
FORMAT = 1


@dataclass(frozen=True)
class Reason:
    """A term of a score.

    Parameters
    ----------
    features : tuple of str
        One, or two that act together.
    values : tuple
        What the row holds there.
    contribution : float
        To the log-odds of the label.
    share : float
        Of the sum of all absolute contributions.
    """

    features: tuple[str, ...]
    values: tuple[Cell, ...]
    contribution: float
    share: float


@dataclass(frozen=True)
class Answer:
    """The score of one row: ``base_score + sum of contributions + other == score``."""

    probability: float
    is_positive: bool
    score: float
    base_score: float
    reasons: tuple[Reason, ...]
    other: float


@dataclass(frozen=True)
class TableModel:
    """Everything that is needed to score a row, and to say what the model is.

    Parameters
    ----------
    name, label, positive : str
        The model's name, the column it learned, and the value of it whose probability it gives.
    codings : tuple of Coding
    terms : Sum
    calibration : Calibration
    threshold : float
        Probability from which a row is decided to be positive.
    facts : mapping
        What the card tells: kind of model, rows, figures.
    """

    name: str
    label: str
    positive: str
    codings: tuple[Coding, ...]
    terms: Sum
    calibration: Calibration
    threshold: float
    facts: Mapping[str, Any]
    _kept: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Keep the effects as lists too: one row is scored faster without arrays."""
        self._kept["singles"] = [effects.tolist() for effects in self.terms.singles]
        self._kept["pairs"] = [(pair.first, pair.second, pair.effects.tolist()) for pair in self.terms.pairs]

    @property
    def features(self) -> list[str]:
        """Names of the features it uses."""
        return [coding.feature for coding in self.codings]

    def answer(self, row: Mapping[str, Cell]) -> Answer:
        """Score one row.

        Parameters
        ----------
        row : mapping of str to float, str or None
            By feature; one that is not there is blank.
        """
        values = [row.get(coding.feature) for coding in self.codings]
        codes = [coding.code_of(value) for coding, value in zip(self.codings, values, strict=True)]
        return self._told(values, codes)

    def answers(self, rows: Sequence[Mapping[str, Cell]]) -> list[Answer]:
        """Score many rows, in their order; the same answers as one at a time."""
        if not rows:
            return []
        values = [[row.get(coding.feature) for coding in self.codings] for row in rows]
        codes = [[coding.code_of(cell) for coding, cell in zip(self.codings, row, strict=True)] for row in values]
        matrix = np.array(codes, dtype=np.int32).reshape(len(rows), len(self.codings))
        parts = [effects[matrix[:, position]] for position, effects in enumerate(self.terms.singles)]
        parts += [pair.effects[matrix[:, pair.first], matrix[:, pair.second]] for pair in self.terms.pairs]
        if not parts:
            return [self._told(one, code) for one, code in zip(values, codes, strict=True)]
        contributions = np.column_stack(parts)
        order = np.argsort(-np.abs(contributions), axis=1, kind="stable")[:, :REASONS]
        weights, scores = np.zeros(len(rows)), np.full(len(rows), self.terms.base)
        for part in parts:  # in the order of one row, so that the last bits agree
            weights += np.abs(part)
            scores += part
        probabilities = self.probability(scores)
        largest = np.take_along_axis(contributions, order, axis=1)
        return [
            self._answer(*one)
            for one in zip(
                values,
                map(zip, order.tolist(), largest.tolist()),
                weights.tolist(),
                scores.tolist(),
                probabilities.tolist(),
                strict=True,
            )
        ]

    def probability(self, scores: Floats) -> Floats:
        """Return calibrated probabilities of the label, shape as `scores`."""
        result: Floats = np.round(self.calibration.probability(scores), PROBABILITY_DIGITS)
        return result

    def _told(self, values: Sequence[Cell], codes: Sequence[int]) -> Answer:
        contributions = [effects[code] for effects, code in zip(self._kept["singles"], codes, strict=True)]
        contributions += [effects[codes[first]][codes[second]] for first, second, effects in self._kept["pairs"]]
        score = self.terms.base
        for amount in contributions:
            score += amount
        order = sorted(range(len(contributions)), key=lambda place: -abs(contributions[place]))[:REASONS]
        weight = sum(abs(amount) for amount in contributions)
        probability = float(self.probability(np.array([score]))[0])
        largest = [(place, contributions[place]) for place in order]
        return self._answer(values, largest, weight, score, probability)

    def _answer(
        self,
        values: Sequence[Cell],
        largest: Iterable[tuple[int, float]],
        weight: float,
        score: float,
        probability: float,
    ) -> Answer:
        reasons = []
        told = 0.0
        for place, amount in largest:
            if abs(amount) < NEGLIGIBLE:
                break
            members = self._members(place)
            reasons.append(
                Reason(
                    tuple(self.codings[member].feature for member in members),
                    tuple(values[member] for member in members),
                    amount,
                    abs(amount) / weight,
                )
            )
            told += amount
        return Answer(
            probability,
            probability >= self.threshold,
            score,
            self.terms.base,
            tuple(reasons),
            score - self.terms.base - told,
        )

    def _members(self, place: int) -> tuple[int, ...]:
        singles = len(self.terms.singles)
        if place < singles:
            return (place,)
        pair = self.terms.pairs[place - singles]
        return pair.first, pair.second

    @property
    def version(self) -> str:
        """Name and a digest of everything in the model: the same table gives the same version."""
        if "version" not in self._kept:
            self._kept["version"] = f"{self.name}-{digest_of(self.to_json())}"
        return str(self._kept["version"])

    def to_json(self) -> str:
        """Return the whole model as JSON."""
        state = {
            "format": FORMAT,
            "name": self.name,
            "label": self.label,
            "positive": self.positive,
            "features": [coding.to_dict() for coding in self.codings],
            "base": self.terms.base,
            "singles": [effects.tolist() for effects in self.terms.singles],
            "pairs": [
                {"first": pair.first, "second": pair.second, "effects": pair.effects.tolist()}
                for pair in self.terms.pairs
            ],
            "calibration": self.calibration.to_dict(),
            "threshold": self.threshold,
            "facts": self.facts,
        }
        return json.dumps(state, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> TableModel:
        """Restore what :meth:`to_json` gave.

        Raises
        ------
        ValueError
            The text is no model of this format.
        """
        state = read_state(text, FORMAT, "model")
        codings = tuple(Coding.from_dict(one) for one in state["features"])
        singles = tuple(np.array(effects, dtype=np.float64) for effects in state["singles"])
        pairs = tuple(
            Pair(one["first"], one["second"], np.array(one["effects"], dtype=np.float64)) for one in state["pairs"]
        )
        sizes = [coding.size for coding in codings]
        if [len(effects) for effects in singles] != sizes or any(
            pair.effects.shape != (sizes[pair.first], sizes[pair.second]) for pair in pairs
        ):
            raise ValueError("The effects of this model do not fit its features.")
        return cls(
            state["name"],
            state["label"],
            state["positive"],
            codings,
            Sum(float(state["base"]), singles, pairs),
            Calibration.from_dict(state["calibration"]),
            float(state["threshold"]),
            state["facts"],
        )
