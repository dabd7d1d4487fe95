"""Whether a rival's tables are ours: nobody is compared who did other work."""

from __future__ import annotations

from pathlib import Path

import duckdb

from pipeline.base.errors import BuildError
from pipeline.base.sql import literal

TABLES = ("fct_orders", "customer_rfm", "customer_abc", "customer_xyz", "cohort_retention")
# Text cleaning is the loader's and the models' affair; the rivals are let off.
NOT_COMPARED = ("customer_city",)
TOLERANCE = 2e-9  # ratios are rounded to nine digits


def check_equal(build_file: Path, rival: Path) -> int:
    """Compare every cell of the rival's tables with the marts of a build file.

    Parameters
    ----------
    build_file : Path
    rival : Path
        Folder with one Parquet file per table, money in whole cents.

    Returns
    -------
    int
        Rows compared.

    Raises
    ------
    BuildError
        A table differs.
    """
    rows = 0
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH {literal(build_file)} AS build (READ_ONLY)")
        for table in TABLES:
            file = literal(rival / f"{table}.parquet")
            columns = [
                (name, kind)
                for name, kind, *_ in connection.execute(f"DESCRIBE build.marts.{table}").fetchall()
                if name not in NOT_COMPARED
            ]
            keys = ["cohort_month", "months_since_first_order"] if table == "cohort_retention" else [columns[0][0]]
            matching = " AND ".join(f"ours.{key} = theirs.{key}" for key in keys)
            differences = [
                f"count(*) FILTER (WHERE {_differs(name, kind)}) AS {name}"
                for name, kind in columns
                if name not in keys
            ]
            found = connection.execute(
                f"""SELECT count(*),
                count(*) FILTER (WHERE ours.{keys[0]} IS NULL OR theirs.{keys[0]} IS NULL) AS unmatched,
                {", ".join(differences)}
                FROM build.marts.{table} AS ours FULL JOIN read_parquet({file}) AS theirs ON {matching}"""
            )
            names = [column[0] for column in found.description or []]
            values = found.fetchone() or ()
            wrong = {name: value for name, value in zip(names[1:], values[1:], strict=True) if value}
            if wrong:
                raise BuildError(f"{rival.name} and the marts differ in {table}: rows per column {wrong}.")
            rows += int(values[0])
    return rows


def _differs(name: str, kind: str) -> str:
    if kind.startswith("DECIMAL") and name != "rfm_weighted_score":
        return f"CAST(ours.{name} * 100 AS BIGINT) IS DISTINCT FROM CAST(theirs.{name} AS BIGINT)"
    if kind == "DOUBLE" or name == "rfm_weighted_score":
        return (
            f"(ours.{name} IS NULL) <> (theirs.{name} IS NULL OR isnan(theirs.{name})) "
            f"OR abs(CAST(ours.{name} AS DOUBLE) - theirs.{name}) > {TOLERANCE}"
        )
    return f"ours.{name} IS DISTINCT FROM CAST(theirs.{name} AS {kind})"
