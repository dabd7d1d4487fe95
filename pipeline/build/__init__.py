"""The build file: dbt in this process, scoring beside it, on DuckDB or Spark."""
