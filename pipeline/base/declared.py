"""What files that people write share: strict reading, and messages that name the place."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

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


class StrictLoader(yaml.SafeLoader):
    """Safe YAML in which no key may be there twice: the first of the two would be forgotten unseen."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Read a mapping.

        Raises
        ------
        yaml.YAMLError
            Names the key that is there twice.
        """
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                if key.value in seen:
                    problem = f"{key.value} is there twice (line {key.start_mark.line + 1})"
                    raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
                seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


def read_yaml(text: str) -> Any:
    """Read YAML that people write.

    Raises
    ------
    yaml.YAMLError
        It is none, has a key twice, or a value that only looks like a day or a number.
    """
    try:
        return yaml.load(text, StrictLoader)  # noqa: S506 - a safe loader that is stricter
    except ValueError as error:
        raise yaml.YAMLError(str(error)) from error


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
