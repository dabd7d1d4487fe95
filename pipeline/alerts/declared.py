"""Read ``alerts.yml``: every word is known and every value can be meant, or the message says which is not."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time
from math import isfinite
from pathlib import Path
from typing import Any

import yaml

from pipeline.base import paths
from pipeline.base.declared import read_mapping, read_text, read_yaml
from pipeline.base.errors import InputError

LANGUAGES = ("en", "ru")
UNITS = ("number", "money", "share")
# What a figure may be held against, each with the words it is made of.
COMPARISONS = {"value": ("above", "below"), "change": ("rises_by", "falls_by"), "goal": ("target", "by", "tolerance")}
_HOUR = re.compile("([01][0-9]|2[0-3]):[0-5][0-9]")


@dataclass(frozen=True)
class QuietHours:
    """From when until when nobody is told, by the shop's clock; may run over midnight."""

    begin: time
    end: time

    def hold(self, clock: time) -> bool:
        """Tell whether a message has to wait at this time of the day."""
        if self.begin <= self.end:
            return self.begin <= clock < self.end
        return clock >= self.begin or clock < self.end


@dataclass(frozen=True)
class Alert:
    """One alert as declared.

    Attributes
    ----------
    name
        Small letters, digits and underscores.
    title
        What people read, by language.
    sql
        One query on the published file that answers with one row: ``value``, and where wanted ``n`` and ``before``.
    kind
        One of ``COMPARISONS``.
    limits
        Numbers of the comparison by name.
    is_paced
        Of a goal: only the share of it is due that the month is over.
    min_n
        Fewest ``n`` at which the figure says anything; None where it always does.
    unit
        How the figure is written: one of ``UNITS``.
    language
        Language of its messages.
    quiet_hours
        None where it may be told at any time.
    """

    name: str
    title: Mapping[str, str]
    sql: str
    kind: str
    limits: Mapping[str, float]
    is_paced: bool
    min_n: int | None
    unit: str
    language: str
    quiet_hours: QuietHours | None


def read_alerts(file: Path | None = None) -> list[Alert]:
    """Read the file of alerts; none where the project has no file.

    Raises
    ------
    InputError
        It is named and not there, is no YAML, or an entry cannot be meant; the message names file, alert and key.
    """
    file = file or paths.alerts_file()
    is_named = file != paths.PROJECT / paths.ALERTS
    try:
        content = read_yaml(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if is_named:
            raise InputError(
                f"There is no {file.name} where ALERTS_FILE says. Correct the variable, or unset it."
            ) from None
        return []
    except (OSError, yaml.YAMLError, ValueError) as error:
        raise InputError(f"{file.name} is no YAML: {' '.join(str(error).split())}") from error
    top = read_mapping(content, file.name, ("settings", "alerts"))
    settings = read_mapping(
        {} if top.get("settings") is None else top["settings"], f"{file.name}, settings", ("language", "quiet_hours")
    )
    listed = top.get("alerts")
    if not isinstance(listed, list):
        raise InputError(f"{file.name}: `alerts` must be a list; [] for none.")
    found: dict[str, Alert] = {}
    for number, entry in enumerate(listed, start=1):
        alert = _alert(entry, settings, file.name, number)
        if alert.name in found:
            raise InputError(f"{file.name}: two alerts are called {alert.name}. Rename one.")
        found[alert.name] = alert
    return list(found.values())


def _alert(entry: Any, settings: dict[str, Any], file: str, number: int) -> Alert:
    where = f"{file}, alert {_name_or_number(entry, number)}"
    optional = ("min_n", "unit", "language", "quiet_hours")
    said = read_mapping(entry, where, ("name", "title", "sql", *COMPARISONS, *optional))
    name = read_text(said, "name", where)
    if not re.fullmatch("[a-z][a-z0-9_]*", name):
        raise InputError(f"{where}: name must be small letters, digits and underscores, not {name!r}.")
    title = read_mapping(said.get("title"), f"{where}, title", LANGUAGES)
    kinds = [kind for kind in COMPARISONS if kind in said]
    if len(kinds) != 1:
        raise InputError(f"{where}: exactly one of {', '.join(COMPARISONS)} says when it fires; it has {len(kinds)}.")
    limits, is_paced = _limits(kinds[0], said[kinds[0]], f"{where}, {kinds[0]}")
    return Alert(
        name=name,
        title={language: read_text(title, language, f"{where}, title") for language in LANGUAGES},
        sql=read_text(said, "sql", where),
        kind=kinds[0],
        limits=limits,
        is_paced=is_paced,
        min_n=_whole(said["min_n"], f"{where}: min_n") if said.get("min_n") is not None else None,
        unit=_one_of(said.get("unit", UNITS[0]), UNITS, f"{where}: unit"),
        language=_one_of(said.get("language", settings.get("language", LANGUAGES[0])), LANGUAGES, f"{where}: language"),
        quiet_hours=_quiet_hours(said.get("quiet_hours", settings.get("quiet_hours")), f"{where}, quiet_hours"),
    )


def _name_or_number(entry: Any, number: int) -> str:
    name = entry.get("name") if isinstance(entry, dict) else None
    return name if isinstance(name, str) and name.strip() else str(number)


def _limits(kind: str, content: Any, where: str) -> tuple[dict[str, float], bool]:
    said = read_mapping(content, where, COMPARISONS[kind])
    if kind == "goal":
        if "by" in said and said["by"] != "month_end":
            raise InputError(f"{where}: by must be month_end, or be left out where all of it is due at any time.")
        limits = {
            "target": _number(said.get("target"), f"{where}: target"),
            "tolerance": _number(said.get("tolerance", 0), f"{where}: tolerance", least=0, most=1),
        }
        return limits, "by" in said
    if len(said) != 1:
        raise InputError(f"{where}: expected one of {', '.join(COMPARISONS[kind])}.")
    word, value = next(iter(said.items()))
    if kind == "change":
        return {word: _number(value, f"{where}: {word}", least=0.001, most=1 if word == "falls_by" else 100)}, False
    return {word: _number(value, f"{where}: {word}")}, False


def _quiet_hours(content: Any, where: str) -> QuietHours | None:
    if content is None:
        return None
    if not isinstance(content, dict):
        raise InputError(f'{where}: say {{from: "21:00", to: "08:00"}}, or null for none, not {content!r}.')
    said = read_mapping(content, where, ("from", "to"))
    hours = []
    for key in ("from", "to"):
        value = said.get(key)
        if not isinstance(value, str) or not _HOUR.fullmatch(value):
            raise InputError(f'{where}: {key} must be a time of the day in quotes, such as "21:00", not {value!r}.')
        hours.append(time.fromisoformat(value))
    if hours[0] == hours[1]:
        raise InputError(f"{where}: from and to are the same time; leave quiet_hours out where there are none.")
    return QuietHours(*hours)


def _one_of(value: Any, known: tuple[str, ...], where: str) -> str:
    if value not in known:
        raise InputError(f"{where} must be one of {', '.join(known)}, not {value!r}.")
    return str(value)


def _whole(value: Any, where: str) -> int:
    number = _number(value, where, least=0)
    if number != int(number):
        raise InputError(f"{where} must be a whole number, not {value!r}.")
    return int(number)


def _number(value: Any, where: str, *, least: float | None = None, most: float | None = None) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
    if not is_number or (least is not None and value < least) or (most is not None and value > most):
        bounds = f" from {least:g}" if least is not None else ""
        bounds += f" up to {most:g}" if most is not None else ""
        raise InputError(f"{where} must be a number{bounds}, not {value!r}.")
    return float(value)
