"""Tables between a build on Spark and the build file, as Parquet: marts and features leave, scores enter."""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb

from pipeline.base import paths
from pipeline.base.console import step
from pipeline.base.sql import PUBLISHED_SCHEMAS, literal, name_of
from pipeline.build import spark

# What Spark calls differently; any other type has the same name on both sides.
KINDS = {"string": "varchar", "timestamp_ntz": "timestamp"}


def to_build_file() -> None:
    """Copy every published table that is on Spark, and not in the build file yet, into the build file.

    Contracts were checked by dbt on Spark: names and types are those of the marts. Score tables come in empty.
    """
    session = spark.start()
    with step("marts to the build file") as this, duckdb.connect(str(paths.build_file())) as connection:
        connection.execute("SET preserve_insertion_order = false")
        known = set(connection.execute("SELECT schema_name, table_name FROM duckdb_tables()").fetchall())
        copied = 0
        for schema in PUBLISHED_SCHEMAS:
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
            for row in session.sql(f"show tables in {schema}").collect():
                if (schema, row.tableName) not in known:
                    fields = session.table(f"{schema}.{row.tableName}").schema
                    columns = {field.name: field.dataType.simpleString() for field in fields}
                    _copy(connection, schema, row.tableName, columns)
                    copied += 1
        this.result = f"{copied} tables"


def scores_to_spark() -> None:
    """Write the score tables of the build file as the Parquet that Spark reads them from."""
    with step("scores to Spark") as this, duckdb.connect(str(paths.build_file()), read_only=True) as connection:
        tables = connection.execute("SELECT table_name FROM duckdb_tables() WHERE schema_name = 'scores'").fetchall()
        for (table,) in tables:
            folder = _folder("scores", table)
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            file = literal(folder / "scores.parquet")
            connection.execute(f"COPY scores.{name_of(table)} TO {file} (FORMAT parquet)")
        this.result = f"{len(tables)} tables"


def _copy(connection: duckdb.DuckDBPyConnection, schema: str, table: str, columns: dict[str, str]) -> None:
    """Create a table from the columns and the files it has on Spark."""
    kinds = {name_of(name): KINDS.get(kind, kind) for name, kind in columns.items()}
    target = f"{schema}.{name_of(table)}"
    connection.execute(f"CREATE TABLE {target} ({', '.join(f'{name} {kind}' for name, kind in kinds.items())})")
    files = _folder(schema, table) / "*.parquet"
    if any(files.parent.glob(files.name)):
        cast = ", ".join(f"CAST({name} AS {kind})" for name, kind in kinds.items())
        connection.execute(f"INSERT INTO {target} SELECT {cast} FROM read_parquet({literal(files)})")


def _folder(schema: str, table: str) -> Path:
    """Return where Spark keeps a table."""
    return paths.spark_dir() / f"{schema}.db" / table
