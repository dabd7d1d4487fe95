"""A labelled table in memory, column by column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.int32]
Words = npt.NDArray[np.object_]
Rows = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Table:
    """The features of a table.

    Parameters
    ----------
    rows : int
    numbers : mapping of str to array, shape (rows,)
        NaN where blank.
    words : mapping of str to array of str or None, shape (rows,)
        None where blank.
    """

    rows: int
    numbers: Mapping[str, Floats]
    words: Mapping[str, Words]

    @property
    def names(self) -> list[str]:
        """Names of all features: numbers first."""
        return [*self.numbers, *self.words]

    def take(self, rows: Rows) -> Table:
        """Return the chosen rows."""
        return Table(
            len(rows),
            {name: values[rows] for name, values in self.numbers.items()},
            {name: values[rows] for name, values in self.words.items()},
        )

    def only(self, names: Sequence[str]) -> Table:
        """Return the chosen features."""
        return Table(
            self.rows,
            {name: values for name, values in self.numbers.items() if name in names},
            {name: values for name, values in self.words.items() if name in names},
        )

    def merged(self, spellings: Mapping[str, Mapping[str, str]]) -> Table:
        """Return the table with spellings replaced: feature, then spelling to the word it stands for."""
        words = dict(self.words)
        for name, mapping in spellings.items():
            if name in words:
                words[name] = np.array([mapping.get(word, word) for word in words[name]], dtype=object)
        return Table(self.rows, self.numbers, words)

    def blanks(self, name: str) -> Flags:
        """Tell where a feature is blank."""
        if name in self.numbers:
            found: Flags = np.isnan(self.numbers[name])
            return found
        return np.array([word is None for word in self.words[name]], dtype=bool)
