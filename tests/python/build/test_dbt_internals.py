"""dbt as it comes builds the same warehouse, and dbt works from where editors and schedulers start it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from builds import ROOT, build_warehouse
from input_folder import small_shop
from snapshots import differing_tables

from pipeline.base import dbt_internals, paths

pytestmark = pytest.mark.rows_only

PROJECT = ("models", "macros", "seeds", "tests", "pipeline", "hypotheses", "scoring", "dbt_project.yml", "profiles.yml")


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_shop().write(tmp_path_factory.mktemp("raw"))


def test_dbt_left_as_it_comes_builds_the_same_warehouse(raw: Path, tmp_path: Path) -> None:
    ours = build_warehouse(raw, tmp_path / "ours", score=False)
    plain = build_warehouse(raw, tmp_path / "plain", score=False, settings={"DBT_PLAIN": "1"})
    assert differing_tables(ours, plain, ["marts", "quality"]) == {}


def test_a_dry_run_from_another_folder_of_a_project_of_any_name(raw: Path, tmp_path: Path) -> None:
    """One run for four things: it costs a minute to read a project for the first time."""
    project = tmp_path / "Ana's copy (1) [x] {y}"
    for entry in PROJECT:
        place = ROOT / entry
        if place.is_dir():
            shutil.copytree(place, project / entry, ignore=shutil.ignore_patterns("python", "__pycache__"))
        else:
            shutil.copy(place, project)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("WAREHOUSE_", "DBT_"))}
    dbt = str(Path(sys.executable).with_name("dbt"))
    command = [dbt, "--quiet", "build", "--empty", "--exclude-resource-type", "unit_test"]
    outcome = subprocess.run(
        [*command, "--project-dir", str(project), "--profiles-dir", str(project)],
        cwd=tmp_path,
        env={**environment, "RAW_DIR": str(raw)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome.returncode == 0, outcome.stdout[-3000:] + outcome.stderr[-3000:]
    # what is the project's is in the project's folder
    assert (project / "data" / "warehouse" / "build.duckdb").exists()
    assert not (tmp_path / "data").exists()
    # and a setting that cannot be meant is refused here too
    refused = subprocess.run(
        [*command, "--project-dir", str(project), "--vars", "{invalid_order_statuses: canceled}"],
        cwd=project,
        env={**environment, "RAW_DIR": str(raw)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert refused.returncode != 0 and "must be a list" in refused.stdout + refused.stderr


@pytest.mark.parametrize("clock", [-3600, 0, 3600])
def test_the_manifest_is_that_of_the_last_parse_whatever_the_clock_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: int
) -> None:
    monkeypatch.setenv("DBT_TARGET_PATH", str(tmp_path))
    monkeypatch.delenv("DBT_PLAIN", raising=False)
    commands: list[list[str]] = []

    class Outcome:
        result = None

    def invoke(command: list[str]) -> Outcome:
        commands.append(command)
        if "--no-write-json" not in command:
            paths.dbt_manifest().write_text("{}")
        return Outcome()

    cache = tmp_path / "partial_parse.msgpack"
    for number in range(2):
        cache.write_text("parsed")
        # the clock of this parse is wrong by an hour; a manifest dated in the future must hide no new mart
        at = 1_700_000_000 + number + clock * number
        os.utime(cache, (at, at))
        dbt_internals.invoke_without_manifest(invoke, ["build"])
        dbt_internals.invoke_without_manifest(invoke, ["build"])
    assert commands == [["build"], ["build", "--no-write-json"]] * 2


def test_plain_dbt_writes_every_manifest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBT_TARGET_PATH", str(tmp_path))
    monkeypatch.setenv("DBT_PLAIN", "1")
    (tmp_path / "partial_parse.msgpack").touch()
    paths.dbt_manifest().touch()
    os.utime(paths.dbt_manifest(), (1, 1))
    os.utime(tmp_path / "partial_parse.msgpack", (1, 1))
    commands: list[list[str]] = []
    dbt_internals.invoke_without_manifest(commands.append, ["build"])
    assert commands == [["build"]]
