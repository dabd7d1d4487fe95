"""Small helpers for SQL that the pipeline writes itself."""

from __future__ import annotations

import duckdb
import pyarrow as pa

# What readers get of a build; staging, intermediate and raw tables stay in the build file.
PUBLISHED_SCHEMAS = ("marts", "scores", "quality")


def literal(value: object) -> str:
    """Write a value as an SQL text; whatever it holds, it stays one."""
    return "'" + str(value).replace("'", "''") + "'"


def name_of(column: str) -> str:
    """Write a column's name, quoted."""
    return '"' + column.replace('"', '""') + '"'


def scalar(connection: duckdb.DuckDBPyConnection, statement: str) -> int:
    """Run a statement that answers with one number."""
    rows = connection.execute(statement).fetchall()
    return int(rows[0][0]) if rows else 0


def insert_rows(connection: duckdb.DuckDBPyConnection, target: str, rows: pa.Table) -> None:
    """Append rows to a table, column by position."""
    # a connection takes no new relation while the result of its last statement has not been fetched
    connection.execute("SELECT 1").fetchall()
    connection.register("appended", rows)
    connection.execute(f"INSERT INTO {target} FROM appended").fetchall()
    connection.unregister("appended")
