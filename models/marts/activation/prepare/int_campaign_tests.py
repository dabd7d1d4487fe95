"""One row per finished launch and measure: treated against control, from the sums that SQL prepared.

The mart `campaign_results` puts the campaign beside it. This step is apart from it because dbt enforces contracts on
SQL models only.
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
    from hypotheses import campaigns, relations

    # file_format is for Spark, whose adapter takes Delta for granted here
    dbt.config(materialized="table", file_format="parquet")
    rows = [
        tuple(getattr(compared, name) for name in COLUMNS)
        for compared in campaigns.compare(
            relations.read_rows(dbt.ref("campaigns")),
            relations.read_rows(dbt.ref("int_campaign_sums")),
        )
    ]
    return relations.to_relation(session, rows, COLUMNS)
