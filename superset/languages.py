"""The languages of the dashboards: English is written in the descriptions, every other one in ``assets/<code>.yaml``.

A catalogue says each English text once more in its language. ``texts`` holds what the descriptions say, ``values`` what
stands in the columns of the warehouse, column by column; ``phrases`` what stands around the numbers in some of them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import settings

# Where a description holds a text for people; everything else names things of the warehouse.
TEXT_KEYS = {
    *("title", "description", "question", "lead", "text", "name", "all"),
    *("subtitle", "x_title", "y_title", "right_title"),
}
# Parts of a description whose keys are names of columns or charts.
NAMING_KEYS = {"only", "formats", "widths", "charts", "options"}


class MissingTextError(ValueError):
    """A catalogue lacks texts that a description needs."""


@dataclass(frozen=True)
class Language:
    """One language: its code, and its texts and values by the English ones."""

    code: str
    name: str
    texts: dict[str, str] = field(default_factory=dict)
    values: dict[str, dict[str, str]] = field(default_factory=dict)
    phrases: dict[str, dict[str, str]] = field(default_factory=dict)
    templates: dict[str, dict[str, str]] = field(default_factory=dict)
    # What was asked for and is not there, in the order it was met.
    missing: list[str] = field(default_factory=list)
    asked: set[str] = field(default_factory=set)

    @property
    def is_written(self) -> bool:
        """Whether it is the language of the descriptions themselves."""
        return self.code == WRITTEN

    @property
    def suffix(self) -> str:
        """What its addresses end in."""
        return "" if self.is_written else f"-{self.code}"

    def text(self, english: str) -> str:
        """Return a text in this language; one that is not there is kept in `missing` and comes back as it is."""
        key = squeezed(english)
        if self.is_written or not re.search("[A-Za-z]", key):
            return english
        self.asked.add(key)
        if key not in self.texts:
            if key not in self.missing:
                self.missing.append(key)
            return english
        return self.texts[key]

    def values_of(self, dataset: str, column: str) -> dict[str, str]:
        """Return the words for what stands in a column; those of one dataset only go before those of all."""
        words = self.values.get(f"{dataset}.{column}") or self.values.get(column) or {}
        # Some columns hold the name as the warehouse writes it, some the same as words.
        return words | {as_words(name): text for name, text in words.items() if "_" in name or name.islower()}

    def sentences(self, column: str, sql: str) -> str | None:
        """Return an expression for a column of sentences with numbers in them; None when it has none."""
        if column in self.phrases:
            return rephrased(sql, self.phrases[column])
        return retold(sql, self.templates[column]) if column in self.templates else None

    def format(self, name: str) -> str:
        """Return the name of a number's format; short forms, such as 2k and 3M, are English."""
        return name if self.is_written else {"compact": "integer", "money": "money_whole"}.get(name, name)

    def spec(self, part: Any) -> Any:
        """Return a description, or a part of one, with its texts in this language."""
        if isinstance(part, list):
            return [self.spec(one) for one in part]
        if not isinstance(part, dict):
            return part
        return {
            key: self.text(value)
            if key in TEXT_KEYS and isinstance(value, str)
            else (value if key in NAMING_KEYS else self.spec(value))
            for key, value in part.items()
        }

    @property
    def unused(self) -> list[str]:
        """Texts that no description has any more, once all were asked for."""
        return sorted(set(self.texts) - self.asked)

    def check(self) -> None:
        """Raise when texts were asked for that the catalogue lacks."""
        if self.missing:
            listed = "\n".join(f'  "{one}": ' for one in self.missing)
            raise MissingTextError(f"superset/assets/{self.code}.yaml lacks, under `texts`:\n{listed}")


WRITTEN = "en"
ENGLISH = Language(WRITTEN, "English")
# code -> its name in itself, and how Superset's list of languages shows it
NAMES = {"en": ("English", "us"), "ru": ("Русский", "ru")}
OTHERS = tuple(code for code in NAMES if code != WRITTEN)


