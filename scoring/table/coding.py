"""From a value to a small whole number: intervals of numbers, words by frequency, a code of their own for blanks."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from scoring.table.columns import Codes, Floats, Table, Words

INTERVALS = 64
WORDS = 40
Cell = float | str | None


@dataclass(frozen=True)
class Coding:
    """How one feature is coded, and what was seen of it.

    Codes of a number are 0 to len(edges), then one for a blank; of a word 0 to len(words) - 1, then one for every
    other word, then one for a blank.

    Parameters
    ----------
    feature : str
    kind : str
        ``number`` or ``word``.
    edges : tuple of float
        Ascending; each belongs to the interval on its left.
    words : tuple of str
        Most frequent first.
    centres : tuple of float
        Mean value of each interval in training: what a linear model multiplies.
    low, high : float
        Smallest and largest value in training.
    missing_share : float
    is_whole : bool
        Every number in training was whole.
    spellings : mapping of str to str
        Words that stand for another one.
    """

    feature: str
    kind: str
    edges: tuple[float, ...] = ()
    words: tuple[str, ...] = ()
    centres: tuple[float, ...] = ()
    low: float = 0.0
    high: float = 0.0
    missing_share: float = 0.0
    is_whole: bool = False
    spellings: Mapping[str, str] = field(default_factory=dict)
    _places: dict[str, int] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Index the words."""
        self._places.update({word: code for code, word in enumerate(self.words)})
        for spelling, word in self.spellings.items():
            self._places[spelling] = self._places.get(word, len(self.words))

    @property
    def size(self) -> int:
        """Number of different codes."""
        return len(self.edges) + 2 if self.kind == "number" else len(self.words) + 2

    @property
    def blank(self) -> int:
        """Code of a blank."""
        return self.size - 1

    def code_of(self, value: Cell) -> int:
        """Return the code of one value."""
        if value is None:
            return self.blank
        if self.kind == "number":
            return bisect_left(self.edges, value)
        return self._places.get(str(value), len(self.words))

    def knows(self, word: str) -> bool:
        """Tell whether a word was met in training, under this spelling or another."""
        return self._places.get(word, len(self.words)) < len(self.words)

    def codes(self, table: Table) -> Codes:
        """Return the codes of a column, shape (rows,)."""
        if self.kind == "number":
            values = table.numbers[self.feature]
            found = np.searchsorted(np.array(self.edges), np.nan_to_num(values), side="left")
            return np.where(np.isnan(values), self.blank, found).astype(np.int32)
        return np.array([self.code_of(word) for word in table.words[self.feature]], dtype=np.int32)

    def to_dict(self) -> dict[str, Any]:
        """Return the state as plain values."""
        return {
            "feature": self.feature,
            "kind": self.kind,
            "edges": list(self.edges),
            "words": list(self.words),
            "low": self.low,
            "high": self.high,
            "missing_share": self.missing_share,
            "is_whole": self.is_whole,
            "spellings": dict(self.spellings),
        }

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> Coding:
        """Restore what :meth:`to_dict` gave."""
        return cls(
            state["feature"],
            state["kind"],
            tuple(float(edge) for edge in state["edges"]),
            tuple(state["words"]),
            (),
            float(state["low"]),
            float(state["high"]),
            float(state["missing_share"]),
            bool(state["is_whole"]),
            dict(state["spellings"]),
        )


def learn_codings(table: Table, spellings: Mapping[str, Mapping[str, str]] | None = None) -> list[Coding]:
    """Learn the coding of every feature.

    Parameters
    ----------
    table : Table
        Training rows, spellings merged.
    spellings : mapping, optional
        What was merged, so that a model knows the other spellings too.

    Returns
    -------
    list of Coding
        Features without two different values are left out.
    """
    found = [_of_numbers(name, values) for name, values in table.numbers.items()]
    found += [_of_words(name, values, (spellings or {}).get(name, {})) for name, values in table.words.items()]
    return [coding for coding in found if coding is not None]


def code_matrix(codings: Sequence[Coding], table: Table) -> Codes:
    """Return all codes, shape (rows, features)."""
    if not codings:
        return np.zeros((table.rows, 0), dtype=np.int32)
    return np.column_stack([coding.codes(table) for coding in codings])


def _of_numbers(name: str, values: Floats) -> Coding | None:
    known = values[~np.isnan(values)]
    missing = 1.0 - len(known) / max(len(values), 1)
    different = np.unique(known)
    if len(different) + (missing > 0) < 2 or not len(different):
        return None
    if len(different) <= INTERVALS:
        edges = (different[1:] + different[:-1]) / 2
    else:
        levels = np.quantile(known, np.linspace(0, 1, INTERVALS + 1)[1:-1], method="lower")
        edges = np.unique(levels)
    place = np.searchsorted(edges, known, side="left")
    count = np.bincount(place, minlength=len(edges) + 1)
    total = np.bincount(place, weights=known, minlength=len(edges) + 1)
    centres = np.where(count > 0, total / np.maximum(count, 1), float(known.mean()))
    return Coding(
        name,
        "number",
        edges=tuple(float(edge) for edge in edges),
        centres=tuple(float(centre) for centre in centres),
        low=float(known.min()),
        high=float(known.max()),
        missing_share=float(missing),
        is_whole=bool(np.all(known == np.round(known))),
    )


def _of_words(name: str, values: Words, spellings: Mapping[str, str]) -> Coding | None:
    counts = Counter(word for word in values if word is not None)
    missing = 1.0 - sum(counts.values()) / max(len(values), 1)
    if len(counts) + (missing > 0) < 2 or not counts:
        return None
    ranked = sorted(counts, key=lambda word: (-counts[word], word))[:WORDS]
    return Coding(name, "word", words=tuple(ranked), missing_share=float(missing), spellings=dict(spellings))
