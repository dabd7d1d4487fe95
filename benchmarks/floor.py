"""The floor: the statements that dbt made, straight through DuckDB in dbt's order, without dbt.

What stands between this and `dbt build` is the price of dbt: its start, contracts, tests, records.
"""

from __future__ import annotations

import argparse
import json
import runpy
import sys
import time
from collections.abc import Mapping
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import duckdb

from pipeline.base import paths
from pipeline.base.resources import restrain
from pipeline.base.sql import literal, name_of
from pipeline.landing.load import show_landing


class _Config:
    """The configuration of a Python model: what it says of itself is done here, what others said of it is read."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.get = values.get

    def __call__(self, **_: object) -> None:
        return


class _Project:
    """What a Python model asks of dbt."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, schemas: Mapping[str, str], config: Mapping[str, Any]
    ) -> None:
        self._connection, self._schemas, self.config = connection, schemas, _Config(config)

    def ref(self, name: str) -> duckdb.DuckDBPyRelation:
        return self._connection.table(f"{self._schemas[name]}.{name}")


def run(target: Path, build: Path, out: Path, *, is_profiled: bool = False) -> list[dict[str, Any]]:
    """Build every seed and model of a compiled project into a new file.

    Parameters
    ----------
    target : Path
        dbt's target folder of a whole build: its manifest and what it ran.
    build : Path
        Build file of that build, for the definitions of the tables that scoring fills.
    out : Path
        File to build, replaced.
    is_profiled : bool
        Measure each model's memory too; costs a little.

    Returns
    -------
    list of dict
        ``model``, ``seconds``, and with `is_profiled` ``peak_mb`` of each.
    """
    manifest = json.loads((target / "manifest.json").read_text())
    nodes = {key: node for key, node in manifest["nodes"].items() if node["resource_type"] in ("model", "seed")}
    parents = {key: [one for one in manifest["parent_map"][key] if one in nodes] for key in nodes}
    with duckdb.connect(str(build), read_only=True) as built:
        scores = built.execute("SELECT sql FROM duckdb_tables() WHERE schema_name = 'scores'").fetchall()
    out.unlink(missing_ok=True)
    measured = []
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH {literal(out)} AS build (STORAGE_VERSION 'v1.4.0')")
        connection.execute("USE build")
        connection.execute("SET preserve_insertion_order = false")
        # it would stand in the middle of what is printed for the report
        connection.execute("SET enable_progress_bar = false")
        restrain(connection, out.with_suffix(".spill"))
        show_landing(connection)
        for schema in sorted({node["schema"] for node in nodes.values()} | {"scores"}):
            connection.execute(f"CREATE SCHEMA {schema}")
        for (statement,) in scores:
            connection.execute(statement)
        schemas = {node["name"]: node["schema"] for node in nodes.values()}
        if is_profiled:
            profile = out.with_suffix(".json")
            connection.execute("PRAGMA enable_profiling = 'json'")
            connection.execute(f"PRAGMA profiling_output = {literal(profile)}")
        for key in TopologicalSorter(parents).static_order():
            node = nodes[key]
            started = time.monotonic()
            _build(connection, schemas, node, target)
            one = {"model": node["name"], "seconds": time.monotonic() - started}
            # the engine writes no profile of a view, nor of what Python does with its tables
            if is_profiled and profile.exists():
                one["peak_mb"] = json.loads(profile.read_text())["system"]["peak_buffer_memory"] / 1e6
                profile.unlink()
            measured.append(one)
    return measured


def _build(
    connection: duckdb.DuckDBPyConnection, schemas: Mapping[str, str], node: dict[str, Any], target: Path
) -> None:
    name = f"{node['schema']}.{name_of(node['name'])}"
    if node["resource_type"] == "seed":
        file = literal(paths.PROJECT / node["original_file_path"])
        connection.execute(f"CREATE TABLE {name} AS FROM read_csv({file}, header = true)")
    elif node["language"] == "python":
        model = runpy.run_path(str(paths.PROJECT / node["original_file_path"]))["model"]
        project = _Project(connection, schemas, node["config"])
        model(project, connection).create(f"{node['schema']}.{node['name']}")
    elif node["config"]["materialized"] == "view":
        # dbt makes views under another name first
        sql = (target / "compiled" / node["package_name"] / node["original_file_path"]).read_text()
        connection.execute(f"CREATE VIEW {name} AS {sql}")
    else:
        connection.execute((target / "run" / node["package_name"] / node["original_file_path"]).read_text())


def main() -> int:
    """Run the floor from the command line; with ``--profile``, print what each model took."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.floor", description=__doc__)
    parser.add_argument("target", type=Path)
    parser.add_argument("build", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    measured = run(options.target, options.build, options.out, is_profiled=options.profile)
    if options.profile:
        print(json.dumps(measured))
    return 0


if __name__ == "__main__":
    sys.exit(main())
