"""What files that people write share: strict reading, and messages that name the place."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.base.errors import InputError


def find_file(variable: str, usual: Path) -> Path | None:
    """Find a file that a shop may have: where a variable says, else in its usual place; None where there is none.

    Raises
    ------
    InputError
        The variable names no file.
    """
    named = os.environ.get(variable)
    if not named:
        return usual if usual.is_file() else None
    file = Path(named).expanduser().resolve()
    if not file.is_file():
        raise InputError(f"{variable} names {file}, and there is no such file.")
    return file


def read_mapping(content: Any, where: str, known: Sequence[str]) -> dict[str, Any]:
    """Return keys with values, all of them known.

    Raises
    ------
    InputError
        It is something else, or a key means nothing.
    """
    if not isinstance(content, dict):
        raise InputError(f"{where}: expected {', '.join(known)}, each with a value.")
    if unknown := sorted({str(key) for key in content} - set(known)):
        raise InputError(f"{where}: {', '.join(unknown)} means nothing here. Known: {', '.join(known)}.")
    return content


def read_text(said: dict[str, Any], key: str, where: str) -> str:
    """Return a text that must be there.

    Raises
    ------
    InputError
        It is missing, or is none.
    """
    value = said.get(key)
    if not isinstance(value, str) or not value.strip():
        raise InputError(f"{where}: {key} is missing, or is no text.")
    return value.strip()
