"""One row per hypothesis: its test, made by scipy on counts that SQL prepared.

The mart `hypothesis_results` puts the claim beside it. This step is apart from it because dbt enforces contracts on SQL
models only. Neither pandas nor Arrow takes part: loading them would take longer than the tests.
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
        Connection to the build file.

    Returns
    -------
    duckdb.DuckDBPyRelation
        Results in the order of the seed.
    """
    # Imported here, for dbt parses this file where the project's own packages may not be on the path.
    from pipeline import hypotheses

    dbt.config(materialized="table")
    declared = dbt.ref("hypotheses").order("hypothesis_id").fetchnumpy()
    counted = dbt.ref("int_hypothesis_counts").fetchnumpy()
    # What a test does not use is NULL, hence masked, and is never looked at.
    columns = (np.ma.getdata(counted[name]) for name in ("hypothesis_id", "x_label", "x", "y", "units"))

    tested = hypotheses.evaluate(
        [
            hypotheses.Hypothesis(int(number), str(test), float(smallest), str(direction))
            for number, test, smallest, direction in zip(
                declared["hypothesis_id"],
                declared["test"],
                declared["smallest_effect_of_interest"],
                declared["expected_direction"],
                strict=True,
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
    unnested = ", ".join(f"unnest(cast(? as {data_type}[])) as {name}" for name, data_type in COLUMNS.items())
    return session.sql(f"select {unnested}", params=[list(column) for column in zip(*rows, strict=True)])
