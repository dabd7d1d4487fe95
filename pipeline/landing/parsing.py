"""One raw file to typed rows: what keeps to the contract, what does not and why, each file read once.

The outcome is kept under the digest of the file's bytes: the same whatever the file is called, whenever it came.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pyarrow as pa

from pipeline.base.errors import InputError
from pipeline.base.files import digest_of, is_as_written, read_record, write_record
from pipeline.base.resources import restrain
from pipeline.base.sql import file_literal, insert_rows, literal, name_of, parquet, scalar
from pipeline.landing import csvtext
from pipeline.landing.contract import DEGREE, KINDS, MONEY, STAMP, STAMP_RANGE, TABLES, TEXT, WHOLE, RawTable
from pipeline.landing.files import Piece

PARSER_VERSION = 2  # raise it when the same file must be read differently
CONTRACT = hashlib.sha256(f"{PARSER_VERSION} {duckdb.__version__} {TABLES!r}".encode()).hexdigest()[:8]
BATCH = 100_000
WHOLLY_WRONG = 10  # values a column must have before "none can be read" is the column's fault and not a row's
REJECTED = "line BIGINT, row_key VARCHAR, reason VARCHAR, raw_row VARCHAR"


@dataclass(frozen=True)
class Parsed:
    """Outcome of reading one file; raw = accepted + quarantined + repeated."""

    raw_rows: int
    accepted_rows: int
    quarantined_rows: int
    repeated_rows: int
    note: str
    parsed_at: str


def rows_file(stem: Path) -> Path:
    """Return the file of a parsed file's accepted rows."""
    return stem.with_name(stem.name + ".rows.parquet")


def rejected_file(stem: Path) -> Path:
    """Return the file of a parsed file's rejected rows; there is none when all were accepted."""
    return stem.with_name(stem.name + ".rejected.parquet")


def card_file(stem: Path) -> Path:
    """Return the file of a parsed file's counts, written last."""
    return stem.with_name(stem.name + ".json")


def is_numbered(table: RawTable, *, skips: bool) -> bool:
    """Tell whether accepted rows carry their number in the raw file.

    A row that may turn out an orphan must be found again in its file; where none is left out, its place among the
    accepted rows is its number.
    """
    return bool(table.references) and skips


def recalled(stem: Path) -> Parsed | None:
    """Return what was read of a file before, or None when any part of it is gone or is not what was written."""
    record = read_record(card_file(stem)) or {}
    try:
        kept = record.pop("files")
        known = Parsed(**record)
    except (KeyError, TypeError):
        return None
    return known if all(is_as_written(stem.with_name(name), digest) for name, digest in kept.items()) else None


def parsed(piece: Piece, folder: Path, work: Path) -> tuple[str, Parsed]:
    """Read a raw file, or recall what was read of a file with the same bytes.

    Parameters
    ----------
    piece : Piece
        The file.
    folder : Path
        Where outcomes are kept.
    work : Path
        A folder for files that live as long as the call.

    Returns
    -------
    tuple
        Name under which the outcome is kept in the folder of its table, and the outcome.

    Raises
    ------
    InputError
        The file cannot be used as a whole; the message names it and the cure.
    """
    try:
        before = piece.state()
        inspection = None if piece.is_parquet else csvtext.inspect(piece.path)
        digest = inspection.digest if inspection else csvtext.file_digest(piece.path)
        # the ending tells how to read the bytes, so the same bytes under another ending are another outcome
        ending = "parquet" if piece.is_parquet else "gz" if piece.name.endswith(".gz") else "csv"
        stem = folder / piece.table.name / f"{digest[:32]}-{ending}-{CONTRACT}"
        if (known := recalled(stem)) is not None:
            return stem.name, known
        outcome = _read(piece, inspection, stem, work)
        if piece.state() != before:
            raise InputError(f"{piece.path} changed while it was read. Run again when it is complete.")
    except OSError as error:
        raise InputError(f"{piece.path} cannot be read: {error.strerror or error}.") from error
    kept = [rows_file(stem), *([rejected_file(stem)] if outcome.quarantined_rows else [])]
    write_record(card_file(stem), {**asdict(outcome), "files": {file.name: digest_of(file) for file in kept}})
    return stem.name, outcome


