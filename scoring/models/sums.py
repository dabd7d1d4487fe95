"""Sums of effects of one and two coded features, and the exact way from trees of at most two features to one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int32]

DIGITS = 9
NOTHING = 1e-9  # log-odds; a pair with no larger joint effect has none


@dataclass(frozen=True)
class Pair:
    """The joint effects of two features: ``effects[code of first, code of second]``, beyond the effects of each."""

    first: int
    second: int
    effects: Floats


@dataclass(frozen=True)
class Sum:
    """``base + sum of singles[i][code i] + sum of pairs[code i, code j]``, in log-odds of the label.

    Parameters
    ----------
    base : float
        Of the average row: every table's mean over the training rows is zero.
    singles : tuple of array
        One a feature, as long as its coding is large.
    pairs : tuple of Pair
    """

    base: float
    singles: tuple[Floats, ...]
    pairs: tuple[Pair, ...] = ()

    def score(self, codes: Codes) -> Floats:
        """Return the score of each row of codes, shape (rows,)."""
        total = np.full(len(codes), self.base)
        for position, effects in enumerate(self.singles):
            total += effects[codes[:, position]]
        for pair in self.pairs:
            total += pair.effects[codes[:, pair.first], codes[:, pair.second]]
        return total


def tabulate(score: Callable[[Codes], Floats], sizes: Sequence[int], pairs: Iterable[tuple[int, int]] = ()) -> Sum:
    """List a model's answers for every code, and for every two codes of the given pairs.

    Parameters
    ----------
    score : callable
        Log-odds of rows of codes; a sum of functions of one feature, or of two where they are among `pairs`.
    sizes : sequence of int
        Number of codes of each feature.
    pairs : iterable of (int, int)
        Features that may act together, the lower number first.

    Returns
    -------
    Sum
        The very same scores. The score is a sum of functions f_i and f_ij. From any row r, f_ij is
        F(a, b) - F(a) - F(b) + F() where F puts a and b into the places i and j of r: exact, whichever r is taken.
    """
    count = len(sizes)
    base = float(score(np.zeros((1, count), dtype=np.int32))[0])
    singles: list[Floats] = []
    for place, size in enumerate(sizes):
        grid = np.zeros((size, count), dtype=np.int32)
        grid[:, place] = np.arange(size)
        singles.append(score(grid) - base)
    partners: dict[int, list[int]] = {}
    for first, second in sorted(pairs):
        partners.setdefault(first, []).append(second)
    found = []
    for first, seconds in partners.items():
        grids = [_grid(sizes, first, second) for second in seconds]
        scores = score(np.concatenate(grids))
        for second, own in zip(seconds, np.split(scores, np.cumsum([len(grid) for grid in grids])[:-1]), strict=True):
            joint = own.reshape(sizes[first], sizes[second]) - base
            joint = joint - singles[first][:, None] - singles[second][None, :]
            if np.abs(joint).max() > NOTHING:
                found.append(Pair(first, second, joint))
    return Sum(base, tuple(singles), tuple(found))


def _grid(sizes: Sequence[int], first: int, second: int) -> Codes:
    """Return a row for every pair of codes of two features, the others at their first code."""
    rows, columns = sizes[first], sizes[second]
    grid = np.zeros((rows * columns, len(sizes)), dtype=np.int32)
    grid[:, first] = np.repeat(np.arange(rows), columns)
    grid[:, second] = np.tile(np.arange(columns), rows)
    return grid


def centred(terms: Sum, codes: Codes, weight: Floats | None = None) -> Sum:
    """Move means into what they are means of, so that every effect speaks of the difference from the average row.

    Parameters
    ----------
    terms : Sum
    codes : array of int, shape (rows, features)
        Whose average.
    weight : array of float, shape (rows,), optional
        How much each row counts; all the same by default.

    Returns
    -------
    Sum
        The same scores, to the rounding of the ninth digit.
    """
    total = max(float(len(codes)) if weight is None else float(weight.sum()), 1e-300)
    shares = [
        np.bincount(codes[:, place], weights=weight, minlength=len(effects)) / total
        for place, effects in enumerate(terms.singles)
    ]
    base = terms.base
    singles = [effects.copy() for effects in terms.singles]
    pairs = []
    for pair in terms.pairs:
        by_first = pair.effects @ shares[pair.second]
        by_second = shares[pair.first] @ pair.effects
        mean = float(by_first @ shares[pair.first])
        effects = np.round(pair.effects - by_first[:, None] - by_second[None, :] + mean, DIGITS)
        singles[pair.first] += by_first - mean
        singles[pair.second] += by_second - mean
        base += mean
        pairs.append(Pair(pair.first, pair.second, effects))
    for place, effects in enumerate(singles):
        mean = float(effects @ shares[place])
        base += mean
        singles[place] = np.round(effects - mean, DIGITS)
    return Sum(round(base, DIGITS), tuple(singles), tuple(pairs))
