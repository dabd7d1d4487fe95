"""Small helpers for SQL that the pipeline writes itself."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import duckdb
import pyarrow as pa

# What readers get of a build; staging, intermediate and raw tables stay in the build file.
PUBLISHED_SCHEMAS = ("marts", "scores", "quality")

# How DuckDB says that a file of its own is not as it was written.
DAMAGE = ("Corrupt database file", "not a valid DuckDB database file", "Could not read enough bytes")


def literal(value: object) -> str:
    """Write a value as an SQL text; whatever it holds, it stays one."""
    return "'" + str(value).replace("'", "''") + "'"


def file_literal(file: Path) -> str:
    """Write the path of one file as an SQL text for DuckDB's readers, which take a path for a pattern.

    Brackets, stars and question marks stand for themselves: ``wh[1]`` is a folder, not ``wh1``.
    """
    return literal("".join(f"[{letter}]" if letter in "*?[" else letter for letter in str(file)))


def parquet(files: Path | Iterable[Path], **options: object) -> str:
    """Write the SQL that reads Parquet files: these files, and the columns that are in them.

    Parameters
    ----------
    files : Path or iterable of Path
        Files by name; no patterns.
    **options : object
        Options of ``read_parquet``, such as ``filename=True``.
    """
    listed = ", ".join(file_literal(file) for file in ([files] if isinstance(files, Path) else files))
    # without it a folder called year=2024 on the way would become a column
    named = {"hive_partitioning": False, **options}
    return f"read_parquet([{listed}], {', '.join(f'{name} = {str(value).lower()}' for name, value in named.items())})"


def name_of(column: str) -> str:
    """Write a column's name, quoted."""
    return '"' + column.replace('"', '""') + '"'


def is_damage(message: str) -> bool:
    """Tell whether a message of DuckDB says that its file is damaged: cut off, or a checksum of a block is wrong."""
    return any(words in message for words in DAMAGE)


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