def as_words(name: str) -> str:
    """Return a name of the warehouse as the dashboards write it: a capital first, blanks between."""
    return name[:1].upper() + name[1:].replace("_", " ")


def squeezed(text: str) -> str:
    """Return a text on one line."""
    return " ".join(text.split())


def load(code: str, assets: Path = settings.ASSETS) -> Language:
    """Read a language's catalogue."""
    if code == WRITTEN:
        return ENGLISH
    content = settings.read_yaml(assets / f"{code}.yaml")
    texts = {squeezed(str(english)): str(text) for english, text in content["texts"].items()}
    values, phrases, templates = (
        {
            str(column): {str(english): str(text) for english, text in one.items()}
            for columns, one in content.get(part, {}).items()
            for column in columns.split()
        }
        for part in ("values", "phrases", "templates")
    )
    for columns, parts in content.get("together", {}).items():
        words = {english: text for part in parts for english, text in values[part].items()}
        values |= dict.fromkeys(columns.split(), words)
    return Language(code, NAMES[code][0], texts, values, phrases, templates)


def every(assets: Path = settings.ASSETS) -> list[Language]:
    """Return all languages, English first."""
    return [ENGLISH, *(load(code, assets) for code in OTHERS)]


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def translated(sql: str, words: dict[str, str], otherwise: str) -> str:
    """Return an expression with its values in another language, and another one for what has no word there."""
    cases = " ".join(f"when {_literal(english)} then {_literal(text)}" for english, text in words.items())
    return f"case {sql} {cases} else {otherwise} end"


def rephrased(sql: str, phrases: dict[str, str]) -> str:
    """Return an expression with parts of its texts in another language, the longest first."""
    for english in sorted(phrases, key=len, reverse=True):
        sql = f"replace({sql}, {_literal(english)}, {_literal(phrases[english])})"
    return sql


def retold(sql: str, templates: dict[str, str]) -> str:
    """Return an expression with whole sentences in another language, each with the numbers or names that are in it."""
    cases = []
    # The longest first: "first order {}" would take what "first order on time" says.
    for english, text in sorted(templates.items(), key=lambda one: -len(one[0])):
        pattern = "^" + re.escape(english).replace(r"\ ", " ").replace(r"\{\}", "(.+?)") + r"( \(.*\))?$"
        told = text
        for number in range(1, english.count("{}") + 1):
            told = told.replace("{}", rf"\{number}", 1)
        cases.append(
            f"when regexp_matches({sql}, {_literal(pattern)}) "
            f"then regexp_replace({sql}, {_literal(pattern)}, {_literal(told)})"
        )
    return f"case {' '.join(cases)} else {sql} end"


def of_address(path: str) -> tuple[str, str] | None:
    """Return a dashboard's English slug and its language, as its address says them; None for other addresses."""
    match = re.fullmatch(r"/superset/dashboard/([a-z][a-z-]*)/?", path)
    if not match:
        return None
    slug = match.group(1)
    for code in OTHERS:
        if slug.endswith(f"-{code}"):
            return slug.removesuffix(f"-{code}"), code
    return slug, WRITTEN


def address(slug: str, code: str) -> str:
    """Return where a dashboard is in a language."""
    return f"/superset/dashboard/{slug}{'' if code == WRITTEN else f'-{code}'}/"


@lru_cache
def _formats(code: str) -> dict[str, Any]:
    content = settings.read_yaml(settings.ASSETS / f"{code}.yaml")
    return {"d3_format": content["formats"]["number"], "d3_time_format": content["formats"]["time"]}


def for_browser(common: dict[str, Any]) -> dict[str, Any]:
    """Return how numbers and dates are written in the language of a page."""
    code = str(common.get("locale", "")).split("_")[0]
    return _formats(code) if code in OTHERS else {}
