"""Rows that are copies of others: equal, shifted by a constant, or different in a cell or two.

A model that meets one of them in training and the other in a test is examined on what it has seen. Folds keep together
what is found here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from scoring.table.columns import Flags, Floats, Rows, Table

Digests = npt.NDArray[np.uint64]
Cells = npt.NDArray[np.int64]
SAMPLE = 400  # rows whose differences to all others are counted, in search of a shift
COMPARISONS = 4_000_000
SHIFT_SHARE = 0.05  # of the sampled rows that must have a partner at the same difference
SHIFTED_COLUMNS = 3  # a difference in fewer columns is a neighbour, not a shift
SCALE = 10_000.0  # differences are compared to four decimals
CHANCE_SHARE = 0.02  # rows that may have a neighbour by chance before neighbours mean nothing
LARGEST_SHARE = 0.1  # of all rows: a group beyond that is a chain of strangers
TWO_CELLS_MOST_ROWS = 200_000
BLANK = np.int64(-(2**62))


@dataclass(frozen=True)
class Copies:
    """What was found.

    Parameters
    ----------
    groups : array of int, shape (rows,)
        Equal for rows that must not be in different folds.
    customers : array of int, shape (rows,)
        Equal for rows that are one customer written several times: equal rows, and rows and what is them with the
        shift added, apart from a cell or two. Customers who only resemble each other are one group and two customers.
    people : int
        Number of groups.
    exact : int
        Rows that repeat an earlier one in every column but ids.
    shifted : int
        Rows that are another one with `shift` added to their numbers, in either direction.
    shift : mapping of str to float
        By column; empty when there is none.
    twins : int
        How many customers fewer there are when those who differ in at most `distance` cells are one.
    distance : int
        Cells; -1 where even equal rows are to be expected by chance.
    twins_agree : float
        Share of rows in groups of several whose label is that of their group's majority.
    """

    groups: Rows
    customers: Rows
    people: int
    exact: int
    shifted: int
    shift: Mapping[str, float]
    twins: int
    distance: int
    twins_agree: float

    @property
    def is_any(self) -> bool:
        """Tell whether any row has a copy or a twin."""
        return self.people < len(self.groups)

    @property
    def copies(self) -> int:
        """Rows beyond one a group."""
        return len(self.groups) - self.people


def find_copies(table: Table, is_positive: Flags, random_state: int, repeated_ids: Rows | None = None) -> Copies:
    """Look for copies of all kinds.

    Parameters
    ----------
    table : Table
        Every column but ids and label, spellings that may mean the same merged.
    is_positive : array of bool, shape (rows,)
    random_state : int
    repeated_ids : array of int, shape (rows,), optional
        Rows of one id belong together in any case.

    Returns
    -------
    Copies
    """
    generator = np.random.default_rng(random_state)
    numbers = _whole(list(table.numbers.values()), table.rows)
    words = [np.unique([word or "" for word in values], return_inverse=True)[1] for values in table.words.values()]
    edges: list[tuple[Rows, Rows]] = []
    if repeated_ids is not None:
        edges.append(_neighbours(repeated_ids.astype(np.uint64)))
    shift = _find_shift(numbers, is_positive, generator)
    stacked = _stack(numbers, words, shift)
    distance = _meaningful_distance(stacked[:, : table.rows], generator)
    if shift is not None:
        # a row and itself with the shift added are one
        own = np.arange(table.rows)
        edges.append((own, own + table.rows))
    found, groups, people = -1, *_components(edges, stacked.shape[1], table.rows)
    customers = groups
    for cells in range(distance + 1):
        wider, fewer = _components([*edges, *_within(stacked, cells, generator)], stacked.shape[1], table.rows)
        if np.bincount(wider).max() > max(LARGEST_SHARE * table.rows, 20):
            break
        found, groups, people = cells, wider, fewer
        customers = groups if cells == 0 else customers
    if shift is not None and found > 0:
        pairs = [*_within(stacked, 0, generator), _shifted_pairs(stacked, found, generator)]
        customers, _ = _components([*edges, *pairs], stacked.shape[1], table.rows)
    exact = len(_neighbours(_digests(stacked, generator)[: table.rows])[0]) if found >= 0 else 0
    shifted = 0 if shift is None else _shifted_rows(numbers, shift)
    several = np.bincount(groups)[groups] > 1
    return Copies(
        groups,
        customers,
        people,
        exact,
        shifted,
        {} if shift is None else _named(shift, list(table.numbers)),
        len(np.unique(customers)) - people,
        found,
        _agreement(groups, is_positive, several),
    )


def _whole(values: Sequence[Floats], rows: int) -> Cells:
    """Return numbers in ten-thousandths, shape (columns, rows), so that they and their differences are exact."""
    if not values:
        return np.zeros((0, rows), dtype=np.int64)
    stacked = np.clip(np.vstack(values) * SCALE, -(2.0**60), 2.0**60)
    return np.where(np.isnan(stacked), BLANK, np.rint(np.nan_to_num(stacked)).astype(np.int64))


def _find_shift(numbers: Cells, is_positive: Flags, generator: np.random.Generator) -> Cells | None:
    """Return the constant difference that many pairs of rows of the same label have, None when there is none.

    A difference counts when it joins far more rows than it does after every column has been shuffled on its own.
    """
    columns, rows = numbers.shape
    if columns < SHIFTED_COLUMNS or rows < 40:
        return None
    size = max(20, min(SAMPLE, rows, COMPARISONS // rows))
    sample = generator.choice(rows, size, replace=False)
    factors: Cells = np.array(generator.integers(1, 2**62, columns, dtype=np.int64), dtype=np.int64) * 2 + 1
    shuffled = np.vstack([generator.permutation(column) for column in numbers])
    seen, where = _common_difference(numbers, is_positive, sample, factors)
    by_chance, _ = _common_difference(shuffled, is_positive, sample, factors)
    if where is None or seen < max(SHIFT_SHARE * size, 5, 5 * by_chance):
        return None
    one, other = where
    difference = numbers[:, other] - numbers[:, one]
    blank = (numbers[:, one] == BLANK) | (numbers[:, other] == BLANK)
    if blank.any():
        return None
    return difference


def _common_difference(
    numbers: Cells, is_positive: Flags, sample: Rows, factors: Cells
) -> tuple[int, tuple[int, int] | None]:
    """Return how many sampled rows have a partner at the most common difference, and one such pair."""
    counts: dict[int, int] = {}
    example: dict[int, tuple[int, int]] = {}
    for row in sample:
        same = np.flatnonzero(is_positive == is_positive[row])
        own = numbers[:, row][:, None]
        theirs = numbers[:, same]
        difference = theirs - own
        both_blank = (theirs == BLANK) & (own == BLANK)
        one_blank = ((theirs == BLANK) != (own == BLANK)).any(axis=0)
        difference[both_blank] = 0
        usable = ~one_blank & ((difference != 0).sum(axis=0) >= SHIFTED_COLUMNS)
        with np.errstate(over="ignore"):
            digest = (difference * factors[:, None]).sum(axis=0)
        keys, first = np.unique(digest[usable], return_index=True)
        partners = same[usable][first]
        is_whole = ~(own == BLANK).any()
        for key, partner in zip(keys.tolist(), partners.tolist(), strict=True):
            counts[key] = counts.get(key, 0) + 1
            if is_whole and key not in example:
                example[key] = (int(row), partner)
    best = max((key for key in counts if key in example), key=lambda key: (counts[key], key), default=None)
    return (0, None) if best is None else (counts[best], example[best])


def _shifted_rows(numbers: Cells, shift: Cells) -> int:
    """Return how many rows have a partner at the shift."""
    moved = np.where(numbers == BLANK, BLANK, numbers + shift[:, None])
    both = np.hstack([numbers, moved])
    _, inverse = np.unique(both, axis=1, return_inverse=True)
    inverse = inverse.reshape(-1)
    rows = numbers.shape[1]
    plain, ahead = inverse[:rows], inverse[rows:]
    is_copy, is_source = np.isin(plain, ahead), np.isin(ahead, plain)
    return int((is_copy | is_source).sum())


def _stack(numbers: Cells, words: Sequence[Rows], shift: Cells | None) -> Cells:
    """Return all cells as codes, shape (columns, rows), with a shift (columns, 2 rows): rows, then rows moved by it."""
    moved = [] if shift is None else [np.where(numbers == BLANK, BLANK, numbers + shift[:, None])]
    codes = [
        np.unique(np.concatenate(parts), return_inverse=True)[1].reshape(-1)
        for parts in zip(numbers, *moved, strict=True)
    ]
    codes += [np.concatenate([column] * (1 + len(moved))) for column in words]
    rows = numbers.shape[1] * (1 + len(moved))
    return np.vstack(codes).astype(np.int64) if codes else np.zeros((0, rows), dtype=np.int64)


def _shifted_pairs(cells: Cells, distance: int, generator: np.random.Generator) -> tuple[Rows, Rows]:
    """Return rows and what, moved, they equal but for at most `distance` cells: one partner a row, the closest.

    A row that resembles several moved ones is one of them only: it would join customers who are not the same.
    """
    rows = cells.shape[1] // 2
    words = _random_words(cells, generator)
    total = words.sum(axis=0, dtype=np.uint64)
    is_paired = np.isin(total[:rows], total[rows:]) | np.isin(total[rows:], total[:rows])
    plain: list[int] = []
    moved: list[int] = []
    for covered in (which for count in range(1, distance + 1) for which in combinations(range(len(cells)), count)):
        alone = np.flatnonzero(~is_paired)
        digests = total - words[list(covered)].sum(axis=0, dtype=np.uint64)
        order = np.argsort(digests[alone + rows], kind="stable")
        ahead = digests[alone + rows][order]
        place = np.minimum(np.searchsorted(ahead, digests[alone]), len(alone) - 1)
        found = np.flatnonzero(ahead[place] == digests[alone])
        for row, partner in zip(alone[found].tolist(), alone[order[place[found]]].tolist(), strict=True):
            if partner != row and not is_paired[row] and not is_paired[partner]:
                plain.append(row)
                moved.append(partner + rows)
                is_paired[[row, partner]] = True
    return np.array(plain, dtype=np.intp), np.array(moved, dtype=np.intp)


def _random_words(cells: Cells, generator: np.random.Generator) -> Digests:
    """Return a random number for each different cell of each column, shape as `cells`: sums of them tell rows apart."""
    found = np.empty(cells.shape, dtype=np.uint64)
    for place, column in enumerate(cells):
        found[place] = generator.integers(0, 2**64, int(column.max()) + 1, dtype=np.uint64)[column]
    return found


def _digests(cells: Cells, generator: np.random.Generator) -> Digests:
    total: Digests = _random_words(cells, generator).sum(axis=0, dtype=np.uint64)
    return total


def _within(cells: Cells, distance: int, generator: np.random.Generator) -> list[tuple[Rows, Rows]]:
    """Return pairs of rows that differ in at most `distance` cells, enough of them to join each such group.

    Rows that agree when one or two columns are covered up have the same sum of the others.
    """
    if not len(cells):
        return []
    words = _random_words(cells, generator)
    total = words.sum(axis=0, dtype=np.uint64)
    distance = min(distance, len(cells) - 1)
    return [
        _neighbours(total - words[list(covered)].sum(axis=0, dtype=np.uint64))
        for covered in combinations(range(len(cells)), distance)
    ]


def _neighbours(digests: Digests) -> tuple[Rows, Rows]:
    """Return pairs of rows with equal digests: each with the next of its group."""
    order = np.argsort(digests, kind="stable")
    same = np.flatnonzero(digests[order][1:] == digests[order][:-1])
    return order[same], order[same + 1]


def _meaningful_distance(cells: Cells, generator: np.random.Generator) -> int:
    """Return the largest number of cells, up to two, in which rows seldom agree by chance; -1 when equal rows do."""
    columns, rows = cells.shape
    if columns < 2:
        return -1
    shuffled = np.vstack([generator.permutation(column) for column in cells])
    most = min(2 if rows <= TWO_CELLS_MOST_ROWS else 1, columns - 1)
    for distance in range(most, -1, -1):
        hit = np.zeros(rows, dtype=bool)
        for first, second in _within(shuffled, distance, generator):
            hit[first] = hit[second] = True
        if hit.mean() <= CHANCE_SHARE:
            return distance
    return -1


def _components(edges: Sequence[tuple[Rows, Rows]], nodes: int, rows: int) -> tuple[Rows, int]:
    first = np.concatenate([pair[0] for pair in edges]) if edges else np.zeros(0, dtype=np.intp)
    second = np.concatenate([pair[1] for pair in edges]) if edges else np.zeros(0, dtype=np.intp)
    graph = coo_matrix((np.ones(len(first), dtype=np.int8), (first, second)), shape=(nodes, nodes))
    _, labels = connected_components(graph, directed=False)
    people, groups = np.unique(labels[:rows], return_inverse=True)
    return groups.reshape(-1).astype(np.intp), len(people)


def _named(shift: Cells, names: Sequence[str]) -> dict[str, float]:
    # a shift and its opposite are the same copies: told as what is added
    sign = 1 if (shift > 0).sum() >= (shift < 0).sum() else -1
    return {name: sign * float(step) / SCALE for name, step in zip(names, shift, strict=True) if step}


def _agreement(groups: Rows, is_positive: Flags, several: Flags) -> float:
    if not several.any():
        return float("nan")
    size = np.bincount(groups)
    positives = np.bincount(groups, weights=is_positive)
    majority = np.maximum(positives, size - positives)
    return float(majority[size > 1].sum() / size[size > 1].sum())
