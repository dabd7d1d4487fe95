"""What a dbt Python model reads from and gives back to its engine: DuckDB, or Spark.

Neither pandas nor Arrow takes part: loading them would take longer than what the models compute.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

# What Spark calls differently.
_KINDS_OF_SPARK = {"varchar": "string", "integer": "int"}


def read_rows(relation: Any) -> list[dict[str, Any]]:
    """Read a relation of DuckDB, or a data frame of Spark, into one dictionary a row."""
    if hasattr(relation, "fetchall"):
        names = relation.columns
        return [dict(zip(names, row, strict=True)) for row in relation.fetchall()]
    return [row.asDict() for row in relation.collect()]


def to_relation(session: Any, rows: Sequence[tuple[Any, ...]], columns: Mapping[str, str]) -> Any:
    """Make rows into what a model returns.

    Parameters
    ----------
    session
        Connection to the build file, or the Spark session.
    rows
        One tuple a row, in the order of the columns; there may be none.
    columns
        DuckDB's type by name of column.

    Returns
    -------
    duckdb.DuckDBPyRelation or pyspark.sql.DataFrame
    """
    if hasattr(session, "createDataFrame"):
        kinds = ", ".join(f"{name} {_KINDS_OF_SPARK.get(kind, kind)}" for name, kind in columns.items())
        return session.createDataFrame(list(rows), kinds)
    values = [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in columns]
    unnested = ", ".join(f"unnest(cast(? as {kind}[])) as {name}" for name, kind in columns.items())
    return session.sql(f"select {unnested}", params=values)
