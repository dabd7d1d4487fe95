"""What each value of each feature adds to the risk, for a table and a chart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scoring.explain import phrases
from scoring.features import BY_NAME, FeatureTable, Floats, members, topic_of
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
    table = model.prepared(table)
    contributions = {name: -values for name, values in model.contributions(table).items()}
    ranked = sorted(contributions, key=lambda name: (-float(np.abs(contributions[name]).mean()), name))
    for name in ranked:
        importance = float(np.abs(contributions[name]).mean())
        groups = _groups(table, name)
        for position, (label, number, member) in enumerate(groups, start=1):
            effects.append(
                Effect(
                    feature=name,
                    topic=topic_of(name),
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


def _groups(table: FeatureTable, name: str) -> Groups:
    alone = [
        _word_groups(table, member) if member in table.categories else _number_groups(table, member)
        for member in members(name)
    ]
    if len(alone) == 1:
        return alone[0]
    # of two that act together, the combinations that most customers have
    place = [np.zeros(table.rows, dtype=np.int64) for _ in alone]
    for own, groups in zip(place, alone, strict=True):
        for number, (_, _, member) in enumerate(groups):
            own[member] = number
    both = place[0] * len(alone[1]) + place[1]
    counts = np.bincount(both, minlength=len(alone[0]) * len(alone[1]))
    ranked = [int(code) for code in np.argsort(-counts, kind="stable") if counts[code]]
    found: Groups = []
    for code in ranked[:TOP_WORDS]:
        first, second = divmod(code, len(alone[1]))
        label = f"{alone[0][first][0]}, together with {alone[1][second][0]}"
        found.append((label, float("nan"), np.flatnonzero(both == code)))
    rest = np.flatnonzero(np.isin(both, ranked[TOP_WORDS:]))
    return [*found, ("all others", float("nan"), rest)] if len(rest) else found


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
