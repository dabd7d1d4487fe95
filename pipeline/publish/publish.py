"""Publish a finished build: a new folder with the warehouse in it, then one atomic swap of ``current``."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from pipeline.alerts.telling import judge_safely
from pipeline.base import paths
from pipeline.base.console import say, step
from pipeline.base.errors import BuildError, PipelineError
from pipeline.base.locking import exclusive
from pipeline.base.resources import restrain
from pipeline.base.sql import PUBLISHED_SCHEMAS, literal
from pipeline.build.build_file import failures_of_the_build_file
from pipeline.build.state import finished_build, inputs_digest
from pipeline.publish.wholeness import describe, find_damage, read_description
from pipeline.runs import events, history

BUILDS_KEPT = 3
ID_FORMAT = "%Y%m%dT%H%M%SZ"
ID = re.compile("[0-9]{8}T[0-9]{6}Z")
STORAGE_VERSION = "v1.4.0"  # DuckDB tools since 1.4 can open the published file


def publish(variables: str | None = None, *, with_scores: bool = True) -> Path:
    """Copy marts, scores and quality of the build file into a new build, and point ``current`` at it.

    Beside the whole warehouse lies ``stakeholders.duckdb``, a file of the tables that everyone may see.

    Readers resolve ``current`` when they connect: before the swap they get the old build, after it the new one, and
    an open connection keeps the build it has. A build that fails half way is never seen.

    Returns
    -------
    Path
        The published ``warehouse.duckdb``.

    Raises
    ------
    BuildError
        There is no finished build to publish.
    """
    with exclusive(paths.warehouse_dir()), step("publish") as this:
        if not paths.build_file().exists():
            raise BuildError("There is nothing to publish yet: run `make warehouse` first.")
        build = finished_build()
        if build is None:
            raise BuildError(
                "The last build did not finish, or the build file was changed since: what it holds is not published. "
                "Run `make warehouse`."
            )
        builds = paths.builds_dir()
        builds.mkdir(parents=True, exist_ok=True)
        for entry in builds.iterdir():
            if entry.suffix == ".part":
                _remove(entry)
        build_id = _new_id(builds)
        work = builds / f"{build_id}.part"
        work.mkdir()
        if (run := history.current()) is not None:
            run.build_id, run.is_worth_keeping = build_id, True
        manifest = _manifest()
        with failures_of_the_build_file():
            counts = _copy_tables(work / "warehouse.duckdb", manifest)
        alerts = judge_safely(work / "warehouse.duckdb")
        if alerts:
            history.publish_alerts(work / "warehouse.duckdb", alerts)
            counts["quality.alerts"] = len(alerts)
        _copy_for_stakeholders(work / "warehouse.duckdb", work / "stakeholders.duckdb", manifest, set(counts))
        for card in paths.warehouse_dir().glob("model_card*.md"):
            shutil.copy(card, work)
        describe(
            work,
            {
                "build_id": build_id,
                "inputs": inputs_digest(variables, with_scores),
                "landing": hashlib.sha256(build.landing.encode()).hexdigest(),
                "rows": counts,
            },
        )
        # Readers, Superset among them, have no business writing here; DuckDB would let a COPY overwrite the file.
        for file in work.iterdir():
            _sync(file)
            file.chmod(0o444)
        work.chmod(0o555)
        final = builds / build_id
        work.rename(final)
        _sync(builds)
        _point_current_at(final)
        if run is not None:
            run.alerts = alerts
        _remove_old(builds, keep=build_id)
        size = (final / "warehouse.duckdb").stat().st_size / 1e6
        this.result = f"{len(counts)} tables, {size:,.0f} MB, build {build_id}"
        events.emit("published", build_id=build_id, megabytes=round(size), rows=sum(counts.values()))
    return final / "warehouse.duckdb"


def is_current(variables: str | None = None, *, with_scores: bool = True) -> bool:
    """Tell whether the published build is whole and was made from the raw files, code and variables as they are now."""
    description = published()
    return description is not None and description.get("inputs") == inputs_digest(variables, with_scores)


def published() -> dict[str, Any] | None:
    """Describe the published build, or None when there is none, or it is lost or damaged, which is said."""
    link = paths.current_link()
    if not link.is_symlink():
        return None
    if damage := find_damage(link):
        say(f"  the published build is damaged: {damage}")
        return None
    return read_description(link)


def _manifest() -> dict[str, Any]:
    """Read dbt's manifest of the build."""
    file = paths.dbt_manifest()
    if not file.exists():
        raise PipelineError(f"dbt's manifest is not in {file.parent}: run `make warehouse`.")
    try:
        manifest: dict[str, Any] = json.loads(file.read_text())
    except ValueError as error:
        raise PipelineError(f"{file} is damaged: remove it, then run `make warehouse`.") from error
    return manifest


