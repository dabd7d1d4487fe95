"""One raw file to typed rows: what keeps to the contract, what does not and why, each file read once.

The outcome is kept under the digest of the file's bytes: the same whatever the file is called, whenever it came.
"""

from __future__ import annotations

import csv
import difflib
import hashlib
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import duckdb
import pyarrow as pa

from pipeline.base.errors import InputError
from pipeline.base.files import digest_of, is_as_written, read_record, write_record
from pipeline.base.resources import restrain
from pipeline.base.sql import file_literal, insert_rows, literal, name_of, parquet, scalar
from pipeline.landing import cells, csvtext
from pipeline.landing.contract import KINDS, TEXT, RawTable, contract_digest
from pipeline.landing.files import Piece

PARSER_VERSION = 6  # raise it when the same file must be read differently
BATCH = 100_000
WHOLLY_WRONG = 10  # values a column must have before "none can be read" is the column's fault and not a row's
# `source_file` only where a row comes from another file than the one that is read
REJECTED = "source_file VARCHAR, line BIGINT, row_key VARCHAR, problem VARCHAR, reason VARCHAR, raw_row VARCHAR"
# Rejected rows of a status or month are no accident when they are so many of it, and so much more often than elsewhere.
LOST_ROWS, LOST_SHARE, LOST_RATIO = 10, 0.2, 3


class Place(NamedTuple):
    """Where a row stands: its line and its text; its file where that is not the one that is read."""

    line: int
    text: str
    file: str | None = None


@dataclass(frozen=True)
class Parsed:
    """Outcome of reading one file; raw = accepted + quarantined + repeated.

    Attributes
    ----------
    raw_rows, accepted_rows, quarantined_rows, repeated_rows : int
        Counts of rows.
    note : str
        What a person should know of how it was read.
    warning : str
        What a person must look at.
    encoding : csvtext.Encoding
        How its text is written.
    only_returns : bool
        Whether its lines end by carriage returns alone.
    parsed_at : str
        When it was read, in UTC.
    """

    raw_rows: int
    accepted_rows: int
    quarantined_rows: int
    repeated_rows: int
    note: str
    warning: str
    encoding: csvtext.Encoding
    only_returns: bool
    parsed_at: str


def rows_file(stem: Path) -> Path:
    """Return the file of a parsed file's accepted rows."""
    return stem.with_name(stem.name + ".rows.parquet")


def rejected_file(stem: Path) -> Path:
    """Return the file of a parsed file's rejected rows; there is none when all were accepted."""
    return stem.with_name(stem.name + ".rejected.parquet")


def lines_file(stem: Path) -> Path:
    """Return the file of where a parsed file's records begin; there is none when each is one line."""
    return stem.with_name(stem.name + ".lines.parquet")


def card_file(stem: Path) -> Path:
    """Return the file of a parsed file's counts, written last."""
    return stem.with_name(stem.name + ".json")


def recipe(zone: str | None) -> str:
    """Digest all that the reading of a file depends on besides its bytes: a short name for it."""
    depends_on = (PARSER_VERSION, duckdb.__version__, contract_digest(), sorted(cells.state_codes().items()), zone)
    return hashlib.sha256(repr(depends_on).encode()).hexdigest()[:8]


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


