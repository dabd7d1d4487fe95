"""What each value of each feature adds to the risk, for a table and a chart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scoring.explain import phrases
from scoring.features import BY_NAME, FeatureTable, Floats
from scoring.models.additive import AdditiveScore

FEW_VALUES = 12  # a number with no more different values is shown value by value, others by tenths
TOP_WORDS = 15


@dataclass(frozen=True)
class Effect:
    """Customers with similar values of one feature."""

    feature: str
    topic: str
    label: str
    number: float
    position: int
    effect: float
    share: float
    importance: float


def feature_effects(model: AdditiveScore, table: FeatureTable) -> list[Effect]:
    """Average the model's terms over groups of values.

    Parameters
    ----------
    model : AdditiveScore
        Log-odds of a return.
    table : FeatureTable
        The scored customers, or a sample of them.

    Returns
    -------
    list of Effect
        On the log-odds of *churn*, the most important feature first.
    """
    effects: list[Effect] = []
    contributions = {name: -values for name, values in model.contributions(table).items()}
    ranked = sorted(contributions, key=lambda name: (-float(np.abs(contributions[name]).mean()), name))
    for name in ranked:
        importance = float(np.abs(contributions[name]).mean())
        groups = _word_groups(table, name) if name in table.categories else _number_groups(table, name)
        for position, (label, number, member) in enumerate(groups, start=1):
            effects.append(
                Effect(
                    feature=name,
                    topic=BY_NAME[name].topic,
                    label=label,
                    number=number,
                    position=position,
                    effect=float(contributions[name][member].mean()),
                    share=len(member) / table.rows,
                    importance=importance,
                )
            )
    return effects


Groups = list[tuple[str, float, np.ndarray]]


def _word_groups(table: FeatureTable, name: str) -> Groups:
    column = table.categories[name]
    counts = np.bincount(column.codes, minlength=len(column.words))
    ranked = sorted((code for code in range(len(counts)) if counts[code]), key=lambda c: (-counts[c], column.words[c]))
    groups: Groups = [
        (column.words[code].replace("_", " "), float("nan"), np.flatnonzero(column.codes == code))
        for code in ranked[:TOP_WORDS]
    ]
    rest = np.flatnonzero(np.isin(column.codes, ranked[TOP_WORDS:]))
    return [*groups, ("all others", float("nan"), rest)] if len(rest) else groups


def _number_groups(table: FeatureTable, name: str) -> Groups:
    values: Floats = table.numbers[name]
    known = np.flatnonzero(~np.isnan(values))
    missing = np.flatnonzero(np.isnan(values))
    groups: Groups = []
    if len(known):
        levels = np.unique(values[known])
        if len(levels) <= FEW_VALUES:
            for level in levels:
                member = known[values[known] == level]
                groups.append((str(phrases(BY_NAME[name], table, member[:1])[0]), float(level), member))
        else:
            edges = np.unique(np.quantile(values[known], np.linspace(0, 1, 11), method="lower"))
            place = np.clip(np.searchsorted(edges, values[known], side="right") - 1, 0, max(len(edges) - 2, 0))
            for step in np.unique(place):
                member = known[place == step]
                low, high = float(values[member].min()), float(values[member].max())
                groups.append((f"{_short(name, low)} to {_short(name, high)}", low, member))
    if len(missing):
        groups.append((str(phrases(BY_NAME[name], table, missing[:1])[0]), float("nan"), missing))
    return groups


def _short(name: str, value: float) -> str:
    if BY_NAME[name].decimals == -2:
        return f"{value:.0%}"
    return f"{value:,.{BY_NAME[name].decimals}f}"
