"""Spellings that may mean the same: proposed, and merged only by a mapping that a person has confirmed."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import yaml

from scoring.table.columns import Table
from scoring.table.errors import TableError

SMALL_WORDS = frozenset({"on", "of", "the", "and", "a", "in", "for", "to"})
Spellings = dict[str, dict[str, str]]


def propose(table: Table) -> Spellings:
    """Propose which words of a feature stand for another one.

    Two words are taken for one when they differ in case and punctuation only (credit card, Credit-Card), when one is
    the initials of the other (CC, Credit Card; COD, Cash on Delivery), or when one is the other
    without its first or last part (Phone, Mobile Phone) and no third word shares the rest.

    Returns
    -------
    dict of feature to dict of word to word
        Each rarer spelling and the most frequent one.
    """
    found: Spellings = {}
    for name, values in table.words.items():
        counts = Counter(word for word in values if word is not None)
        if not 2 <= len(counts) <= 200:
            continue
        ranked = sorted(counts, key=lambda word: (-counts[word], word))
        mapping: dict[str, str] = {}
        for place, word in enumerate(ranked):
            if word in mapping:
                continue
            for rarer in ranked[place + 1 :]:
                if rarer not in mapping and _is_same(word, rarer, ranked):
                    mapping[rarer] = word
        if mapping:
            found[name] = mapping
    return found


def _is_same(one: str, other: str, all_words: list[str]) -> bool:
    first, second = _parts(one), _parts(other)
    if "".join(first) == "".join(second):
        return True
    if _is_initials(one, second) or _is_initials(other, first):
        return True
    short, long = sorted((first, second), key=len)
    if not short or len(long) != len(short) + 1:
        return False
    # Phone and Mobile Phone, Mobile and Mobile Phone; but not Card, Credit Card and Debit Card
    if long[1:] == short:
        return sum(_parts(word)[-len(short) :] == short for word in all_words) == 2
    return long[:-1] == short and sum(_parts(word)[: len(short)] == short for word in all_words) == 2


def _is_initials(short: str, parts: list[str]) -> bool:
    if not 2 <= len(short) <= 6 or not short.isalpha() or len(parts) < 2:
        return False
    whole = "".join(part[0] for part in parts)
    main = "".join(part[0] for part in parts if part not in SMALL_WORDS)
    return short.casefold() in (whole, main)


def _parts(word: str) -> list[str]:
    return re.findall(r"\w+", word.casefold())


def write(file: Path, proposed: Mapping[str, Mapping[str, str]], table: str) -> None:
    """Write proposals for a person to confirm."""
    lines = [
        f"# Spellings of {table} that may mean the same. Remove what does not, then run again with --spellings",
        "# and this file. Each line: the spelling, and the word it stands for.",
    ]
    plain = {name: dict(mapping) for name, mapping in proposed.items()}
    file.write_text("\n".join(lines) + "\n" + yaml.safe_dump(plain, allow_unicode=True, sort_keys=True))


def read(file: Path) -> Spellings:
    """Read a confirmed mapping.

    Raises
    ------
    TableError
        The file is no such mapping.
    """
    try:
        content = yaml.safe_load(file.read_text())
    except (OSError, yaml.YAMLError) as error:
        raise TableError(f"{file} is no YAML: {str(error).splitlines()[0]}.") from error
    if not isinstance(content, dict) or not all(isinstance(mapping, dict) for mapping in content.values()):
        raise TableError(f"{file} must hold features, and under each of them `spelling: word`.")
    return {str(name): {str(a): str(b) for a, b in mapping.items()} for name, mapping in content.items()}