def parsed(piece: Piece, folder: Path, work: Path, zone: str | None) -> tuple[str, Parsed]:
    """Read a raw file, or recall what was read of a file with the same bytes.

    Parameters
    ----------
    piece : Piece
        The file.
    folder : Path
        Where outcomes are kept.
    work : Path
        A folder for files that live as long as the call.
    zone : str, optional
        Time zone of the shop, into which stamps that name one are converted; None converts them to UTC, with a warning.

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
        ending = (
            f"mapped{'-zips' * piece.keeps_zips}"
            if piece.is_mapped
            else "parquet"
            if piece.is_parquet
            else "gz"
            if piece.name.lower().endswith(".gz")
            else "csv"
        )
        stem = folder / piece.table.name / f"{digest[:32]}-{ending}-{recipe(zone)}"
        if (known := recalled(stem)) is not None:
            return stem.name, known
        outcome = _read(piece, inspection, stem, work, zone)
        if piece.state() != before:
            raise InputError(f"{piece.path} changed while it was read. Run again when it is complete.")
    except OSError as error:
        raise InputError(f"{piece.path} cannot be read: {error.strerror or error}.") from error
    kept = [rows_file(stem), *(file for file in (rejected_file(stem), lines_file(stem)) if file.exists())]
    write_record(card_file(stem), {**asdict(outcome), "files": {file.name: digest_of(file) for file in kept}})
    return stem.name, outcome


def located(piece: Piece, outcome: Parsed, stem: Path, rows: Collection[int], work: Path) -> dict[int, Place]:
    """Find parsed rows by their number: the line each begins at and its raw text.

    Only the bytes of those lines are looked at: where they are was noted when the file was parsed.
    """
    if piece.is_parquet:
        return _parquet_rows(piece, rows)
    file = piece.path
    if outcome.encoding != "utf-8" or outcome.only_returns:
        written = csvtext.Inspection("located", outcome.encoding, needs_care=True, only_returns=outcome.only_returns)
        file = csvtext.rewritten(piece.path, written, work / "located.csv")
    with duckdb.connect() as connection:
        jumps = f"SELECT * FROM {parquet(lines_file(stem))}" if lines_file(stem).exists() else NO_JUMPS
        return _text_rows(connection, jumps, file, rows)


NO_JUMPS = "SELECT NULL::BIGINT AS _row, NULL::BIGINT AS _line WHERE false"


def _text_rows(
    connection: duckdb.DuckDBPyConnection, jumps: str, file: Path, rows: Collection[int]
) -> dict[int, Place]:
    """Find rows of a CSV file: a record begins one line after its number, or as the last jump before it says."""
    wanted = pa.table({"number": pa.array(rows, pa.int64())})
    connection.register("wanted", wanted)
    spans = connection.execute(
        f"""WITH jumps AS ({jumps}),
        begins AS (SELECT number, number AS _row FROM wanted UNION ALL SELECT number, number + 1 FROM wanted),
        placed AS (
            SELECT begins.number, begins._row, begins._row + coalesce(jumps._line - jumps._row, 1) AS line
            FROM begins ASOF LEFT JOIN jumps ON begins._row >= jumps._row)
        SELECT number, min(line), max(line) - 1 FROM placed GROUP BY number"""
    ).fetchall()
    connection.unregister("wanted")
    texts = csvtext.read_texts(file, spans)
    return {number: Place(first, texts[number]) for number, first, _ in spans}


def _parquet_rows(piece: Piece, rows: Collection[int]) -> dict[int, Place]:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        told = "file_row_number + 1, to_json(rows)::VARCHAR, NULL"
        if piece.is_mapped:
            shown = "rows.* EXCLUDE (_source_file, _source_line, _source_row, _problem, _fault, file_row_number)"
            told = f"""_source_line,
                coalesce(_source_row, (SELECT to_json(one)::VARCHAR FROM (SELECT {shown}) AS one)), _source_file"""
        found = connection.execute(
            f"""SELECT file_row_number + 1, {told} FROM (
                SELECT * FROM {parquet(piece.path, file_row_number=True)}
                WHERE list_contains(?, file_row_number + 1)) AS rows""",
            [list(rows)],
        ).fetchall()
    return {number: Place(*place) for number, *place in found}


def _read(piece: Piece, inspection: csvtext.Inspection | None, stem: Path, work: Path, zone: str | None) -> Parsed:
    stem.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect() as connection:
        restrain(connection, work / "spill")
        # whatever the machine's own zone is: nothing that is read depends on it
        connection.execute("SET TimeZone = 'UTC'")
        # or a list of words is a join over all rows, where most are settled before they come to it
        connection.execute("SET disabled_optimizers = 'in_clause'")
        connection.execute(f"CREATE TABLE rejected ({REJECTED})")
        if inspection is None:
            reading: _Reading = _ParquetReading(connection, piece, zone)
        else:
            reading = _csv_reading(connection, piece, inspection, work, zone)
        contract = _Contract(connection, reading)
        counts = contract.apply()
        skips = bool(counts["quarantined_rows"] or counts["repeated_rows"])
        kept = [*piece.table.columns, *(["_row"] if is_numbered(piece.table, skips=skips) else [])]
        columns = ", ".join(name_of(column) for column in kept)
        copy(connection, f"SELECT {columns} FROM typed WHERE NOT _bad", work / "rows.parquet", rows_file(stem))
        if counts["quarantined_rows"]:
            rejected = "SELECT * FROM rejected ORDER BY source_file, line, reason, raw_row"
            copy(connection, rejected, work / "rejected.parquet", rejected_file(stem))
        if piece.table.references and reading.jumps() != NO_JUMPS:
            copy(connection, f"{reading.jumps()} ORDER BY _row", work / "lines.parquet", lines_file(stem))
    return Parsed(
        **counts,
        note="; ".join(filter(None, [reading.note, *(f"no column {text}" for text in reading.lacks())])),
        warning=contract.warning,
        encoding=inspection.encoding if inspection else "utf-8",
        only_returns=inspection.only_returns if inspection else False,
        parsed_at=datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S"),
    )


class _Reading:
    """A raw file as a relation of texts: ``_row`` and one VARCHAR per column of the table.

    Attributes
    ----------
    source : str
        SQL of the relation.
    absent : set of str
        Columns that the file lacks.
    broken : int
        Records that have no row there, in ``rejected`` already.
    """

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, piece: Piece, header: list[str], zone: str | None
    ) -> None:
        self.connection = connection
        self.piece = piece
        self.table: RawTable = piece.table
        self.zone = zone
        self.source = ""
        self.broken = 0
        self.note = ""
        require_columns(piece, header)
        self.absent = {name for name in self.table.fields if name not in header}

    def lacks(self) -> list[str]:
        """Say which columns are not there, and what is taken for them; a mapped shop has said so itself."""
        if self.piece.is_mapped:
            return []
        taken = {name: self.table.fields[name].where_absent for name in self.table.published if name in self.absent}
        return [
            f"{name}: {'it stays empty' if text is None else f'taken to be {text}'}" for name, text in taken.items()
        ]

    def select(self, present: Iterable[tuple[str, str]]) -> str:
        """Write the list of columns: those of the file as given, and what stands for those it lacks."""
        given = dict(present)
        listed = []
        for name, column in self.table.fields.items():
            if name in self.absent:
                given[name] = "NULL::VARCHAR" if column.where_absent is None else literal(column.where_absent)
            listed.append(f"{given[name]} AS {name_of(name)}")
        return ", ".join(listed)

    def checks(self) -> list[cells.Check]:
        """List what its rows may be rejected for."""
        return cells.checks(self.table, self.absent, is_mapped=self.piece.is_mapped)

    def layers(self, rows: str = "") -> str:
        """Write the SQL of the texts, cells and values of the file, or of those of its rows that a condition names."""
        return cells.layers(
            self.table, f"SELECT * FROM ({self.source}) {rows}", self.zone, keeps_zips=self.piece.keeps_zips
        )

    def jumps(self) -> str:
        """Write the SQL of the records that do not begin one line after their number, and of those that follow them."""
        return NO_JUMPS

    def places(self, rows: Collection[int]) -> dict[int, Place]:
        """Find the line and the raw text of rows."""
        raise NotImplementedError


class _ParquetReading(_Reading):
    def __init__(self, connection: duckdb.DuckDBPyConnection, piece: Piece, zone: str | None) -> None:
        read = parquet(piece.path, file_row_number=True, binary_as_string=True)
        try:
            described = connection.execute(f"DESCRIBE SELECT * FROM {read}").fetchall()
        except duckdb.Error as error:
            raise InputError(
                f"{piece.path} is not a Parquet file, or is cut off ({_sentence(error)}). Export or copy it again; "
                "name it .csv if it is one."
            ) from error
        kinds = {name: str(kind) for name, kind, *_ in described}
        super().__init__(connection, piece, [name for name in kinds if name != "file_row_number"], zone)

        def text(column: str) -> str:
            written = f"{name_of(column)}::VARCHAR"
            if kinds[column] in ("DOUBLE", "FLOAT"):
                # next to nothing is written with an exponent
                number = name_of(column)
                return f"CASE WHEN abs({number}) < 0.0001 THEN printf('%.10f', {number}) ELSE {written} END"
            return written

        selected = self.select((name, text(name)) for name in self.table.fields if name in kinds)
        faults = "_problem, _fault, " if piece.is_mapped else ""
        self.source = f"SELECT {selected}, {faults}0 AS _newlines, file_row_number + 1 AS _row FROM {read}"

    def places(self, rows: Collection[int]) -> dict[int, Place]:
        return _parquet_rows(self.piece, rows)


class _FastReading(_Reading):
    """DuckDB's own reader; only for files whose every record it can tell apart into cells."""

    def __init__(  # noqa: PLR0917
        self,
        connection: duckdb.DuckDBPyConnection,
        piece: Piece,
        file: Path,
        header: list[str],
        inspection: csvtext.Inspection,
        zone: str | None,
    ) -> None:
        super().__init__(connection, piece, header, zone)
        self._file = file
        self._inspection = inspection
        self._jumps = ""
        names = [name or f" {number}" for number, name in enumerate(header)]
        columns = ", ".join(f"{literal(column)}: 'VARCHAR'" for column in names)
        read = f"""read_csv({file_literal(file)}, header = true, auto_detect = false, hive_partitioning = false,
                delim = ',', quote = '"', escape = '"',
                columns = {{{columns}}}, max_line_size = {csvtext.LONGEST_RECORD})"""
        selected = self.select((name, name_of(name)) for name in self.table.fields)
        newlines = "0"
        if inspection.has_quotes:
            holds = " OR ".join(f"contains({name_of(name)}, chr(10))" for name in names)
            counted = " + ".join(
                f"coalesce(length({name_of(name)}) - length(replace({name_of(name)}, chr(10), '')), 0)"
                for name in names
            )
            newlines = f"CASE WHEN {holds} THEN {counted} ELSE 0 END"
        self.source = f"SELECT {selected}, {newlines} AS _newlines, row_number() OVER () AS _row FROM {read}"

    def jumps(self) -> str:
        if not self._jumps:
            self._jumps = self._find_jumps()
        return self._jumps

    def _find_jumps(self) -> str:
        """Count the newlines in earlier cells; where blank lines stand between records, look at each record."""
        rows, within = self.connection.execute("SELECT count(*), sum(_newlines) FROM typed").fetchall()[0]
        counts_hold = self._inspection.encoding != "utf-16" and rows + (within or 0) == self._inspection.newlines
        if counts_hold and not within:
            return NO_JUMPS
        self.connection.execute(
            """CREATE TABLE jumps AS
            SELECT _row + 1 AS _row, (_row + 2 + sum(_newlines) OVER (ORDER BY _row))::BIGINT AS _line
            FROM typed WHERE _newlines > 0"""
        )
        if counts_hold:
            return "SELECT * FROM jumps"
        self.connection.execute("DELETE FROM jumps")
        tracker = _Jumps(self.connection)
        for number, record in enumerate(csvtext.records(self._file, width=None)):
            tracker.see(number, record)
        tracker.write()
        return "SELECT * FROM jumps"

    def places(self, rows: Collection[int]) -> dict[int, Place]:
        return _text_rows(self.connection, self.jumps(), self._file, rows)


