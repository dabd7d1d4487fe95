"""One row per driver, value and horizon that enough people share: their return against everyone else's.

The mart `return_drivers` puts the counts beside it. This step is apart from it because dbt enforces contracts on SQL
models only.
"""

from typing import Any

COLUMNS = {
    "driver": "varchar",
    "driver_value": "varchar",
    "horizon_days": "integer",
    "ratio": "double",
    "ratio_low": "double",
    "ratio_high": "double",
    "p_value_adjusted": "double",
    "verdict": "varchar",
}

# What Spark calls differently.
KINDS_OF_SPARK = {"varchar": "string", "integer": "int"}


def model(dbt: Any, session: Any) -> Any:
    """Compare the people of every value with all others.

    Parameters
    ----------
    dbt
        References and configuration of the model.
    session
        Connection to the build file, or the Spark session.

    Returns
    -------
    duckdb.DuckDBPyRelation or pyspark.sql.DataFrame
        In the order of driver, value and horizon.
    """
    # Imported here, for dbt parses this file where the project's own packages may not be on the path.
    from hypotheses import drivers

    # file_format is for Spark, whose adapter takes Delta for granted here
    dbt.config(materialized="table", file_format="parquet")
    fewest = int(dbt.config.get("fewest_people"))
    counts = _rows_of(dbt.ref("int_return_driver_counts"))
    rows = [tuple(getattr(found, name) for name in COLUMNS) for found in drivers.compare(counts, fewest)]
    if hasattr(session, "createDataFrame"):
        kinds = ", ".join(f"{name} {KINDS_OF_SPARK.get(kind, kind)}" for name, kind in COLUMNS.items())
        return session.createDataFrame(rows, kinds)
    values = [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in COLUMNS]
    unnested = ", ".join(f"unnest(cast(? as {data_type}[])) as {name}" for name, data_type in COLUMNS.items())
    return session.sql(f"select {unnested}", params=values)


def _rows_of(relation: Any) -> list[dict[str, Any]]:
    """Read a relation of DuckDB, or a data frame of Spark, into one dictionary a row."""
    if hasattr(relation, "fetchall"):
        names = relation.columns
        return [dict(zip(names, row, strict=True)) for row in relation.fetchall()]
    return [row.asDict() for row in relation.collect()]