def located(piece: Piece, rows: Collection[int], work: Path) -> dict[int, tuple[int, str]]:
    """Find rows of a file by their number: the line each begins at and its raw text."""
    if piece.is_parquet:
        with duckdb.connect() as connection:
            found = connection.execute(
                f"""SELECT file_row_number + 1, to_json(rows)::VARCHAR FROM (
                    SELECT * FROM {parquet(piece.path, file_row_number=True)}
                    WHERE list_contains(?, file_row_number + 1)) AS rows""",
                [list(rows)],
            ).fetchall()
        return {number: (number, raw) for number, raw in found}
    inspection = csvtext.inspect(piece.path)
    file = _readable(piece, inspection, work)
    wanted = set(rows)
    places: dict[int, tuple[int, str]] = {}
    for number, record in enumerate(csvtext.records(file, width=None)):
        if number in wanted:
            places[number] = (record.line, record.raw[: csvtext.LONGEST_SHOWN])
    return places


def _read(piece: Piece, inspection: csvtext.Inspection | None, stem: Path, work: Path) -> Parsed:
    stem.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect() as connection:
        restrain(connection, work / "spill")
        connection.execute(f"CREATE TABLE rejected ({REJECTED})")
        if inspection is None:
            reading: _Reading = _ParquetReading(connection, piece)
        else:
            reading = _csv_reading(connection, piece, inspection, work)
        counts = _Contract(connection, reading).apply()
        skips = bool(counts["quarantined_rows"] or counts["repeated_rows"])
        kept = [*piece.table.columns, *(["_row"] if is_numbered(piece.table, skips=skips) else [])]
        columns = ", ".join(name_of(column) for column in kept)
        copy(connection, f"SELECT {columns} FROM typed WHERE NOT _bad", work / "rows.parquet", rows_file(stem))
        if counts["quarantined_rows"]:
            rejected = "SELECT * FROM rejected ORDER BY line, reason, raw_row"
            copy(connection, rejected, work / "rejected.parquet", rejected_file(stem))
    return Parsed(
        **counts,
        note=reading.note,
        parsed_at=datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S"),
    )


class _Reading:
    """A raw file as a relation of texts: ``_row`` and one VARCHAR per column of the table.

    Attributes
    ----------
    source : str
        SQL of the relation.
    broken : int
        Records that have no row there, in ``rejected`` already.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, piece: Piece) -> None:
        self.connection = connection
        self.piece = piece
        self.table: RawTable = piece.table
        self.source = ""
        self.broken = 0
        self.note = ""

    def places(self, rows: Sequence[int]) -> dict[int, tuple[int | None, str]]:
        """Find the line and the raw text of rows."""
        raise NotImplementedError


class _ParquetReading(_Reading):
    def __init__(self, connection: duckdb.DuckDBPyConnection, piece: Piece) -> None:
        super().__init__(connection, piece)
        try:
            described = connection.execute(f"DESCRIBE SELECT * FROM {parquet(piece.path)}").fetchall()
        except duckdb.Error as error:
            raise InputError(
                f"{piece.path} is not a Parquet file, or is cut off ({_sentence(error)}). Export or copy it again; "
                "name it .csv if it is one."
            ) from error
        kinds = {name: str(kind) for name, kind, *_ in described}
        require_columns(piece, list(kinds))

        def text(column: str) -> str:
            value = f"{name_of(column)}::VARCHAR"
            # a zip prefix that some tool took for a number has lost its leading zeros
            if column.endswith("zip_code_prefix") and "INT" in kinds[column]:
                value = f"lpad({value}, 5, '0')"
            return f"{value} AS {name_of(column)}"

        selected = ", ".join(text(column) for column in self.table.columns)
        self.source = f"""SELECT {selected}, file_row_number + 1 AS _row
            FROM {parquet(piece.path, file_row_number=True)}"""

    def places(self, rows: Sequence[int]) -> dict[int, tuple[int | None, str]]:
        return dict(located(self.piece, rows, Path()))


class _FastReading(_Reading):
    """DuckDB's own reader; only for files whose every record it can tell apart into cells."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, piece: Piece, file: Path, header: list[str]) -> None:
        super().__init__(connection, piece)
        self._file = file
        columns = ", ".join(f"{literal(column)}: 'VARCHAR'" for column in header)
        selected = ", ".join(name_of(column) for column in self.table.columns)
        self.source = f"""SELECT {selected}, row_number() OVER () AS _row
            FROM read_csv({file_literal(file)}, header = true, auto_detect = false, hive_partitioning = false,
                delim = ',', quote = '"', escape = '"',
                columns = {{{columns}}}, max_line_size = {csvtext.LONGEST_RECORD})"""

    def places(self, rows: Sequence[int]) -> dict[int, tuple[int | None, str]]:
        wanted = set(rows)
        found: dict[int, tuple[int | None, str]] = {}
        for number, record in enumerate(csvtext.records(self._file, width=None)):
            if number in wanted:
                found[number] = (record.line, record.raw[: csvtext.LONGEST_SHOWN])
        return found


