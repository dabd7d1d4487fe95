"""Which engine runs the models: the one place that reads ``DBT_TARGET``."""

from __future__ import annotations

import os


def target() -> str:
    """Return dbt's target: ``duckdb`` unless ``DBT_TARGET`` names another of ``profiles.yml``."""
    return os.environ.get("DBT_TARGET") or "duckdb"


def on_spark() -> bool:
    """Tell whether the models run on Spark; everything before and after them runs on DuckDB in any case."""
    return target() == "spark"