class _Jumps:
    """Notes where records do not begin in the line after the record before."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        connection.execute("CREATE TABLE IF NOT EXISTS jumps (_row BIGINT, _line BIGINT)")
        self._rows: list[int] = []
        self._lines: list[int] = []
        self._shift = 1

    def see(self, number: int, record: csvtext.Record) -> None:
        """Take the next record."""
        self._note(number, record.line)
        self._after = (number + 1, record.line + 1 + record.raw.count("\n"))

    def _note(self, number: int, line: int) -> None:
        if line - number != self._shift:
            self._shift = line - number
            self._rows.append(number)
            self._lines.append(line)

    def write(self) -> None:
        """Write what was noted, and where the record after the last one would begin."""
        self._note(*self._after)
        noted = pa.table({"_row": pa.array(self._rows, pa.int64()), "_line": pa.array(self._lines, pa.int64())})
        insert_rows(self._connection, "jumps", noted)


class _CarefulReading(_Reading):
    """Record by record, for a file in which some are broken."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        piece: Piece,
        file: Path,
        header: list[str],
        zone: str | None,
    ) -> None:
        super().__init__(connection, piece, header, zone)
        columns = [name for name in self.table.columns if name not in self.absent]
        positions = [header.index(column) for column in columns]
        definitions = ", ".join(f"{name_of(column)} VARCHAR" for column in columns)
        connection.execute(f"CREATE TABLE careful (_row BIGINT, _line BIGINT, _raw VARCHAR, {definitions})")
        good: list[tuple[int, csvtext.Record]] = []
        broken: list[Rejected] = []
        named = max(number for number, name in enumerate(header, start=1) if name)
        tracker = _Jumps(connection)
        for number, record in enumerate(csvtext.records(file, width=named)):
            tracker.see(number, record)
            if number == 0:
                continue
            if record.cells is None:
                raw = record.raw[: csvtext.LONGEST_SHOWN]
                broken.append((None, record.line, _key_of(self.table, header, raw), cells.BROKEN, record.fault, raw))
            else:
                good.append((number, record))
            if len(good) >= BATCH:
                self._insert(good, columns, positions)
                good = []
        self._insert(good, columns, positions)
        tracker.write()
        insert_rejected(connection, broken)
        self.broken = len(broken)
        self.source = (
            f"SELECT {self.select((name, name_of(name)) for name in columns)}, 0 AS _newlines, _row FROM careful"
        )

    def _insert(self, batch: list[tuple[int, csvtext.Record]], columns: list[str], positions: list[int]) -> None:
        if not batch:
            return
        arrays = [
            pa.array([number for number, _ in batch], pa.int64()),
            pa.array([record.line for _, record in batch], pa.int64()),
            pa.array([record.raw[: csvtext.LONGEST_SHOWN] for _, record in batch], pa.string()),
            *(
                pa.array([(record.cells or [])[position] or None for _, record in batch], pa.string())
                for position in positions
            ),
        ]
        insert_rows(self.connection, "careful", pa.table(arrays, names=["_row", "_line", "_raw", *columns]))

    def jumps(self) -> str:
        return "SELECT * FROM jumps"

    def places(self, rows: Collection[int]) -> dict[int, Place]:
        found = self.connection.execute(
            "SELECT _row, _line, _raw FROM careful WHERE list_contains(?, _row)", [list(rows)]
        ).fetchall()
        return {number: Place(line, raw) for number, line, raw in found}