class _CarefulReading(_Reading):
    """Record by record, for a file in which some are broken."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, piece: Piece, file: Path, header: list[str]) -> None:
        super().__init__(connection, piece)
        columns = list(self.table.columns)
        positions = [header.index(column) for column in columns]
        definitions = ", ".join(f"{name_of(column)} VARCHAR" for column in columns)
        connection.execute(f"CREATE TABLE careful (_row BIGINT, _line BIGINT, _raw VARCHAR, {definitions})")
        good: list[tuple[int, csvtext.Record]] = []
        broken: list[tuple[int, str | None, str, str]] = []
        number = 0
        for number, record in enumerate(csvtext.records(file, width=len(header))):
            if number == 0:
                continue
            if record.cells is None:
                raw = record.raw[: csvtext.LONGEST_SHOWN]
                broken.append((record.line, _key_of(self.table, header, raw), record.fault, raw))
            else:
                good.append((number, record))
            if len(good) >= BATCH:
                self._insert(good, positions)
                good = []
        self._insert(good, positions)
        if broken:
            rows = pa.table(
                {
                    name: pa.array([row[position] for row in broken], kind)
                    for position, (name, kind) in enumerate(
                        (("line", pa.int64()), ("row_key", pa.string()), ("reason", pa.string()), ("raw", pa.string()))
                    )
                }
            )
            insert_rows(connection, "rejected", rows)
        self.broken = len(broken)
        selected = ", ".join(name_of(column) for column in columns)
        self.source = f"SELECT {selected}, _row FROM careful"

    def _insert(self, batch: list[tuple[int, csvtext.Record]], positions: list[int]) -> None:
        if not batch:
            return
        names = ["_row", "_line", "_raw", *self.table.columns]
        arrays = [
            pa.array([number for number, _ in batch], pa.int64()),
            pa.array([record.line for _, record in batch], pa.int64()),
            pa.array([record.raw[: csvtext.LONGEST_SHOWN] for _, record in batch], pa.string()),
            *(
                pa.array([(record.cells or [])[position] or None for _, record in batch], pa.string())
                for position in positions
            ),
        ]
        insert_rows(self.connection, "careful", pa.table(arrays, names=names))

    def places(self, rows: Sequence[int]) -> dict[int, tuple[int | None, str]]:
        found = self.connection.execute(
            "SELECT _row, _line, _raw FROM careful WHERE list_contains(?, _row)", [list(rows)]
        ).fetchall()
        return {number: (line, raw) for number, line, raw in found}


def _csv_reading(
    connection: duckdb.DuckDBPyConnection, piece: Piece, inspection: csvtext.Inspection, work: Path
) -> _Reading:
    file = _readable(piece, inspection, work)
    header = csvtext.read_header(file, str(piece.path))
    require_columns(piece, header)
    note = {
        "utf-8": "",
        "latin-1": "written in Latin-1 (Windows-1252), read as such; export as UTF-8 to be sure of every letter",
        "utf-16": "written in UTF-16, read as such",
    }[inspection.encoding]
    reading: _Reading
    if not inspection.needs_care or inspection.encoding != "utf-8":
        reading = _FastReading(connection, piece, file, header)
        try:
            materialise(connection, reading)
        except duckdb.Error:
            # the reader gives up on the first record that it cannot tell apart
            connection.execute("DROP TABLE IF EXISTS typed")
        else:
            reading.note = note
            return reading
    reading = _CarefulReading(connection, piece, file, header)
    materialise(connection, reading)
    reading.note = "; ".join(filter(None, [note, "read record by record, as some are broken" * bool(reading.broken)]))
    return reading


def _readable(piece: Piece, inspection: csvtext.Inspection, work: Path) -> Path:
    """Return the file, or a copy of it in UTF-8."""
    if inspection.encoding == "utf-8" and not inspection.only_returns:
        return piece.path
    target = work / f"{inspection.digest[:16]}.csv"
    return target if target.exists() else csvtext.rewritten(piece.path, inspection, target)


def require_columns(piece: Piece, header: list[str]) -> None:
    """Refuse a file without the columns of its table.

    Raises
    ------
    InputError
        A column is missing or there twice.
    """
    missing = [name for name in piece.table.columns if name not in header]
    if missing:
        raise InputError(
            f"{piece.path} lacks the column {', '.join(missing)}. Found there: {', '.join(header)}. "
            "Export it again with the column names of the Olist files."
        )
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise InputError(f"{piece.path} names the column {', '.join(twice)} more than once. Remove one of them.")


def materialise(connection: duckdb.DuckDBPyConnection, reading: _Reading) -> None:
    """Create ``typed``: the columns in their types, ``_row``, and ``_bad`` where a row breaks the contract."""
    table = reading.table
    casts = ", ".join(f"{typed(column, kind)} AS {name_of(column)}" for column, kind in table.columns.items())
    faults = " OR ".join(f"({test})" for test, _ in complaints(table)) or "false"
    connection.execute(
        f"CREATE TABLE typed AS SELECT {casts}, _row, coalesce({faults}, false) AS _bad FROM ({reading.source}) AS raw"
    )


def typed(column: str, kind: str) -> str:
    """Write the SQL that reads a cell, or gives NULL; nothing is rounded in silence."""
    cell = f"raw.{name_of(column)}"
    if kind == TEXT:
        return cell
    value = f"TRY_CAST({cell} AS {kind})"
    if kind == WHOLE:
        # tools that know no empty integer write 5.0
        return f"CASE WHEN TRY_CAST({cell} AS DOUBLE) = {value} THEN {value} END"
    if kind == MONEY:
        # float noise behind the cents is none of the shop's money; a third decimal is
        return f"CASE WHEN abs(TRY_CAST({cell} AS DOUBLE) - {value}) < 0.00001 THEN {value} END"
    return value


def complaints(table: RawTable) -> list[tuple[str, str]]:
    """List what a row may be rejected for, as pairs of SQL: a test, and the text of the reason."""
    found: list[tuple[str, str]] = []
    for column, kind in table.columns.items():
        cell, value = f"raw.{name_of(column)}", typed(column, kind)
        # long cells are shown by their beginning
        seen = f"CASE WHEN length({cell}) > 60 THEN left({cell}, 60) || '...' ELSE {cell} END"
        if column in table.key or column in table.required:
            found.append((f"{cell} IS NULL", literal(f"{column}: missing")))
        if kind == TEXT:
            if column in table.allowed:
                options = ", ".join(literal(text) for text in table.allowed[column])
                listed = literal(f" is none of {', '.join(table.allowed[column])}")
                found.append((f"{cell} NOT IN ({options})", f"{literal(column + ': ')} || {seen} || {listed}"))
            continue
        found.append(
            (
                f"{cell} IS NOT NULL AND {value} IS NULL",
                f"{literal(column + ': cannot read ')} || {seen} || {literal(' as ' + KINDS[kind])}",
            )
        )
        low, high = STAMP_RANGE if kind == STAMP else table.ranges.get(column, (None, None))
        bounds = [
            (f"{value} {sign} {literal(bound) + '::TIMESTAMP' if kind == STAMP else bound}", f" is {side} {bound}")
            for sign, bound, side in (("<", low, "below"), (">", high, "above"))
            if bound is not None
        ]
        found += [(test, f"{literal(column + ': ')} || {seen} || {literal(text)}") for test, text in bounds]
        if kind == DEGREE:
            found.append((f"isnan({value})", f"{literal(column + ': ')} || {seen} || ' is no number'"))
    return found


class _Contract:
    """Sort the rows of ``typed``: those that break the contract, repeats, and rows of one key that disagree."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, reading: _Reading) -> None:
        self._connection = connection
        self._reading = reading
        self._table = reading.table

    def apply(self) -> dict[str, int]:
        """Mark in ``typed`` what does not land, fill ``rejected``, and count."""
        connection = self._connection
        if isinstance(self._reading, _ParquetReading):
            try:
                materialise(connection, self._reading)
            except duckdb.Error as error:
                raise InputError(
                    f"{self._reading.piece.path} is damaged ({_sentence(error)}). Export or copy it again."
                ) from error
        rows = scalar(connection, "SELECT count(*) FROM typed")
        bad = scalar(connection, "SELECT count(*) FROM typed WHERE _bad")
        reasons: dict[int, str] = {}
        if bad:
            self._refuse_wrong_columns()
            reasons = self._reasons()
        repeated = self._settle_repeats(reasons) if self._table.key else 0
        self._reject(reasons)
        quarantined = self._reading.broken + len(reasons)
        return {
            "raw_rows": self._reading.broken + rows,
            "accepted_rows": scalar(connection, "SELECT count(*) FROM typed WHERE NOT _bad"),
            "quarantined_rows": quarantined,
            "repeated_rows": repeated,
        }

    def _refuse_wrong_columns(self) -> None:
        """Stop where a whole column cannot be read: that is another export, not thousands of bad rows."""
        columns = {name: kind for name, kind in self._table.columns.items() if kind != TEXT}
        if not columns:
            return
        counted = ", ".join(
            f"count(raw.{name_of(name)}), count({typed(name, kind)}), min(raw.{name_of(name)})"
            for name, kind in columns.items()
        )
        values = self._connection.execute(f"SELECT {counted} FROM ({self._reading.source}) AS raw").fetchone() or ()
        for position, (name, kind) in enumerate(columns.items()):
            present, readable, example = values[3 * position : 3 * position + 3]
            if present >= WHOLLY_WRONG and readable == 0:
                raise InputError(
                    f"{self._reading.piece.path}: not one of the {present:,} values of {name} can be read as "
                    f"{KINDS[kind]}, for example {example!r:.80}. Export the column in that form."
                )

    def _reasons(self) -> dict[int, str]:
        listed = ", ".join(f"CASE WHEN {test} THEN {text} END" for test, text in complaints(self._table))
        found = self._connection.execute(
            f"""SELECT _row, concat_ws('; ', {listed}) AS reason FROM ({self._reading.source}) AS raw
            WHERE _row IN (SELECT _row FROM typed WHERE _bad)"""
        ).fetchall()
        return dict(found)

    def _settle_repeats(self, reasons: dict[int, str]) -> int:
        """Keep one of equal rows; of rows with one key that disagree keep none, as nobody can tell which is right."""
        connection = self._connection
        key = ", ".join(name_of(column) for column in self._table.key)
        columns = ", ".join(name_of(column) for column in self._table.columns)
        connection.execute(
            f"""CREATE TABLE repeats AS SELECT {key}, count(*) AS times FROM typed WHERE NOT _bad
            GROUP BY {key} HAVING count(*) > 1"""
        )
        if not scalar(connection, "SELECT count(*) FROM repeats"):
            return 0
        connection.execute(
            f"""CREATE TABLE settled AS
            WITH concerned AS (
                SELECT typed.*, repeats.times FROM typed JOIN repeats USING ({key}) WHERE NOT typed._bad),
            versions AS (
                SELECT {key}, count(*) AS versions FROM (SELECT DISTINCT {columns} FROM concerned) GROUP BY {key})
            SELECT concerned._row, concerned.times, versions.versions,
                row_number() OVER (PARTITION BY {", ".join(f"concerned.{name_of(c)}" for c in self._table.key)}
                    ORDER BY concerned._row) AS position
            FROM concerned JOIN versions USING ({key})"""
        )
        connection.execute(
            "UPDATE typed SET _bad = true WHERE _row IN (SELECT _row FROM settled WHERE versions > 1 OR position > 1)"
        )
        for row, times in connection.execute("SELECT _row, times FROM settled WHERE versions > 1").fetchall():
            reasons[row] = f"{' / '.join(self._table.key)}: {times} rows of this file have this key and disagree"
        return scalar(connection, "SELECT count(*) FROM settled WHERE versions = 1 AND position > 1")

    def _reject(self, reasons: dict[int, str]) -> None:
        if not reasons:
            return
        wanted = pa.table(
            {"_row": pa.array(reasons.keys(), pa.int64()), "reason": pa.array(reasons.values(), pa.string())}
        )
        self._connection.execute("CREATE TABLE reasons (_row BIGINT, reason VARCHAR)")
        insert_rows(self._connection, "reasons", wanted)
        shown = key_text(self._table, "raw")
        whole = ", ".join(f"{literal(column)}: raw.{name_of(column)}" for column in self._table.columns)
        rows = self._connection.execute(
            f"""SELECT raw._row, {shown}, reasons.reason, to_json({{{whole}}})::VARCHAR
            FROM ({self._reading.source}) AS raw JOIN reasons ON raw._row = reasons._row"""
        ).fetchall()
        places = self._reading.places([row for row, *_ in rows])
        names = [name for name, _ in _REJECTED_TYPES]
        values = [
            (places.get(row, (None, ""))[0], key, reason, places.get(row, (None, whole_row))[1])
            for row, key, reason, whole_row in rows
        ]
        arrays = [
            pa.array([value[position] for value in values], kind) for position, (_, kind) in enumerate(_REJECTED_TYPES)
        ]
        insert_rows(self._connection, "rejected", pa.table(arrays, names=names))


