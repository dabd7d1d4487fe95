"""The dbt variables, for the steps that are not SQL, and what each of them may be."""

from __future__ import annotations

import csv
import functools
import zoneinfo
from collections.abc import Mapping, Sequence
from copy import deepcopy
from datetime import date
from difflib import get_close_matches
from math import isclose, isfinite
from typing import Any

import yaml

from pipeline.base import paths
from pipeline.base.declared import StrictLoader
from pipeline.base.errors import PipelineError

RULES = "setting_rules"
SUM_TOLERANCE = 1e-9
# Where a rule names no upper end: what an integer of the engine holds.
LARGEST = 2_147_483_647


class _Loader(StrictLoader):
    """Safe YAML in which days are texts: one that does not exist would be an error without a name."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in found if not tag.endswith(":timestamp")]
    for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def project_vars(variables: str | None = None) -> dict[str, Any]:
    """Read the variables of ``dbt_project.yml``, with those of a command line over them, and check what they are.

    Parameters
    ----------
    variables : str, optional
        YAML as ``--vars`` takes it.

    Raises
    ------
    PipelineError
        The text is no YAML mapping, or a variable is unknown or not what ``setting_rules`` beside it asks for.
    """
    project = deepcopy(_declared((paths.PROJECT / "dbt_project.yml").read_text()))
    rules = project.pop(RULES)
    try:
        given = yaml.load(variables, _Loader) if variables else {}  # noqa: S506
    except yaml.YAMLError as error:
        raise PipelineError(f"--vars is no YAML: {str(error).splitlines()[0]}.") from error
    if not isinstance(given, dict):
        raise PipelineError("--vars is no YAML mapping, such as '{as_of_date: 2018-03-01}'.")
    unknown = sorted(map(str, given.keys() - project.keys()))
    if unknown:
        near = get_close_matches(unknown[0], project, n=1)
        meant = f" Did you mean {near[0]}?" if near else ""
        raise PipelineError(f"--vars names {', '.join(unknown)}, which dbt_project.yml does not know.{meant}")
    settings = {name: _as_meant(value, rules.get(name, {})) for name, value in {**project, **given}.items()}
    check_settings(settings, rules)
    return settings


@functools.lru_cache(maxsize=1)
def _declared(project: str) -> dict[str, Any]:
    return dict(yaml.load(project, _Loader)["vars"])  # noqa: S506


def check_settings(settings: Mapping[str, Any], rules: Mapping[str, Mapping[str, Any]]) -> None:
    """Hold every setting against its rule.

    Parameters
    ----------
    settings : mapping of str to object
    rules : mapping of str to mapping
        What each may be: ``is`` (number, whole number, whole numbers, word, words, day,
        time zone, switch, code, code or null), ``from`` and ``to``, both
        allowed, ``above`` for an open lower end, ``of`` for the words that are known, ``of_seed`` for the seed whose
        first column holds the codes and ``such_as`` for one of them, ``count``; ``at_most`` names the
        setting that it may not exceed, ``sum_to_one_with`` those that share one with it.

    Raises
    ------
    PipelineError
        Names the setting, its value and what it may be.
    """
    for name, value in settings.items():
        if name not in rules:
            raise PipelineError(f"{name} has no rule among the {RULES} of dbt_project.yml: say there what it may be.")
        _refuse(name, value, _fault(value, rules[name]))
    for name, value in settings.items():
        _refuse(name, value, _fault_beside_others(value, rules[name], settings))


def _refuse(name: str, value: Any, fault: str | None) -> None:
    if fault:
        raise PipelineError(f"{name} is {_shown(value)}; it must be {fault}. Set it so in --vars or dbt_project.yml.")


def _fault(value: Any, rule: Mapping[str, Any]) -> str | None:  # noqa: PLR0911 - one answer for each kind
    """Say what a setting must be, where it is not."""
    kind = rule["is"]
    if "number" in kind:
        rule = {"to": LARGEST, **rule}
    if kind == "day":
        is_right = value is None or _is_day(value)
        return None if is_right else "a day of the calendar, such as 2018-03-01, or null"
    if kind == "time zone":
        is_right = value is None or (isinstance(value, str) and value in zoneinfo.available_timezones())
        return None if is_right else "a name such as America/Sao_Paulo or Europe/London, or null"
    if kind in ("code", "code or null"):
        is_known = isinstance(value, str) and value in _codes_of(rule["of_seed"])
        is_right = is_known or (value is None and kind == "code or null")
        return (
            None
            if is_right
            else f"a code of seeds/{rule['of_seed']}.csv, such as {rule['such_as']}"
            + (", or null" if kind == "code or null" else "")
        )
    if kind == "switch":
        return None if isinstance(value, bool) else "true or false"
    if kind == "word":
        return None if value in rule["of"] else f"one of {', '.join(rule['of'])}"
    if kind == "words":
        if isinstance(value, list) and all(isinstance(word, str) for word in value):
            strange = [word for word in value if word not in rule["of"]]
            if not strange and len(value) > len(set(value)):
                return "a list in which nothing is twice"
            return f"a list of some of {', '.join(rule['of'])}; {strange[0]} is none of them" if strange else None
        return f"a list, such as [{', '.join(rule['of'][:2])}]"
    if kind == "whole numbers":
        wanted = f"a list of {rule['count']} whole numbers{_range_of(rule)}, each larger than the one before"
        is_right = (
            isinstance(value, list)
            and len(value) == rule["count"]
            and all(_is_number(one, whole=True) and _is_in_range(one, rule) for one in value)
            and value == sorted(set(value))
        )
        return None if is_right else wanted
    is_right = _is_number(value, whole=kind == "whole number") and _is_in_range(value, rule)
    return None if is_right else f"a {kind}{_range_of(rule)}"


def _fault_beside_others(value: Any, rule: Mapping[str, Any], settings: Mapping[str, Any]) -> str | None:
    if (other := rule.get("at_most")) and value > settings[other]:
        return f"at most {other}, which is {_shown(settings[other])}"
    if others := rule.get("sum_to_one_with"):
        total = value + sum(settings[other] for other in others)
        if not isclose(total, 1, abs_tol=SUM_TOLERANCE):
            return f"such that it and {' and '.join(others)} are 1 together; they are {total:g}"
    return None


def _as_meant(value: Any, rule: Mapping[str, Any]) -> Any:
    """Undo what YAML makes of the word off."""
    return "off" if value is False and "off" in rule.get("of", ()) else value


@functools.cache
def _codes_of(seed: str) -> frozenset[str]:
    with (paths.PROJECT / "seeds" / f"{seed}.csv").open(encoding="utf-8", newline="") as file:
        return frozenset(row[0] for row in csv.reader(file))


def _is_day(value: Any) -> bool:
    try:
        return date.fromisoformat(str(value)).isoformat() == str(value)
    except ValueError:
        return False


def _is_number(value: Any, *, whole: bool) -> bool:
    if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
        return False
    return isfinite(value)


def _is_in_range(value: float, rule: Mapping[str, Any]) -> bool:
    return rule.get("from", value) <= value <= rule.get("to", value) and not (
        "above" in rule and value <= rule["above"]
    )


def _range_of(rule: Mapping[str, Any]) -> str:
    words: Sequence[str] = [
        text
        for key, text in (("above", " above {}"), ("from", " from {}"), ("to", " up to {}"))
        if key in rule
        for text in [text.format(f"{rule[key]:,}")]
    ]
    return "".join(words)


def _shown(value: Any) -> str:
    return f"{value!r}" if isinstance(value, str) else f"{value}"