def _csv_reading(
    connection: duckdb.DuckDBPyConnection,
    piece: Piece,
    inspection: csvtext.Inspection,
    work: Path,
    zone: str | None,
) -> _Reading:
    file = _readable(piece, inspection, work)
    header = csvtext.read_header(file, str(piece.path))
    needed = [name for name in piece.table.columns if piece.table.is_needed(name)]
    if not {*needed} <= {*header} and (line := csvtext.line_with(file, needed)) is not None:
        raise InputError(
            f"{piece.path} has its column names in line {line}, below {', '.join(filter(None, header))!r:.80}. "
            "Remove the lines above them."
        )
    note = {
        "utf-8": "",
        "latin-1": "written in Latin-1 (Windows-1252), read as such; export as UTF-8 to be sure of every letter",
        "utf-16": "written in UTF-16, read as such",
    }[inspection.encoding]
    reading: _Reading
    if (not inspection.needs_care or inspection.encoding != "utf-8") and not csvtext.has_lines_above(file):
        reading = _FastReading(connection, piece, file, header, inspection, zone)
        try:
            materialise(connection, reading)
        except duckdb.Error:
            # the reader gives up on the first record that it cannot tell apart
            connection.execute("DROP TABLE IF EXISTS typed")
        else:
            reading.note = note
            return reading
    reading = _CarefulReading(connection, piece, file, header, zone)
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
        A column that is needed is missing, one that is not is there under a name much like its own, or one is there
        twice.
    """
    missing = [name for name in piece.table.columns if name not in header]
    needed = [name for name in missing if piece.table.is_needed(name)]
    if needed:
        raise InputError(
            f"{piece.path} lacks the column {', '.join(needed)}. Found there: {', '.join(header)}. "
            "Export it again with the column names of the Olist files."
        )
    others = [name for name in header if name and name not in piece.table.columns]
    for name in missing:
        if alike := difflib.get_close_matches(name, others, n=1, cutoff=0.85):
            raise InputError(
                f"{piece.path} lacks the column {name} and has one called {alike[0]}. Rename it if it is the same; "
                "remove it if it is not."
            )
    twice = sorted({name for name in header if name and header.count(name) > 1})
    if twice:
        raise InputError(f"{piece.path} names the column {', '.join(twice)} more than once. Remove one of them.")


def materialise(connection: duckdb.DuckDBPyConnection, reading: _Reading) -> None:
    """Create ``typed``: the columns in their types, ``_row``, and ``_bad`` where a row breaks the contract."""
    columns = reading.table.fields.values()
    values = ", ".join(f"{cells.value(column)} AS {name_of(column.name)}" for column in columns)
    found = reading.checks()
    connection.execute(
        f"""CREATE TABLE typed AS SELECT {values}, _newlines, _row, {cells.is_bad(found)} AS _bad,
            {cells.names_zone(reading.table, reading.absent)} AS _zoned FROM {reading.layers()}"""
    )


class _Contract:
    """Sort the rows of ``typed``: those that break the contract, repeats, and rows of one key that disagree.

    Attributes
    ----------
    warning : str
        What a person must look at; empty when there is nothing.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, reading: _Reading) -> None:
        self._connection = connection
        self._reading = reading
        self._table = reading.table
        self._checks = reading.checks()
        # number of a row: its key, the kind of problem, the sentence
        self._found: dict[int, tuple[str | None, str, str]] = {}
        self.warning = ""

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
        if bad:
            self._judge()
        if bad >= WHOLLY_WRONG:
            self._refuse_wrong_columns()
        warnings = [self._told_losses(bad, rows) if bad >= LOST_ROWS else "", self._told_zones()]
        self.warning = "; ".join(filter(None, warnings))
        repeated = self._settle_repeats() if self._table.key else 0
        self._reject()
        return {
            "raw_rows": self._reading.broken + rows,
            "accepted_rows": scalar(connection, "SELECT count(*) FROM typed WHERE NOT _bad"),
            "quarantined_rows": self._reading.broken + len(self._found),
            "repeated_rows": repeated,
        }

    def _judge(self) -> None:
        """Say of each bad row what is wrong with it."""
        found = self._connection.execute(
            f"""SELECT _row, {_key_cells(self._table)},
                {cells.problem_of(self._checks)}, {cells.reason_of(self._checks)}
            FROM {self._reading.layers("WHERE _row IN (SELECT _row FROM typed WHERE _bad)")}"""
        ).fetchall()
        self._found = {row: (key, problem, reason) for row, key, problem, reason in found}

    def _refuse_wrong_columns(self) -> None:
        """Stop where a whole column cannot be read: that is another export, not thousands of bad rows."""
        columns = [
            column
            for column in self._table.fields.values()
            if column.kind != TEXT and column.name not in self._reading.absent
        ]
        empty = [
            column
            for column in columns
            if not scalar(self._connection, f"SELECT count({name_of(column.name)}) FROM typed")
        ]
        for column in empty:
            present, example = self._connection.execute(
                f"""SELECT count(*) FILTER (NOT {cells.is_nothing(column)}), min({cells.raw(column)})
                FROM {self._reading.layers()}"""
            ).fetchall()[0]
            if present >= WHOLLY_WRONG:
                raise InputError(
                    f"{self._reading.piece.path}: not one of the {present:,} values of {column.name} can be read as "
                    f"{KINDS[column.kind]}, for example {example!r:.80}. Export the column in that form."
                )

    def _told_zones(self) -> str:
        """Tell that stamps were converted to a clock that may not be the shop's."""
        zoned = 0 if self._reading.zone else scalar(self._connection, "SELECT count(*) FROM typed WHERE _zoned")
        if not zoned:
            return ""
        return (
            f"{zoned:,} rows have stamps that name a time zone; they are converted to UTC, and all others are taken "
            "as they are. Set shop_time_zone (such as America/Sao_Paulo) in dbt_project.yml to have all in the "
            "clock of the shop"
        )

    def _told_losses(self, bad: int, rows: int) -> str:
        """Tell where rows of one status or month were lost far more often than others."""
        told = []
        for column in self._table.fields.values():
            if not column.losses_by or column.name in self._reading.absent:
                continue
            group = cells.raw(column) if column.losses_by == "value" else f"left({cells.raw(column)}, 7)"
            told += [
                f"{lost:,} of the {count:,} rows with {column.name} {group}"
                for group, count, lost in self._connection.execute(
                    f"""SELECT {group}, count(*) AS times, count(*) FILTER ({cells.is_bad(self._checks)}) AS lost
                    FROM {self._reading.layers()} GROUP BY 1
                    HAVING lost >= {LOST_ROWS} AND lost >= {LOST_SHARE} * times
                        AND lost * {rows}::DOUBLE >= {LOST_RATIO} * times * {bad} ORDER BY lost DESC, 1 LIMIT 3"""
                ).fetchall()
            ]
        if not told:
            return ""
        return (
            f"what is lost is not lost by chance: {'; '.join(told)} are in quarantine, of all rows {bad / rows:.1%}. "
            "Figures by status or month will be wrong; repair the export"
        )

    def _settle_repeats(self) -> int:
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
            SELECT concerned._row, concerned.times, versions.versions, {key_text(self._table, "concerned")} AS shown,
                row_number() OVER (PARTITION BY {", ".join(f"concerned.{name_of(c)}" for c in self._table.key)}
                    ORDER BY concerned._row) AS position
            FROM concerned JOIN versions USING ({key})"""
        )
        connection.execute(
            "UPDATE typed SET _bad = true WHERE _row IN (SELECT _row FROM settled WHERE versions > 1 OR position > 1)"
        )
        named = " / ".join(self._table.key)
        for row, times, shown in connection.execute(
            "SELECT _row, times, shown FROM settled WHERE versions > 1"
        ).fetchall():
            self._found[row] = (shown, cells.DISAGREE, f"{named}: {times} rows of this file have this key and disagree")
        return scalar(connection, "SELECT count(*) FROM settled WHERE versions = 1 AND position > 1")

    def _reject(self) -> None:
        if not self._found:
            return
        places = self._reading.places(self._found.keys())
        insert_rejected(
            self._connection,
            [
                (places[row].file, places[row].line, key, problem, reason, places[row].text)
                for row, (key, problem, reason) in self._found.items()
            ],
        )


Rejected = tuple[str | None, int, str | None, str, str, str]


def insert_rejected(connection: duckdb.DuckDBPyConnection, rows: list[Rejected]) -> None:
    """Put rows into ``rejected``: file, line, key, problem, reason, raw text."""
    kinds = (pa.string(), pa.int64(), pa.string(), pa.string(), pa.string(), pa.string())
    arrays = [pa.array([row[position] for row in rows], kind) for position, kind in enumerate(kinds)]
    insert_rows(
        connection,
        "rejected",
        pa.table(arrays, names=["source_file", "line", "row_key", "problem", "reason", "raw_row"]),
    )


def key_text(table: RawTable, relation: str) -> str:
    """Write the SQL that names a row by its key, or by its first column where the table has none."""
    parts = (f"{relation}.{name_of(column)}::VARCHAR" for column in table.key or tuple(table.columns)[:1])
    return f"left(concat_ws(' / ', {', '.join(parts)}), 200)"


def _key_cells(table: RawTable) -> str:
    parts = (cells.raw(table.fields[column]) for column in table.key or tuple(table.columns)[:1])
    return f"left(concat_ws(' / ', {', '.join(parts)}), 200)"


def _key_of(table: RawTable, header: list[str], raw: str) -> str | None:
    """Name a broken record by its key columns, as far as its text still lets them be told apart."""
    try:
        found = next(csv.reader([raw]), [])
    except csv.Error:
        return None
    columns = table.key or tuple(table.columns)[:1]
    values = [found[header.index(name)] for name in columns if header.index(name) < len(found)]
    return " / ".join(values)[:200] or None


def copy(connection: duckdb.DuckDBPyConnection, select: str, part: Path, target: Path) -> int:
    """Write a query as Parquet, complete or not at all; returns its rows."""
    rows = scalar(connection, f"COPY ({select}) TO {literal(part)} (FORMAT parquet, COMPRESSION zstd)")
    part.replace(target)
    return rows


def _sentence(error: Exception) -> str:
    return str(error).splitlines()[0].rstrip(".")