_REJECTED_TYPES = (("line", pa.int64()), ("row_key", pa.string()), ("reason", pa.string()), ("raw_row", pa.string()))


def key_text(table: RawTable, relation: str) -> str:
    """Write the SQL that names a row by its key, or by its first column where the table has none."""
    cells = (f"{relation}.{name_of(column)}::VARCHAR" for column in table.key or tuple(table.columns)[:1])
    return f"left(concat_ws(' / ', {', '.join(cells)}), 200)"


def _key_of(table: RawTable, header: list[str], raw: str) -> str | None:
    """Name a broken record by its key columns, as far as its text still lets them be told apart."""
    try:
        cells = next(csv.reader([raw]), [])
    except csv.Error:
        return None
    columns = table.key or tuple(table.columns)[:1]
    values = [cells[header.index(name)] for name in columns if header.index(name) < len(cells)]
    return " / ".join(values)[:200] or None


def copy(connection: duckdb.DuckDBPyConnection, select: str, part: Path, target: Path) -> int:
    """Write a query as Parquet, complete or not at all; returns its rows."""
    rows = scalar(connection, f"COPY ({select}) TO {literal(part)} (FORMAT parquet, COMPRESSION zstd)")
    part.replace(target)
    return rows


def _sentence(error: Exception) -> str:
    return str(error).splitlines()[0].rstrip(".")
