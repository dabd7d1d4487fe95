"""From a file to a model: read, look for traps, learn, judge, put together."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from scoring.table import learning, reading
from scoring.table.coding import Coding, code_matrix, learn_codings
from scoring.table.columns import Flags, Rows, Table
from scoring.table.duplicates import Copies, find_copies
from scoring.table.errors import TableError
from scoring.table.figures import Figure
from scoring.table.folds import make_folds
from scoring.table.leakage import Alone, try_each
from scoring.table.model import TableModel
from scoring.table.outliers import find_outliers
from scoring.table.spellings import Spellings, propose

RANDOM_STATE = 20_240_601
LEAST_PEOPLE = 25  # of the rarer outcome: five in each fold


@dataclass(frozen=True)
class Wishes:
    """What a person may set.

    Parameters
    ----------
    label : str
    positive : str, optional
    features : sequence of str
        All when empty.
    kept : sequence of str
        Features to learn from although they tell the label alone.
    spellings : mapping
        Confirmed: feature, spelling, word.
    least_precision : float
    sheet : str, optional
    """

    label: str
    positive: str | None = None
    features: Sequence[str] = ()
    kept: Sequence[str] = ()
    spellings: Mapping[str, Mapping[str, str]] | None = None
    least_precision: float = 0.70
    sheet: str | None = None


@dataclass(frozen=True)
class Made:
    """A model, and the spellings that wait to be confirmed."""

    model: TableModel
    proposed: Spellings


def make_model(file: Path, name: str, wishes: Wishes, progress: Callable[[str], None] = lambda _: None) -> Made:
    """Learn a model from a labelled table.

    Parameters
    ----------
    file : Path
    name : str
        Of the model.
    wishes : Wishes
    progress : callable
        Told of each step.

    Raises
    ------
    TableError
        The table cannot be learned from.
    """
    found = reading.read(file, wishes.label, positive=wishes.positive, features=wishes.features, sheet=wishes.sheet)
    notes, is_positive = list(found.notes), found.is_positive
    merged = found.table.merged(wishes.spellings or {})
    proposed = propose(merged)
    progress(f"{merged.rows:,} rows, {len(found.features)} features, {is_positive.mean():.1%} {found.positive}")
    # in doubt two spellings are one here: a copy that is missed flatters, one too many does not
    copies = find_copies(merged.merged(proposed), is_positive, RANDOM_STATE, found.repeated_ids)
    progress(f"{copies.people:,} different customers: {copies.copies:,} rows are copies or twins")
    table, rows = merged.only(found.features), merged.rows
    groups, customers = copies.groups, copies.customers
    if rows > learning.MOST_ROWS:
        taken = np.sort(np.random.default_rng(RANDOM_STATE).choice(rows, learning.MOST_ROWS, replace=False))
        table, is_positive = table.take(taken), is_positive[taken]
        groups, customers = (np.unique(one[taken], return_inverse=True)[1].reshape(-1) for one in (groups, customers))
        notes.append(f"Learned from a random {learning.MOST_ROWS:,} of {rows:,} rows.")
    _check_size(is_positive, groups, wishes.label, found.positive)
    codings = learn_codings(table)
    folds = make_folds(groups, is_positive, learning.OUTER, RANDOM_STATE)
    alone = try_each(codings, code_matrix(codings, table), is_positive, folds)
    warnings = _warn_of_copies(copies, rows)
    suspicious = [one.feature for one in alone if one.is_suspicious and one.feature not in wishes.kept]
    for one in alone:
        if one.is_suspicious:
            warnings.append(_warn_of_leak(one, wishes.label, is_kept=one.feature in wishes.kept))
    table = table.only([coding.feature for coding in codings if coding.feature not in suspicious])
    for feature in found.features:
        if feature not in {coding.feature for coding in codings}:
            notes.append(f"{feature} is left out: it holds one value only.")
    if not table.names:
        raise TableError(" ".join(warnings) + " No other feature is left to learn from.")
    learned = learning.learn(
        table,
        is_positive,
        groups,
        customers,
        least_precision=wishes.least_precision,
        random_state=RANDOM_STATE,
        spellings=wishes.spellings or {},
        progress=progress,
    )
    if not learned.chosen.is_met:
        warnings.append(f"No threshold reached a precision of {wishes.least_precision:.2f} in the training folds.")
    facts = {
        "kind": learned.chosen.candidate.name,
        "settings": _settings(learned.chosen),
        "trained_on": file.name,
        "rows": len(is_positive),
        "rows_of_table": rows,
        "prevalence": round(float(is_positive.mean()), 6),
        "least_precision": wishes.least_precision,
        "is_threshold_met": learned.chosen.is_met,
        "metrics": _figures(learned.grouped.figures),
        "metrics_by_customer": _figures(learned.by_customer.figures) if learned.by_customer else None,
        "metrics_leaking": _figures(learned.leaking.figures) if learned.leaking else None,
        "metrics_rule": _figures(learned.rule.figures),
        "rule": learned.rule_feature,
        "picks": dict(learned.picks),
        "candidates": {kind: round(loss, 6) for kind, loss in learned.chosen.losses.items()},
        "copies": _told(copies),
        "features": _features(learned.codings, alone, table),
        "left_out": [*found.left_out, *suspicious],
        "spellings_proposed": proposed,
        "warnings": warnings,
        "notes": notes,
    }
    model = TableModel(
        name,
        wishes.label,
        found.positive,
        tuple(learned.codings),
        learned.fitted.tabulate(learned.codes),
        learned.chosen.calibration,
        round(learned.chosen.threshold, 6),
        facts,
    )
    return Made(model, proposed)


def _check_size(is_positive: Flags, groups: Rows, label: str, positive: str) -> None:
    with_label = len(np.unique(groups[is_positive]))
    without = len(np.unique(groups[~is_positive]))
    rarer = min(with_label, without)
    if rarer < LEAST_PEOPLE:
        raise TableError(
            f"{with_label} different customers have {label} = {positive}, and {without} have not: at least "
            f"{LEAST_PEOPLE} of each are needed to learn and to tell how well it went."
        )


def _warn_of_copies(copies: Copies, rows: int) -> list[str]:
    found = []
    if copies.shift:
        steps = ", ".join(f"{name} {step:+g}" for name, step in copies.shift.items())
        found.append(
            f"{copies.shifted:,} of {rows:,} rows are another row with constants added ({steps}): a table repeated, "
            "not further customers."
        )
    if copies.exact:
        found.append(f"{copies.exact:,} of {rows:,} rows repeat an earlier one in every column but ids.")
    if copies.twins:
        found.append(
            f"{copies.twins:,} customers differ from another in at most {copies.distance} cells: kept together, the "
            "figures are those of customers unlike the known ones; the card has those with twins of known ones too."
        )
    if copies.is_any:
        found.append(
            f"{copies.copies:,} of {rows:,} rows are copies or twins in all: a random split would test the model on "
            "what it has seen. The figures that count keep them together."
        )
    return found


def _warn_of_leak(alone: Alone, label: str, *, is_kept: bool) -> str:
    ending = "It is kept, as you asked." if is_kept else f"It was left out; --keep {alone.feature} keeps it."
    return (
        f"{alone.feature} alone tells {label} (ROC AUC {alone.roc_auc:.3f}): it may be the label under another name, "
        f"or known only afterwards. {ending}"
    )


def _settings(chosen: learning.Chosen) -> str:
    trees = f", {chosen.length} trees" if chosen.length else ""
    return f"{chosen.candidate.settings}{trees}, {chosen.calibration.method} calibration"


def _figures(figures: Mapping[str, Figure]) -> dict[str, dict[str, float | None]]:
    return {name: figure.to_dict() for name, figure in figures.items()}


def _told(copies: Copies) -> dict[str, Any]:
    return {
        "people": copies.people,
        "rows": copies.copies,
        "exact": copies.exact,
        "shifted": copies.shifted,
        "shift": dict(copies.shift),
        "twins": copies.twins,
        "distance": copies.distance,
        "agreement": None if math.isnan(copies.twins_agree) else round(copies.twins_agree, 4),
    }


def _features(codings: Sequence[Coding], alone: Sequence[Alone], table: Table) -> list[dict[str, Any]]:
    by_name = {one.feature: one for one in alone}
    outliers = {one.feature: one.rows for one in find_outliers(table)}
    return [
        {
            "name": coding.feature,
            "type": "text" if coding.kind == "word" else "whole number" if coding.is_whole else "number",
            "values": ", ".join(coding.words[:8]) + (", ..." if len(coding.words) > 8 else "")
            if coding.kind == "word"
            else f"{coding.low:g} to {coding.high:g}",
            "missing": round(coding.missing_share, 6),
            "alone": round(by_name[coding.feature].roc_auc, 4),
            "outliers": outliers.get(coding.feature, 0),
        }
        for coding in codings
    ]
