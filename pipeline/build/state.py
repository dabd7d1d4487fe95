"""What the build file holds: whether its build was finished, and from which input, code and settings."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from pipeline.base import campaigns, paths
from pipeline.base.files import read_record, write_record, write_whole
from pipeline.base.settings import project_vars
from pipeline.landing.files import find_pieces
from pipeline.landing.settle import TableState
from pipeline.mapping.mapping import state_of_shop

# What a build depends on besides the raw files; the lock stands for the versions that ran it, and lists no checks.
CODE = (
    "models",
    "macros",
    "seeds",
    "hypotheses",
    "scoring",
    "pipeline/base",
    "pipeline/landing",
    "pipeline/mapping",
    "mappings",
    "pipeline/build",
    "dbt_project.yml",
    "profiles.yml",
    "requirements/pipeline.txt",
)
# Words about a result, not the result.
WORDING = ("scoring/model_card.py",)
# Tables whose rows make up the facts of a month.
FACT_TABLES = ("orders", "order_items", "order_payments", "order_reviews", "customers", "products")


@dataclass(frozen=True)
class BuildState:
    """A finished build of the build file.

    Attributes
    ----------
    recipe : str
        Digest of code and variables.
    landing : str
        Digest of the whole landing.
    months : dict
        Per table that facts are built from, month to digest of its rows.
    with_scores : bool
        Whether it was scored.
    file : str
        Size and time of change of the build file when the build ended: whoever changed it since, it was not a build.
    engine : str
        dbt's target that made it.
    """

    recipe: str
    landing: str
    months: dict[str, dict[str, str]]
    with_scores: bool
    file: str
    engine: str = "duckdb"

    def first_changed_month(self, months: dict[str, dict[str, str]]) -> str | None:
        """Find the first month whose facts are not those of this build; None when there is none."""
        return min(
            (
                month
                for table in FACT_TABLES
                for month in self.months[table].keys() | months[table].keys()
                if self.months[table].get(month) != months[table].get(month)
            ),
            default=None,
        )


def forget_build() -> None:
    """Note that the build file is being changed: until the build ends, nothing may be published from it."""
    _file().unlink(missing_ok=True)


def remember_build(state: BuildState) -> None:
    """Note that the build file holds a finished build."""
    write_record(_file(), asdict(state))


def finished_build() -> BuildState | None:
    """Return the finished build that the build file holds, or None: there is none, or it was changed since."""
    try:
        state = BuildState(**(read_record(_file()) or {}))
    except TypeError:
        return None
    return state if state.file == file_state() else None


def file_state() -> str:
    """Return size and time of change of the build file."""
    try:
        found = paths.build_file().stat()
    except OSError:
        return ""
    return f"{found.st_size}:{found.st_mtime_ns}"


def months_of(states: dict[str, TableState]) -> dict[str, dict[str, str]]:
    """Return the months of the tables that facts are built from."""
    return {table: states[table].months for table in FACT_TABLES}


def recipe_digest(variables: str | None) -> str:
    """Digest the code and the variables; in which form the variables were written means nothing."""
    settings = json.dumps(project_vars(variables), sort_keys=True, default=str)
    digest = hashlib.sha256(f"{settings}\n".encode())
    for entry in CODE:
        place = paths.PROJECT / entry
        files = sorted(place.rglob("*")) if place.is_dir() else [place]
        for file in files:
            name = file.relative_to(paths.PROJECT).as_posix()
            if file.is_file() and "__pycache__" not in file.parts and name not in WORDING:
                digest.update(f"{name}\n".encode())
                digest.update(file.read_bytes())
    return digest.hexdigest()


def inputs_digest(variables: str | None, with_scores: bool) -> str:
    """Digest all that a build depends on: the state of the raw files, the code, the variables."""
    digest = hashlib.sha256(f"{recipe_digest(variables)} {with_scores}\n".encode())
    listed = state_of_shop()
    if listed is None:
        listed = [
            f"{piece.name}={piece.state()}" for pieces in find_pieces(paths.raw_dir()).values() for piece in pieces
        ]
    digest.update("".join(f"{line}\n" for line in [*listed, *campaigns.states()]).encode())
    return digest.hexdigest()


def note_unit_tests_passed(recipe: str, engine: str) -> None:
    """Note that dbt's unit tests have passed with this code and these variables on this engine."""
    write_whole(_unit_tests_file(), f"{engine} {recipe}")


def are_unit_tests_passed(recipe: str, engine: str) -> bool:
    """Tell whether dbt's unit tests have passed with this code and these variables on this engine before."""
    file = _unit_tests_file()
    return file.is_file() and file.read_bytes() == f"{engine} {recipe}".encode()


def _unit_tests_file() -> Path:
    return paths.warehouse_dir() / "unit_tests_passed"


def _file() -> Path:
    return paths.warehouse_dir() / "build.json"
