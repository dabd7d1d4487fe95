"""Which engine runs the models: the one place that reads ``DBT_TARGET``."""

from __future__ import annotations

import os

from pipeline.base.errors import PipelineError


def target() -> str:
    """Return dbt's target: ``duckdb`` unless ``DBT_TARGET`` names another.

    Raises
    ------
    PipelineError
        The pipeline does not run on that target.
    """
    named = os.environ.get("DBT_TARGET") or "duckdb"
    if named not in ("duckdb", "spark"):
        raise PipelineError(
            f"DBT_TARGET is {named}: the pipeline runs on duckdb or spark. For MotherDuck see docs/motherduck.md."
        )
    return named


def on_spark() -> bool:
    """Tell whether the models run on Spark; everything before and after them runs on DuckDB in any case."""
    return target() == "spark"
