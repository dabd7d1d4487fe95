"""Forecasts of several horizons of the same people, made to agree: more days never bring less."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from scoring.features import Floats
from scoring.shipped import MONEY_DIGITS, Scores, ShippedModel


def in_turn(horizons: Sequence[int], first: int) -> list[tuple[int, int]]:
    """Return each other horizon after the one that it must agree with: outwards from the first.

    Returns
    -------
    list of (int, int)
        Horizon, and its neighbour on the way back to the first.
    """
    longer = [first, *sorted(one for one in horizons if one > first)]
    shorter = [first, *sorted((one for one in horizons if one < first), reverse=True)]
    return [(one, neighbour) for chain in (longer, shorter) for neighbour, one in pairwise(chain)]


def agree(values: Mapping[int, Floats], first: int) -> dict[int, Floats]:
    """Make values grow with the horizon.

    Parameters
    ----------
    values : mapping of int to array, shape (n,)
        By horizon, of the same people.
    first : int
        The horizon whose values stay as they are.

    Returns
    -------
    dict of int to array
        A longer horizon's values are at least those of the next shorter one, a shorter one's at most those of the next
        longer one.
    """
    found = {first: values[first]}
    for horizon, neighbour in in_turn(list(values), first):
        bound = np.maximum if horizon > neighbour else np.minimum
        found[horizon] = bound(values[horizon], found[neighbour])
    return found


def agreeing_scores(scores: Mapping[int, Scores], models: Mapping[int, ShippedModel], first: int) -> dict[int, Scores]:
    """Make the scores of the same people agree: returns, orders and revenue grow with the horizon.

    The score and its reasons are the model's own; what is drawn to a neighbour is what it comes to.
    """
    staying = agree({horizon: -one.churn_probability for horizon, one in scores.items()}, first)
    orders = agree({horizon: one.expected_orders for horizon, one in scores.items()}, first)
    revenue = agree({horizon: one.expected_revenue for horizon, one in scores.items()}, first)
    usual = agree({horizon: one.usual_revenue for horizon, one in scores.items()}, first)
    found = {first: scores[first]}
    for horizon, one in scores.items():
        if horizon != first:
            churn = -staying[horizon]
            found[horizon] = replace(
                one,
                churn_probability=churn,
                churn_band=models[horizon].band(churn),
                expected_orders=orders[horizon],
                expected_revenue=revenue[horizon],
                usual_revenue=usual[horizon],
                value_at_risk=(usual[horizon] - revenue[horizon]).clip(min=0.0).round(MONEY_DIGITS),
            )
    return found
