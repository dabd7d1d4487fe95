"""Compare whole published warehouses, table by table and row by row."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import duckdb
from builds import published_file, tables

# When something ran, on which file and line: true of the run, not of the shop.
RUN_COLUMNS = {"built_at", "loaded_at", "scored_at", "line", "source_file"}
RUN_TABLES = {"quality.runs", "quality.test_results", "quality.build_measures", "quality.alerts"}


def differing_tables(
    left: Path, right: Path, schemas: Collection[str], *, ignore: Collection[str] = ()
) -> dict[str, list[str]]:
    """Return the tables whose rows differ, with a few of the differing rows.

    Parameters
    ----------
    left, right
        Warehouse folders.
    schemas
        Schemas to compare, for example ``["marts", "quality"]``.
    ignore
        Further columns that are true of the run, not of the shop.
    """
    different: dict[str, list[str]] = {}
    with duckdb.connect() as connection:
        for name, warehouse in (("left_side", left), ("right_side", right)):
            connection.execute(f"attach '{published_file(warehouse).resolve()}' as {name} (read_only)")
        for schema in schemas:
            assert tables(left, schema) == tables(right, schema)
            for table in tables(left, schema):
                if f"{schema}.{table}" in RUN_TABLES:
                    continue
                if rows := _differences(connection, f"{schema}.{table}", {*RUN_COLUMNS, *ignore}):
                    different[f"{schema}.{table}"] = rows
    return different


def _differences(connection: duckdb.DuckDBPyConnection, table: str, ignored: Collection[str]) -> list[str]:
    described = connection.execute(f"describe left_side.{table}").fetchall()
    columns = ", ".join(f'"{name}"' for name, *_ in described if name not in ignored)
    found = []
    for one, other in (("left_side", "right_side"), ("right_side", "left_side")):
        rows = connection.execute(
            f"select {columns} from {one}.{table} except all select {columns} from {other}.{table} limit 3"
        ).fetchall()
        found += [f"only {one}: {row}" for row in rows]
    return found
