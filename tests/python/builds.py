"""Build a warehouse from a raw folder, and read the tables it publishes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pandas as pd
import pytest

ROOT = Path(__file__).resolve().parents[2]
# What dbt keeps of a parsed project, and the variable that names the folder where the tests share it.
PARSED, PARSED_FOLDER = "partial_parse.msgpack", "TEST_PARSED_FOLDER"
# dbt's unit tests bring their own rows: one build of a session runs them, and this variable holds the others from it.
# Its data tests are two fifths of the work of a small build; see `rows_only` in conftest.py.
LEFT_OUT, UNIT_TESTS, ALL_TESTS = "DBT_EXCLUDE_RESOURCE_TYPES", "unit_test", "unit_test test"
# how a step that failed ends
BAD_INPUT, FAILED = 3, 4


class BuildFailedError(AssertionError):
    """The pipeline ended with an error; the message holds the end of its output."""


def build_warehouse(
    raw: Path,
    warehouse: Path,
    *,
    score: bool = True,
    variables: Mapping[str, object] | None = None,
    unit_tests: bool = False,
    python: Path | None = None,
    settings: Mapping[str, str] | None = None,
) -> Path:
    """Load, build, score and publish a raw folder into a warehouse folder of its own.

    Parameters
    ----------
    raw
        Folder of the nine raw tables.
    warehouse
        Folder to publish into; dbt's artefacts and logs go into it too, so that no two builds share a file.
    score
        Whether to fit and score churn; without it `churn_probability` is null and the build is much shorter.
    variables
        dbt variables that differ from their defaults, for example ``{"as_of_date": "2018-03-01"}``.
    unit_tests
        Whether dbt's unit tests run too. They bring their own rows, so one build per session is enough for them.
    python
        Python of another environment than this one.
    settings
        Further environment variables, such as `DBT_TARGET`.

    Returns
    -------
    Path
        The warehouse folder, whose `current/warehouse.duckdb` is the published file.

    Raises
    ------
    BuildFailedError
        When the pipeline fails or publishes nothing.
    """
    warehouse.mkdir(parents=True, exist_ok=True)
    command = [str(python or sys.executable), "-m", "pipeline", "warehouse"]
    if variables:
        command += ["--vars", json.dumps(dict(variables))]
    if not score:
        command += ["--no-score"]
    environment = {
        **os.environ,
        "RAW_DIR": str(raw),
        "WAREHOUSE_DIR": str(warehouse),
        "DBT_TARGET_PATH": str(warehouse / "dbt-target"),
        "DBT_LOG_PATH": str(warehouse / "dbt-logs"),
        **(settings or {}),
    }
    if unit_tests:
        environment.pop(LEFT_OUT, None)
    with parsed_project(warehouse / "dbt-target"):
        run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if run.returncode != 0 or not published_file(warehouse).exists():
        output = (run.stdout + run.stderr)[-6000:]
        raise BuildFailedError(f"the warehouse of {raw} did not build (exit {run.returncode}):\n{output}")
    return warehouse


def build_warehouses(wanted: Mapping[str, tuple[Path, Path, Mapping[str, object]]]) -> dict[str, Path]:
    """Build several warehouses without scores, two at a time: one build keeps about one core busy.

    Parameters
    ----------
    wanted
        Raw folder, warehouse folder and dbt variables by name.

    Returns
    -------
    dict of str to Path
        The warehouse folders by name.
    """
    with ThreadPoolExecutor(max_workers=2) as pool:
        builds = {
            name: pool.submit(build_warehouse, raw, warehouse, score=False, variables=variables)
            for name, (raw, warehouse, variables) in wanted.items()
        }
        return {name: build.result() for name, build in builds.items()}


def published_file(warehouse: Path) -> Path:
    """Return the file that readers of a warehouse open."""
    return warehouse / "current" / "warehouse.duckdb"


def query(warehouse: Path, sql: str) -> pd.DataFrame:
    """Return the answer of a query on the published file, opened read-only."""
    with duckdb.connect(str(published_file(warehouse).resolve()), read_only=True) as connection:
        return connection.execute(sql).df()


def mart(warehouse: Path, table: str, order_by: str | None = None) -> pd.DataFrame:
    """Return a published table, for example ``mart(warehouse, "marts.customer_rfm", "customer_id")``."""
    return query(warehouse, f"select * from {table}" + (f" order by {order_by}" if order_by else ""))


def tables(warehouse: Path, schema: str) -> list[str]:
    """Return the names of a schema's published tables, in alphabetical order."""
    names = query(
        warehouse,
        f"select table_name from information_schema.tables where table_schema = '{schema}' order by table_name",
    )
    return [str(name) for name in names["table_name"]]


def environment(raw: Path, warehouse: Path) -> dict[str, str]:
    """Return what the pipeline is told of a raw folder and a warehouse folder; dbt's own things go into the latter."""
    return {
        **os.environ,
        "RAW_DIR": str(raw),
        "WAREHOUSE_DIR": str(warehouse),
        "DBT_TARGET_PATH": str(warehouse / "dbt-target"),
        "DBT_LOG_PATH": str(warehouse / "dbt-logs"),
    }


def start(raw: Path, warehouse: Path, *arguments: str) -> subprocess.Popen[str]:
    """Begin a step of the pipeline in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "pipeline", *arguments],
        cwd=ROOT,
        env=environment(raw, warehouse),
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def run(
    raw: Path, warehouse: Path, *arguments: str, program: Sequence[str] = ("-m", "pipeline")
) -> subprocess.CompletedProcess[str]:
    """Run a step of the pipeline as a person would, and give back what it said."""
    command, given = [sys.executable, *program, *arguments], environment(raw, warehouse)
    with parsed_project(warehouse / "dbt-target"):
        return subprocess.run(command, cwd=ROOT, env=given, capture_output=True, text=True, check=False)


@contextmanager
def small_disk(place: Path, size: str) -> Iterator[Path]:
    """Give a disk of a size such as ``160m``."""
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("a full disk is tried on a small tmpfs, which only root may mount")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


@contextmanager
def parsed_project(target: Path) -> Iterator[None]:
    """Let dbt begin with what it parsed for another test, and keep what it parses for the next.

    Reading the project takes as long as building a shop of a dozen orders; dbt reads again what has changed since.
    """
    kept = Path(os.environ[PARSED_FOLDER]) / PARSED if PARSED_FOLDER in os.environ else None
    mine = target / PARSED
    # a warehouse that is not there yet is the pipeline's to make, with the rights it gives
    if kept and kept.exists() and not mine.exists() and target.parent.exists():
        target.mkdir(exist_ok=True)
        shutil.copy(kept, mine)
    yield
    if kept and mine.exists() and not kept.exists():
        copy = kept.with_name(f"{PARSED}.{os.getpid()}")
        shutil.copy(mine, copy)
        copy.replace(kept)
