"""A table's file: written beside its place, known again by its footer, brought up to date by its key."""

from __future__ import annotations

import errno
import filecmp
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from extraction.declared import Table
from pipeline.base import paths
from pipeline.base.console import say
from pipeline.base.errors import InputError, PipelineError
from pipeline.base.resources import restrain
from pipeline.base.sql import name_of, parquet, scalar

# In the footer of a file that this room has written: the digest of what its table is declared to be.
MADE_FROM = b"extracted_by"
PART_ENDING = ".extracted.part"
# Ways to hand over the same table that the landing takes too.
OTHER_ENDINGS = (".csv", ".csv.gz")
SECONDS_BETWEEN_LINES = 5
EXAMPLES = 3


@dataclass(frozen=True)
class Written:
    """What became of a table.

    Attributes
    ----------
    part : Path or None
        The new file, not yet in its place; None where nothing has changed.
    read : int
        Rows that the source gave.
    rows : int
        Rows that the file holds.
    """

    part: Path | None
    read: int
    rows: int


def file_of(folder: Path, table: Table) -> Path:
    """Return where a table's file lies."""
    return folder / f"{table.name}.parquet"


def part_of(folder: Path, table: Table, kind: str = "") -> Path:
    """Return where a table's file is written until it is whole: hidden, so that nobody takes it for a piece."""
    return folder / f".{table.name}{kind}{PART_ENDING}"


def clear_parts(folder: Path) -> None:
    """Remove what a run that was stopped has left behind."""
    for part in folder.glob(f".*{PART_ENDING}"):
        part.unlink()


def is_kept(folder: Path, table: Table) -> bool:
    """Tell whether the file that lies there is of the table as it is declared now.

    Raises
    ------
    InputError
        What lies there is not ours to replace.
    """
    for ending in OTHER_ENDINGS:
        if (folder / f"{table.name}{ending}").exists():
            raise InputError(
                f"{folder} holds {table.name}{ending}, and {table.place} would write {table.name}.parquet beside it. "
                "Remove one of the two."
            )
    file = file_of(folder, table)
    if not file.exists():
        return False
    try:
        footer = pq.read_schema(file).metadata or {}
    except (pa.ArrowException, OSError):
        footer = {}
    if MADE_FROM not in footer:
        raise InputError(
            f"{file} was not written by an extraction, so it is not replaced. Move it elsewhere, or give {table.place} "
            "another name."
        )
    return bool(footer[MADE_FROM].decode() == table.digest())


def highest(file: Path, column: str) -> Any:
    """Return the highest value of a column; None where there is none."""
    values = pq.read_table(file, columns=[column], partitioning=None)[column]
    return pc.max(values).as_py() if len(values) else None


def write(table: Table, part: Path, batches: Iterable[pa.Table]) -> int:
    """Write what a source gives as one file, on the disk when this returns.

    Parameters
    ----------
    table : Table
    part : Path
    batches : iterable of pyarrow.Table
        At least one, which may have no rows; all with the columns of the first.

    Returns
    -------
    int
        Rows.
    """
    rows, told, started = 0, time.monotonic(), time.monotonic()
    writer: pq.ParquetWriter | None = None
    with part.open("wb") as stream, ExitStack() as stack:
        for batch in batches:
            if writer is None:
                schema = batch.schema.remove_metadata().with_metadata({MADE_FROM: table.digest().encode()})
                writer = stack.enter_context(pq.ParquetWriter(stream, schema, compression="zstd"))
            # a source that gives other types further down would be written as something it is not
            writer.write_table(_as_first(table, batch, writer.schema))
            rows += batch.num_rows
            if (now := time.monotonic()) - told > SECONDS_BETWEEN_LINES:
                told = now
                say(f"    {table.name}: {rows:,} rows so far, {rows / (now - started):,.0f} a second")
        if writer is None:
            raise PipelineError(f"{table.place} gave neither rows nor columns.")
        stack.close()
        stream.flush()
        os.fsync(stream.fileno())
    return rows


def _as_first(table: Table, batch: pa.Table, schema: pa.Schema) -> pa.Table:
    batch = batch.replace_schema_metadata(None)
    if batch.schema.equals(schema.remove_metadata()):
        return batch
    try:
        return batch.cast(schema)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, ValueError, KeyError) as error:
        raise InputError(
            f"{table.place}: further down its values are of another kind than in the first rows "
            f"({str(error).splitlines()[0]}). Convert the column in the source."
        ) from error