def _copy_tables(target: Path, manifest: dict[str, Any]) -> dict[str, int]:
    """Copy every published table with its comments; returns rows per table."""
    described = _descriptions(manifest)
    counts: dict[str, int] = {}
    with duckdb.connect() as connection:
        restrain(connection, paths.spill_dir())
        connection.execute(f"ATTACH {literal(paths.build_file())} AS build (READ_ONLY)")
        connection.execute(f"ATTACH {literal(target)} AS warehouse (STORAGE_VERSION '{STORAGE_VERSION}')")
        tables = connection.execute(
            """SELECT schema_name, table_name FROM duckdb_tables()
            WHERE database_name = 'build' AND list_contains(?, schema_name) ORDER BY ALL""",
            [list(PUBLISHED_SCHEMAS)],
        ).fetchall()
        if not tables:
            raise BuildError("The build file holds no marts: run `make warehouse`.")
        for schema in PUBLISHED_SCHEMAS:
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS warehouse.{schema}")
        for schema, table in tables:
            # a table whose model was deleted stays in a build file, and must not be served
            if (schema, table) not in described:
                continue
            name = f'warehouse.{schema}."{table}"'
            connection.execute(f'CREATE TABLE {name} AS FROM build.{schema}."{table}"')
            row = connection.execute(f"SELECT count(*) FROM {name}").fetchone()
            counts[f"{schema}.{table}"] = int(row[0]) if row else 0
        for table, rows in history.publish_tables(connection, "warehouse.quality").items():
            counts[f"quality.{table}"] = rows
        # together: each of these some thousand statements would wait for the disk on its own
        connection.execute("BEGIN")
        for copied in counts:
            schema, table = copied.split(".")
            _comment(connection, f'warehouse.{schema}."{table}"', described[schema, table])
        connection.execute("COMMIT")
        connection.execute("DETACH warehouse")
    return counts


def _copy_for_stakeholders(warehouse: Path, target: Path, manifest: dict[str, Any], copied: set[str]) -> None:
    """Copy the tables whose model says `meta: {audience: stakeholders}` into a file that holds nothing else.

    What is not in the file cannot be read from it, whatever a chart's data request says. A column whose own audience
    is another one is left out.
    """
    described = _descriptions(manifest)
    with duckdb.connect() as connection:
        restrain(connection, paths.spill_dir())
        connection.execute(f"ATTACH {literal(str(warehouse))} AS warehouse (READ_ONLY)")
        connection.execute(f"ATTACH {literal(str(target))} AS stakeholders (STORAGE_VERSION '{STORAGE_VERSION}')")
        connection.execute("BEGIN")
        for node in _published_nodes(manifest):
            schema, table = node["schema"], node.get("alias") or node["name"]
            if _audience(node) != "stakeholders" or f"{schema}.{table}" not in copied:
                continue
            hidden = [name for name, column in node["columns"].items() if _audience(column) not in ("", "stakeholders")]
            columns = f"* EXCLUDE ({', '.join(hidden)})" if hidden else "*"
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS stakeholders.{schema}")
            name = f'stakeholders.{schema}."{table}"'
            connection.execute(f'CREATE TABLE {name} AS SELECT {columns} FROM warehouse.{schema}."{table}"')
            _comment(connection, name, described[schema, table])
        connection.execute("COMMIT")
        connection.execute("DETACH stakeholders")


def _audience(described: dict[str, Any]) -> str:
    """Return who may see a model, source or column, as its configuration says; empty where it says nothing."""
    return str(described.get("config", {}).get("meta", {}).get("audience", ""))


def _comment(connection: duckdb.DuckDBPyConnection, name: str, described: tuple[str, dict[str, str]]) -> None:
    text, columns = described
    connection.execute(f"COMMENT ON TABLE {name} IS {literal(text)}")
    present = {column for column, *_ in connection.execute(f"DESCRIBE {name}").fetchall()}
    for column, meaning in columns.items():
        if column in present and meaning:
            connection.execute(f'COMMENT ON COLUMN {name}."{column}" IS {literal(meaning)}')


def _descriptions(manifest: dict[str, Any]) -> dict[tuple[str, str], tuple[str, dict[str, str]]]:
    """Read tables and columns with their descriptions from dbt's manifest."""
    return {
        (node["schema"], node.get("alias") or node["name"]): (
            node["description"].strip(),
            {column["name"]: column["description"].strip() for column in node["columns"].values()},
        )
        for node in _published_nodes(manifest)
    }


def _published_nodes(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what dbt's manifest says of the published schemas: models and seeds; scores and runs as sources."""
    nodes = [node for node in manifest["nodes"].values() if node["resource_type"] in ("model", "seed")]
    return [node for node in [*nodes, *manifest["sources"].values()] if node["schema"] in PUBLISHED_SCHEMAS]


def _point_current_at(build: Path) -> None:
    link = paths.current_link()
    if link.exists() and not link.is_symlink():
        raise PipelineError(f"{link} is no link to a build, as readers need it: move it away and publish again.")
    temporary = link.with_name("current.part")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(Path("builds") / build.name)
    temporary.replace(link)
    _sync(link.parent)


def _remove_old(builds: Path, keep: str) -> None:
    finished = sorted(entry for entry in builds.iterdir() if entry.is_dir() and entry.suffix != ".part")
    served = paths.current_link().resolve().name
    for old in finished[:-BUILDS_KEPT]:
        if old.name not in (keep, served):
            _remove(old)


def _remove(folder: Path) -> None:
    # renamed first: a run that is killed half way must not leave half a build that looks whole
    doomed = folder if folder.suffix == ".part" else folder.with_name(f"{folder.name}.part")
    folder.chmod(0o755)
    folder.replace(doomed)
    shutil.rmtree(doomed)


def _new_id(builds: Path) -> str:
    """Name a build by the second it is published at; ids sort by age, even where the clock was set back."""
    known = max((entry.name for entry in builds.iterdir() if ID.fullmatch(entry.name)), default=None)
    now = datetime.now(UTC)
    if known is not None:
        now = max(now, datetime.strptime(known, ID_FORMAT).replace(tzinfo=UTC) + timedelta(seconds=1))
    return now.strftime(ID_FORMAT)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
