"""Rows for the model of a labelled table: checked cell by cell, scored, explained."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from api.problems import FieldProblem, Said
from api.texts import text
from scoring.table.coding import Cell, Coding
from scoring.table.model import Answer, Reason, TableModel

SHOWN = 100  # characters of a caller's own text that an answer repeats


@dataclass(frozen=True)
class Checked:
    """A row as the model reads it, what is wrong with it, and what is odd about it."""

    row: Mapping[str, Cell]
    problems: Sequence[FieldProblem]
    warnings: Sequence[FieldProblem]


@dataclass(frozen=True)
class ServedModel:
    """A model of a labelled table as the API serves it."""

    model: TableModel

    @classmethod
    def read(cls, file: Path) -> ServedModel:
        """Read a ``model.json``.

        Raises
        ------
        ValueError
            The file is no model.
        """
        return cls(TableModel.from_json(file.read_text()))

    def check(self, given: object, where: str = "", *, is_text: bool = False) -> Checked:
        """Check a row.

        Parameters
        ----------
        given : object
            A mapping of feature to value; blank features are null, or not there.
        where : str
            Path of the row in the request.
        is_text : bool
            Values are texts, as CSV holds them: an empty one is blank.
        """
        if not isinstance(given, Mapping):
            return Checked({}, [FieldProblem(where.rstrip(".") or "row", Said("not_an_object"))], [])
        problems, warnings = [], []
        row: dict[str, Cell] = {}
        for coding in self.model.codings:
            name = coding.feature
            value = given.get(name)
            if is_text and isinstance(value, str):
                value = _typed(value, coding)
            if value is None or value == "":
                warnings.append(FieldProblem(f"{where}{name}", Said("blank")))
                row[name] = None
                continue
            wrong = _wrong(value, coding)
            if wrong is not None:
                problems.append(FieldProblem(f"{where}{name}", wrong))
                continue
            row[name] = float(value) if coding.kind == "number" else str(value).strip()
            odd = _odd(row[name], coding)
            if odd is not None:
                warnings.append(FieldProblem(f"{where}{name}", odd))
        known = set(self.model.features) | {self.model.label} | set(self.model.facts.get("left_out", ()))
        for name in given:
            if name not in known:
                problems.append(FieldProblem(f"{where}{str(name)[:SHOWN]}", self._unknown(str(name))))
        return Checked(row, problems[:20], warnings)

    def _unknown(self, name: str) -> Said:
        near = difflib.get_close_matches(name[:SHOWN], self.model.features, n=1)
        return Said("is_unknown_near", {"near": near[0]}) if near else Said("is_unknown")

    def told(self, answer: Answer, warnings: Sequence[FieldProblem], language: str) -> dict[str, Any]:
        """Return an answer as plain values."""
        return {
            "probability": answer.probability,
            "band": self.band(answer.probability),
            "decision": {"is_positive": answer.is_positive, "threshold": self.model.threshold},
            "reasons": [_told(reason, language) for reason in answer.reasons],
            "base_score": answer.base_score,
            "other_contribution": answer.other,
            "score": answer.score,
            "warnings": [{"field": one.field, "problem": one.said.text(language)} for one in warnings],
        }

    def band(self, probability: float) -> str:
        """Return the band of a probability: high from the threshold on, medium from the label's share on."""
        if probability >= self.model.threshold:
            return "high"
        return "medium" if probability >= float(self.model.facts["prevalence"]) else "low"

    def describe(self) -> list[dict[str, Any]]:
        """Return what can be known of every feature."""
        return [
            {
                "name": coding.feature,
                "type": _type(coding),
                "unit": None,
                "minimum": coding.low if coding.kind == "number" else None,
                "maximum": coding.high if coding.kind == "number" else None,
                "share_missing": round(coding.missing_share, 6),
                "allowed_values": sorted(coding.words) if coding.kind == "word" else None,
            }
            for coding in self.model.codings
        ]

    def example(self) -> dict[str, Cell]:
        """Return a row the model knows: the middle of each range, the most frequent of the words."""
        return {
            coding.feature: coding.words[0] if coding.kind == "word" else _middle(coding)
            for coding in self.model.codings
        }


def _middle(coding: Coding) -> float:
    middle = (coding.low + coding.high) / 2
    return float(round(middle)) if coding.is_whole else round(middle, 2)


def _type(coding: Coding) -> str:
    if coding.kind == "word":
        return "text"
    return "whole number" if coding.is_whole else "number"


def _typed(value: str, coding: Coding) -> object:
    stripped = value.strip()
    if not stripped:
        return None
    if coding.kind == "number":
        try:
            return float(stripped)
        except ValueError:
            return stripped
    return stripped


def _wrong(value: object, coding: Coding) -> Said | None:
    if coding.kind == "word":
        return None if isinstance(value, str) else Said("not_a_word")
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return Said("not_a_number")
    try:
        return None if math.isfinite(value) else Said("not_finite")
    except OverflowError:
        return Said("not_finite")


def _odd(value: Cell, coding: Coding) -> Said | None:
    if coding.kind == "word":
        return None if coding.knows(str(value)) else Said("unseen_word", {"value": str(value)[:SHOWN]})
    assert isinstance(value, float)
    if coding.low <= value <= coding.high:
        return None
    return Said("out_of_range", {"value": f"{value:g}", "low": f"{coding.low:g}", "high": f"{coding.high:g}"})


def _told(reason: Reason, language: str) -> dict[str, Any]:
    parts = [_said(name, value, language) for name, value in zip(reason.features, reason.values, strict=True)]
    return {
        "text": parts[0] if len(parts) == 1 else text("and", language, first=parts[0], second=parts[1]),
        "features": list(reason.features),
        "direction": "raises" if reason.contribution > 0 else "lowers",
        "contribution": reason.contribution,
        "share": round(reason.share, 6),
    }


@lru_cache(maxsize=10_000)
def _said(name: str, value: Cell, language: str) -> str:
    """Return a feature and its value in words: the same few come again and again in a batch."""
    if value is None:
        return text("is_blank", language, feature=name)
    shown = f"{value:g}" if isinstance(value, float) else value[:SHOWN]
    return text("is_value", language, feature=name, value=shown)
