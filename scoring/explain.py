"""Reasons in plain words: a customer's contributions by topic, the strongest three told with their values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from scoring.calibration import expit
from scoring.features import BY_NAME, RHYTHM, TOPICS, Feature, FeatureTable, Floats, members, topic_of

REASONS = 3
RISK_REASONS = 2
RAISES = "raises the risk"
LOWERS = "lowers the risk"
NEGLIGIBLE = 1e-6  # log-odds; nothing that small is a reason

Texts = npt.NDArray[np.object_]


@dataclass(frozen=True)
class Reasons:
    """The strongest reasons of many customers, in columns of length n.

    ``sum(contributions) + other`` is the whole difference between a customer's churn score and the average customer's.
    ``risks`` are the strongest of those that raise the risk, for lists on which every reason must.
    """

    texts: tuple[Texts, ...]
    topics: tuple[Texts, ...]
    contributions: tuple[Floats, ...]
    other: Floats
    risks: tuple[Texts, ...]


def reasons(contributions: Mapping[str, Floats], table: FeatureTable) -> Reasons:
    """Find each customer's three strongest reasons.

    Parameters
    ----------
    contributions : mapping of str to array, shape (n,)
        By feature, or two features that act together, to the log-odds of *churn*: positive raises the risk.
    table : FeatureTable
        The values to tell.

    Returns
    -------
    Reasons
        By topic, strongest first, each told by its topic's most telling feature; None where nothing is left to say.
    """
    count = table.rows
    about = {name: topic_of(name) for name in contributions}
    # what two topics do together is a topic of its own, told after theirs where it is as strong
    met = dict.fromkeys(about.values())
    topics = [topic for topic in TOPICS if topic in met] + sorted(topic for topic in met if topic not in TOPICS)
    parts = {topic: [name for name, own in about.items() if own == topic] for topic in topics}
    if not topics:
        nothing, zero = np.full(count, None, dtype=object), np.zeros(count)
        return Reasons((nothing,) * REASONS, (nothing,) * REASONS, (zero,) * REASONS, zero, (nothing,) * RISK_REASONS)
    by_topic = np.column_stack([sum(contributions[name] for name in parts[topic]) for topic in topics])

    def told(rank: int, order: npt.NDArray[np.intp], lowest: float) -> tuple[Texts, Texts, Floats]:
        """Tell the topics at a rank of `order`; those that add less than `lowest` say nothing."""
        text, topic_name = np.full(count, None, dtype=object), np.full(count, None, dtype=object)
        if rank >= len(topics):
            return text, topic_name, np.zeros(count)
        chosen = order[:, rank]
        amount = by_topic[np.arange(count), chosen]
        amount = np.where((np.abs(amount) < NEGLIGIBLE) | (amount < lowest), 0.0, amount)
        for position, topic in enumerate(topics):
            rows = np.flatnonzero((chosen == position) & (amount != 0))
            if len(rows):
                text[rows] = _tell(parts[topic], contributions, amount[rows], table, rows)
                topic_name[rows] = topic
        return text, topic_name, amount

    strongest = np.argsort(-np.abs(by_topic), axis=1, kind="stable")
    texts, named, amounts = zip(*(told(rank, strongest, -np.inf) for rank in range(REASONS)), strict=True)
    other = by_topic.sum(axis=1)
    for amount in amounts:
        other = other - amount
    riskiest = np.argsort(-by_topic, axis=1, kind="stable")
    risks = tuple(told(rank, riskiest, 0.0)[0] for rank in range(RISK_REASONS))
    return Reasons(texts, named, amounts, other, risks)


def _tell(
    names: list[str],
    contributions: Mapping[str, Floats],
    amount: Floats,
    table: FeatureTable,
    rows: npt.NDArray[np.intp],
) -> Texts:
    """Tell the feature that pushes hardest in the topic's own direction."""
    push = np.column_stack([contributions[name][rows] for name in names]) * np.sign(amount)[:, None]
    strongest = push.argmax(axis=1)
    result = np.full(len(rows), None, dtype=object)
    for position, name in enumerate(names):
        own = np.flatnonzero(strongest == position)
        if len(own):
            result[own] = wording(name, table, rows[own])
    direction = np.where(amount > 0, f" ({RAISES})", f" ({LOWERS})").astype(object)
    told: Texts = result + direction
    return told


def wording(name: str, table: FeatureTable, rows: npt.NDArray[np.intp]) -> Texts:
    """Return the sentence of a term for the given rows: of its feature, or of the two that act together."""
    told = [phrases(BY_NAME[member], table, rows) for member in members(name)]
    result: Texts = told[0] if len(told) == 1 else told[0] + ", together with " + told[1]
    return result


def phrases(feature: Feature, table: FeatureTable, rows: npt.NDArray[np.intp]) -> Texts:
    """Return the sentence of a feature for the given rows; each different value is worded once."""
    if feature.name in table.categories:
        column = table.categories[feature.name]
        wording = np.array([feature.phrase.format(word.replace("_", " ")) for word in column.words], dtype=object)
        chosen: Texts = wording[column.codes[rows]]
        return chosen
    values = table.numbers[feature.name][rows]
    if feature is RHYTHM:
        values = 100 * expit(values)
    digits = {-2: 2}.get(feature.decimals, feature.decimals)  # of a share, whole per cents
    rounded, member = np.unique(np.round(values, digits), return_inverse=True)  # NaN collapses to one
    wording = np.array([_word(feature, float(value)) for value in rounded], dtype=object)
    told: Texts = wording[member.reshape(-1)]
    return told


def _word(feature: Feature, value: float) -> str:
    if np.isnan(value):
        return feature.absent
    if feature.kind == "flag":
        return feature.phrase if value else feature.absent
    if feature.name in ("last_delay_days", "mean_delay_days"):
        return _word_delay("last order" if feature.name == "last_delay_days" else "orders on average", value)
    if value == 1 and feature.singular:
        return feature.singular
    if feature.decimals == -2:
        return feature.phrase.format(f"{value * 100:.0f}")
    return feature.phrase.format(f"{value:,.{feature.decimals}f}".removesuffix(".0"))


def _word_delay(what: str, days: float) -> str:
    if days == 0:
        return f"{what} on the promised day"
    unit = "day" if abs(days) == 1 else "days"
    return f"{what} {abs(days):.0f} {unit} {'late' if days > 0 else 'early'}"
