"""One extraction: every source of ``sources.yml`` in turn, the files of a source put in place together."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import pyarrow as pa

from extraction import pieces
from extraction.declared import SOURCES_FILE, Secrets, Source, Table, read_sources, sources_file, target_dir
from pipeline.base import paths
from pipeline.base.console import say, step
from pipeline.base.errors import InputError, PipelineError, StoppedByHand
from pipeline.base.locking import exclusive

# dlt calls nobody, and keeps its own files and settings out of the user's home and this folder
QUIET: Mapping[str, str] = {
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    "RUNTIME__LOG_LEVEL": "CRITICAL",
    "DO_NOT_TRACK": "1",
}
DLT_FOLDERS = ("DLT_DATA_DIR", "DLT_PROJECT_DIR")


class Reader(Protocol):
    """What rows are read from."""

    def read(self, table: Table, since: Any) -> Iterator[pa.Table]:
        """Read a table, or what has changed in it since.

        Parameters
        ----------
        table : Table
        since : object
            Lowest value of the cursor; None for all rows.

        Yields
        ------
        pyarrow.Table
            The first one has no rows, and all columns.
        """

    def close(self) -> None:
        """Leave the source."""


def extract(*, whole: bool = False) -> None:
    """Bring the raw folder up to date with all sources.

    Parameters
    ----------
    whole : bool
        Read tables with a cursor from their beginning too: what was deleted in the source goes from their files.

    Raises
    ------
    InputError
        ``sources.yml`` is wrong, or a source cannot be read. Its files are as they were; sources before it are done.
    """
    file = sources_file()
    if file is None:
        say(
            f"  extract: nothing to do, as there is no {SOURCES_FILE} in {target_dir()} (RAW_DIR) and SOURCES_FILE "
            "names none; docs/your-shop.md says what stands in it"
        )
        return
    sources = read_sources(file)
    folder, work = target_dir(), paths.extraction_dir()
    folder.mkdir(parents=True, exist_ok=True)
    with exclusive(work):
        os.environ.update(QUIET)
        os.environ.update(dict.fromkeys(DLT_FOLDERS, str(work)))
        pieces.clear_parts(folder)
        try:
            for source in sources:
                _extract_source(source, folder, whole=whole)
        finally:
            pieces.clear_parts(folder)


def _extract_source(source: Source, folder: Path, *, whole: bool) -> None:
    secrets = Secrets()
    written: list[tuple[Table, Path]] = []
    kept = {table.name: pieces.is_kept(folder, table) for table in source.tables}
    with _explained(source, secrets), closing(_reader(source, secrets)) as reader:
        for table in source.tables:
            with _explained(table, secrets), step(f"extract {table.name}"[:60]) as this:
                started = time.monotonic()
                is_continued = bool(table.cursor) and kept[table.name] and not whole
                outcome = _extract_table(reader, table, folder, is_continued=is_continued, is_api=source.is_api)
                this.result = _told(outcome, time.monotonic() - started, is_continued=is_continued)
            if outcome.part:
                written.append((table, outcome.part))
        # all tables of a source change together
        for table, part in written:
            pieces.put_in_place(pieces.file_of(folder, table), part)
        pieces.sync_folder(folder)


def _extract_table(reader: Reader, table: Table, folder: Path, *, is_continued: bool, is_api: bool) -> pieces.Written:
    file, part, new = (
        pieces.file_of(folder, table),
        pieces.part_of(folder, table),
        pieces.part_of(folder, table, ".new"),
    )
    since = _since(table, file, is_api=is_api) if is_continued else None
    read = pieces.write(table, new, reader.read(table, since))
    if since is not None and not pieces.fits(file, new, may_lack=is_api):
        say(f"    {table.name}: its columns have changed, so it is read whole")
        since, read = None, pieces.write(table, new, reader.read(table, None))
    # pages of an API move while they are read, and a row may come twice
    pieces.check_keys(table, new, may_repeat=is_api)
    if since is None and not (is_api and table.key):
        new.replace(part)
        return pieces.Written(part, read, read)
    rows = pieces.merge(table, file if since is not None else None, new, part)
    new.unlink()
    return pieces.Written(part if rows is not None else None, read, rows or 0)


def _since(table: Table, file: Path, *, is_api: bool) -> Any:
    """Return where the next reading begins: the highest value of the cursor that lies there, less the overlap."""
    if is_api:
        from extraction.apis import next_since

        return next_since(table, file)
    highest = pieces.highest(file, table.cursor)
    if highest is None or not table.overlap:
        return highest
    if isinstance(highest, date) and isinstance(table.overlap, timedelta):
        return highest - table.overlap
    if isinstance(highest, int | float | Decimal) and isinstance(table.overlap, int):
        return highest - table.overlap
    fit = "a time such as `1 day`" if isinstance(highest, date) else "a whole number"
    raise InputError(
        f"{table.place}.overlap: {table.cursor} holds values such as {highest}, so it must be "
        f"{'0' if isinstance(highest, str) else fit}."
    )


def _reader(source: Source, secrets: Secrets) -> Reader:
    if source.is_api:
        from extraction.apis import Api

        return Api(source, secrets)
    from extraction import databases, postgres

    url = secrets.fill_url(f"{source.place}.url", source.url)
    is_postgres = urlsplit(url).scheme.split("+")[0] in postgres.SCHEMES
    return postgres.Database(url) if is_postgres else databases.Database(url)


@contextmanager
def _explained(what: Source | Table, secrets: Secrets) -> Iterator[None]:
    """Say in one sentence why a source or a table failed, and let out no secret: no trace is kept of it."""
    try:
        yield
    except StoppedByHand:
        raise
    except PipelineError as error:
        raise type(error)(secrets.hide(str(error))) from None
    except Exception as error:
        if getattr(error, "errno", None) == errno.ENOSPC:
            raise
        # SQLAlchemy adds where on the web it explains itself
        told = " ".join(str(error).split("(Background on this error")[0].split()).rstrip(" .?!") or "no reason given"
        raise InputError(
            f"{what.place} cannot be read: {type(error).__name__}: {secrets.hide(told)[:600]}. "
            "Its files in the raw folder are as they were."
        ) from None


def _told(outcome: pieces.Written, seconds: float, *, is_continued: bool) -> str:
    speed = f"{outcome.read / max(seconds, 1e-3):,.0f} rows/s"
    if not is_continued:
        return f"{outcome.read:,} rows, {speed}"
    if outcome.part is None:
        return f"{outcome.read:,} rows read again, nothing new, {speed}"
    return f"{outcome.read:,} rows new or read again, {outcome.rows:,} in all, {speed}"
