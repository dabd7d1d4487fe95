"""Whether the input is fit to be built from: the largest tolerated share in quarantine."""

from __future__ import annotations

from pathlib import Path

import duckdb

from pipeline.base import paths
from pipeline.base.errors import InputError
from pipeline.base.settings import project_vars
from pipeline.base.sql import literal, parquet, scalar
from pipeline.landing import cells
from pipeline.landing.settle import Landed

REASONS_SHOWN = 3
IS_LOST = f"problem NOT IN ({', '.join(map(literal, cells.NO_LOSSES))})"


def check_quarantine(books: dict[str, Landed], variables: str | None = None) -> None:
    """Stop when more of a table is in quarantine than ``max_quarantined_share`` allows.

    Raises
    ------
    InputError
        Names each table beyond the limit with its most frequent reasons.
    """
    limit = project_vars(variables)["max_quarantined_share"]
    landing = paths.landing_dir()
    lost = {
        name: _lost_rows(landing, name) for name, book in books.items() if book.quarantined_rows > limit * book.raw_rows
    }
    beyond = {name: rows for name, rows in lost.items() if rows > limit * books[name].raw_rows}
    if not beyond:
        return
    told = "; ".join(
        f"{name}: {rows:,} of {books[name].raw_rows:,} rows ({_reasons(landing, name)})"
        for name, rows in beyond.items()
    )
    raise InputError(
        f"More of the raw files is in quarantine than max_quarantined_share ({limit:.0%}) allows. {told}. "
        f"Every row is in {landing / 'quarantine'} with its file, line and reason. "
        "Repair the files, or raise the limit for this run: --vars '{max_quarantined_share: 1}'."
    )


def _lost_rows(landing: Path, table: str) -> int:
    """Count the rows in quarantine; the column names again, or a survey nobody answered, are no loss."""
    with duckdb.connect() as connection:
        return scalar(
            connection,
            f"""SELECT count(*) FROM {parquet(landing / "quarantine" / f"{table}.parquet")}
            WHERE {IS_LOST}""",
        )


def _reasons(landing: Path, table: str) -> str:
    """Tell the most frequent reasons, without the values that differ from row to row."""
    with duckdb.connect() as connection:
        found = connection.execute(
            f"""SELECT source_file, min(line), min_by(reason, line), count(*) AS times
            FROM {parquet(landing / "quarantine" / f"{table}.parquet")} WHERE {IS_LOST}
            GROUP BY source_file, regexp_extract(reason, '^[^:]*') ORDER BY times DESC, 1, 2 LIMIT {REASONS_SHOWN}"""
        ).fetchall()
    return "; ".join(
        f"{times:,} like {file} line {line}: {reason}" if times > 1 else f"{file} line {line}: {reason}"
        for file, line, reason, times in found
    )
