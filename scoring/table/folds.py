"""Folds that keep groups together and the label's share equal."""

from __future__ import annotations

import numpy as np

from scoring.table.columns import Flags, Rows


def make_folds(groups: Rows, is_positive: Flags, count: int, random_state: int) -> Rows:
    """Deal groups to folds.

    Parameters
    ----------
    groups : array of int, shape (rows,)
        0 and up.
    is_positive : array of bool, shape (rows,)
    count : int
        Folds.
    random_state : int

    Returns
    -------
    array of int, shape (rows,)
        0 to count - 1. Groups are dealt in turn, largest first, those with mostly the label and the others apart.
    """
    generator = np.random.default_rng(random_state)
    present, member = np.unique(groups, return_inverse=True)
    member = member.reshape(-1)
    size = np.bincount(member)
    is_mostly = np.bincount(member, weights=is_positive) * 2 > size
    fold = np.empty(len(present), dtype=np.intp)
    for flag in (True, False):
        own = generator.permutation(np.flatnonzero(is_mostly == flag))
        own = own[np.argsort(-size[own], kind="stable")]
        # back and forth, so that no fold gets the larger of every round
        turn = np.arange(len(own)) % (2 * count)
        fold[own] = np.where(turn < count, turn, 2 * count - 1 - turn)
    return fold[member]