def check_keys(table: Table, part: Path, *, may_repeat: bool) -> None:
    """Refuse rows that their key does not tell apart: the next run would lose all but one of them.

    Raises
    ------
    InputError
    """
    if not table.key:
        return
    lacking = [name for name in (*table.key, table.cursor) if name and name not in pq.read_schema(part).names]
    if lacking:
        raise InputError(f"{table.place}: {', '.join(lacking)} is no column of what the source gives.")
    keys = ", ".join(map(name_of, table.key))
    empty = " OR ".join(f"{name_of(name)} IS NULL" for name in table.key)
    with _connected() as connection:
        if nameless := scalar(connection, f"SELECT count(*) FROM {parquet(part)} WHERE {empty}"):
            raise InputError(f"{table.place}.key: {nameless:,} rows have an empty {' or '.join(table.key)}.")
        repeated = f"SELECT {keys} FROM {parquet(part)} GROUP BY ALL HAVING count(*) > 1"
        if not may_repeat and (count := scalar(connection, f"SELECT count(*) FROM ({repeated})")):
            shown = connection.execute(f"{repeated} ORDER BY ALL LIMIT {EXAMPLES}").fetchall()
            raise InputError(
                f"{table.place}.key: {count:,} values of {', '.join(table.key)} name several rows, such as "
                f"{', '.join(str(row[0] if len(row) == 1 else row) for row in shown)}. Name columns that tell all rows "
                "apart."
            )


def fits(file: Path, part: Path, *, may_lack: bool) -> bool:
    """Tell whether new rows have the columns of those that lie there.

    Parameters
    ----------
    file, part : Path
    may_lack : bool
        Rows of an API leave out what is empty.
    """
    kept, new = (pq.read_schema(one).remove_metadata() for one in (file, part))
    return set(new.names) <= set(kept.names) if may_lack else bool(kept.equals(new))


def merge(table: Table, file: Path | None, new: Path, part: Path) -> int | None:
    """Bring a file up to date: each key once, with its newest row.

    Parameters
    ----------
    table : Table
    file : Path or None
        What lies there; None for the first rows.
    new : Path
        What the source has given.
    part : Path
        Written, unless nothing changes.

    Returns
    -------
    int or None
        Rows of the file; None where it is as it was.
    """
    keys = ", ".join(map(name_of, table.key))
    latest = (
        f"SELECT * EXCLUDE (file_row_number) FROM {parquet(new, file_row_number=True)} "
        f"QUALIFY row_number() OVER (PARTITION BY {keys} ORDER BY file_row_number DESC) = 1"
    )
    with _connected() as connection:
        if file is None:
            return write(table, part, _batches(connection, latest))
        again = f"SELECT kept.* FROM {parquet(file)} AS kept SEMI JOIN {parquet(new)} AS new USING ({keys})"
        # an API leaves out what is empty: the columns are those of the file
        padded = f"SELECT * FROM (FROM {parquet(file)} LIMIT 0) UNION ALL BY NAME ({latest})"
        if not scalar(connection, f"SELECT count(*) FROM ({padded} EXCEPT ALL ({again}))"):
            return None
        settled = f"SELECT kept.* FROM {parquet(file)} AS kept ANTI JOIN {parquet(new)} AS new USING ({keys})"
        return write(table, part, _batches(connection, f"{settled} UNION ALL BY NAME ({latest})"))


def _connected() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    restrain(connection, paths.extraction_dir() / "spill")
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def _batches(connection: duckdb.DuckDBPyConnection, query: str) -> Iterator[pa.Table]:
    reader = connection.sql(query).to_arrow_reader(100_000)
    yield reader.schema.empty_table()
    for batch in reader:
        yield pa.Table.from_batches([batch])


def put_in_place(file: Path, part: Path) -> None:
    """Replace a table's file: whoever reads it finds the old one or the new one. An equal one stays as it is."""
    if file.exists() and filecmp.cmp(part, file, shallow=False):
        part.unlink()
    else:
        part.replace(file)


def sync_folder(folder: Path) -> None:
    """Have the disk remember which files lie in a folder."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        # some network disks know no such thing
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(handle)
