"""One row per hypothesis: its test, made by scipy on counts that SQL prepared.

The mart `hypothesis_results` puts the claim beside it. This step is apart from it because dbt enforces contracts on SQL
models only.
"""

from typing import Any

import numpy as np

COLUMNS = {
    "hypothesis_id": "integer",
    "n": "bigint",
    "statistic": "double",
    "p_value": "double",
    "p_value_adjusted": "double",
    "effect_size": "double",
    "effect_low": "double",
    "effect_high": "double",
    "verdict": "varchar",
}


def model(dbt: Any, session: Any) -> Any:
    """Test every declared hypothesis.

    Parameters
    ----------
    dbt
        References and configuration of the model.
    session
        Connection to the build file, or the Spark session.

    Returns
    -------
    duckdb.DuckDBPyRelation or pyspark.sql.DataFrame
        Results in the order of the seed.
    """
    # Imported here, for dbt parses this file where the project's own packages may not be on the path.
    from hypotheses import judging as hypotheses
    from hypotheses import relations

    # file_format is for Spark, whose adapter takes Delta for granted here
    dbt.config(materialized="table", file_format="parquet")
    declared = _columns_of(dbt.ref("hypotheses"))
    counted = _columns_of(dbt.ref("int_hypothesis_counts"))
    # What a test does not use is NULL, hence masked, and is never looked at.
    columns = (np.ma.getdata(counted[name]) for name in ("hypothesis_id", "x_label", "x", "y", "units"))

    tested = hypotheses.evaluate(
        [
            hypotheses.Hypothesis(int(number), str(test), float(smallest), str(direction))
            for number, test, smallest, direction in sorted(
                zip(
                    declared["hypothesis_id"],
                    declared["test"],
                    declared["smallest_effect_of_interest"],
                    declared["expected_direction"],
                    strict=True,
                )
            )
        ],
        hypotheses.split_counts(*columns),
    )
    rows = [
        (
            row.hypothesis.hypothesis_id,
            row.result.n,
            row.result.statistic,
            row.result.p_value,
            row.p_value_adjusted,
            row.result.effect_size,
            row.result.effect_low,
            row.result.effect_high,
            row.verdict,
        )
        for row in tested
    ]
    return relations.to_relation(session, rows, COLUMNS)


def _columns_of(relation: Any) -> Any:
    """Read a relation of DuckDB, or a data frame of Spark, into arrays by column name."""
    if hasattr(relation, "fetchnumpy"):
        return relation.fetchnumpy()
    rows = relation.collect()
    columns = {field.name: (field.dataType.typeName(), [row[field.name] for row in rows]) for field in relation.schema}
    # numbers that are NULL become NaN
    return {
        name: np.array(values, dtype=object if kind == "string" else float) for name, (kind, values) in columns.items()
    }
