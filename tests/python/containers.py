"""What deploy/ says of containers, read as Docker would read it, so that it can be checked and run without Docker."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from builds import ROOT

DEPLOY = ROOT / "deploy"
CACHES = shutil.ignore_patterns("__pycache__", ".*cache")


@dataclass
class Stage:
    """One stage of the Dockerfile, with what it has from the stages under it."""

    image: str
    environment: dict[str, str] = field(default_factory=dict)
    copies: list[tuple[list[str], str]] = field(default_factory=list)
    user: str = ""
    has_health: bool = False
    words: dict[str, list[str]] = field(default_factory=dict)  # ENTRYPOINT, CMD, HEALTHCHECK


def dockerfile() -> dict[str, Stage]:
    """Return the stages of the Dockerfile by name."""
    text = re.sub(r"\\\n\s*", " ", (DEPLOY / "Dockerfile").read_text())
    stages: dict[str, Stage] = {}
    stage = Stage("")
    for line in text.splitlines():
        word, _, rest = line.strip().partition(" ")
        if word == "FROM":
            image, _, name = rest.partition(" AS ")
            under = stages.get(image, Stage(""))
            stage = Stage(image, dict(under.environment), list(under.copies), under.user)
            stages[name] = stage
        elif word == "ENV":
            stage.environment.update(
                {name: value for name, _, value in (one.partition("=") for one in shlex.split(rest))}
            )
        elif word == "COPY" and not rest.startswith("--from"):
            *sources, target = rest.split()
            stage.copies.append((sources, target))
        elif word == "USER":
            stage.user = rest
        elif word in ("ENTRYPOINT", "CMD", "HEALTHCHECK"):
            listed = re.search(r"\[.*\]", rest)
            stage.words[word] = yaml.safe_load(listed[0]) if listed else []
            stage.has_health |= word == "HEALTHCHECK" and rest != "NONE"
    return stages


def lay_out(stage: Stage, folder: Path) -> Path:
    """Copy into a folder what the image has of this project, and nothing else."""
    for sources, target in stage.copies:
        for source in sources:
            found = ROOT / source
            if found.is_dir():
                shutil.copytree(found, folder / target, ignore=CACHES, dirs_exist_ok=True)
            else:
                place = folder / target / found.name
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(found, place)
    return folder


def compose(settings: Mapping[str, str]) -> dict[str, Any]:
    """Read the compose file with settings filled in.

    Raises
    ------
    KeyError
        A setting that has no default is not given.
    """

    def fill(match: re.Match[str]) -> str:
        name, has_default, rest = match[1], match[2] == ":-", match[3]
        if not has_default and name not in settings:
            raise KeyError(f"{name}: {rest}")
        return settings.get(name) or (rest if has_default else "")

    text = re.sub(r"(?<!\$)\$\{(\w+)(:-|:\?)([^}]*)\}", fill, (DEPLOY / "compose.yaml").read_text())
    content: dict[str, Any] = yaml.safe_load(text.replace("$$", "$"))
    return content
