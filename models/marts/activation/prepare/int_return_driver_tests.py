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
    from hypotheses import drivers, relations

    # file_format is for Spark, whose adapter takes Delta for granted here
    dbt.config(materialized="table", file_format="parquet")
    fewest = int(dbt.config.get("fewest_people"))
    counts = relations.read_rows(dbt.ref("int_return_driver_counts"))
    rows = [tuple(getattr(found, name) for name in COLUMNS) for found in drivers.compare(counts, fewest)]
    return relations.to_relation(session, rows, COLUMNS)
