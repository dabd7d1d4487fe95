"""One row per finished launch and measure: treated against control, from the sums that SQL prepared.

The mart `campaign_results` puts the campaign beside it. This step is apart from it because dbt enforces contracts on
SQL models only. Neither pandas nor Arrow takes part: loading them would take longer than the comparisons.
"""

from typing import Any

COLUMNS = {
    "launch_id": "varchar",
    "measure": "varchar",
    "treated_value": "double",
    "control_value": "double",
    "difference": "double",
    "difference_low": "double",
    "difference_high": "double",
    "ratio": "double",
    "ratio_low": "double",
    "ratio_high": "double",
    "p_value": "double",
    "split_p_value": "double",
    "detectable_difference": "double",
    "verdict": "varchar",
}

# What Spark calls differently.
KINDS_OF_SPARK = {"varchar": "string"}


def model(dbt: Any, session: Any) -> Any:
    """Compare the arms of every launch that is over.

    Parameters
    ----------
    dbt
        References and configuration of the model.
    session
        Connection to the build file, or the Spark session.

    Returns
    -------
    duckdb.DuckDBPyRelation or pyspark.sql.DataFrame
        Two rows per launch, in the order of their ids.
    """
    # Imported here, for dbt parses this file where the project's own packages may not be on the path.
    from hypotheses import campaigns

    # file_format is for Spark, whose adapter takes Delta for granted here
    dbt.config(materialized="table", file_format="parquet")
    rows = [
        tuple(getattr(compared, name) for name in COLUMNS)
        for compared in campaigns.compare(
            _rows_of(dbt.ref("campaigns")),
            _rows_of(dbt.ref("int_campaign_sums")),
        )
    ]
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
