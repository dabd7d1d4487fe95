"""From what was read of each file to the landing that dbt reads.

The landing is a function of the set of raw files: of their bytes and names, never of the order in which they came.
Whenever the set changes it is worked out anew from the parsed files; only files whose content differs are written.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import pyarrow as pa

from pipeline.base.errors import PipelineError
from pipeline.base.files import digest_of, is_as_written, read_record, write_record
from pipeline.base.resources import restrain
from pipeline.base.sql import insert_rows, literal, name_of, parquet, scalar
from pipeline.landing.contract import BY_NAME, TABLES, RawTable
from pipeline.landing.files import Piece
from pipeline.landing.parsing import Parsed, copy, is_numbered, key_text, located, rejected_file, rows_file

NO_MONTH = "none"
REPORTS = ("quarantine", "load_summary")
QUARANTINE = "source_table VARCHAR, source_file VARCHAR, line BIGINT, row_key VARCHAR, reason VARCHAR, raw_row VARCHAR"
# Orders first: their months cut the files of the others.
ORDER = (
    "orders",
    "customers",
    "order_items",
    "order_payments",
    "order_reviews",
    "products",
    "sellers",
    "category_translation",
    "geolocation",
)


@dataclass(frozen=True)
class Source:
    """A raw file and what was read of it."""

    piece: Piece
    stem: Path
    outcome: Parsed


@dataclass
class Landed:
    """The books of one table: raw = landed + quarantined + repeated + superseded."""

    raw_rows: int = 0
    landed_rows: int = 0
    quarantined_rows: int = 0
    repeated_rows: int = 0
    superseded_rows: int = 0

    def balance(self) -> bool:
        """Tell whether every raw row is accounted for."""
        return self.raw_rows == (self.landed_rows + self.quarantined_rows + self.repeated_rows + self.superseded_rows)


@dataclass
class TableState:
    """What lies in a table's landing folder.

    Attributes
    ----------
    books : Landed
        Its rows.
    files : dict of str to str
        Landing files with the digests of their bytes.
    reports : dict of str to str
        What is reported of the table, with the digests of those files.
    parts : dict of str to str
        Month (or ``all``) to the digest of the rows that lie there.
    months : dict of str to str
        Month of purchase to a digest of the rows that facts of that month are built from.
    """

    books: Landed = field(default_factory=Landed)
    files: dict[str, str] = field(default_factory=dict)
    reports: dict[str, str] = field(default_factory=dict)
    parts: dict[str, str] = field(default_factory=dict)
    months: dict[str, str] = field(default_factory=dict)


class Landing:
    """Works out the landing from the parsed files, table by table.

    Parameters
    ----------
    folder : Path
        The landing folder.
    work : Path
        A folder on the same file system for what is not finished.
    before : dict
        State of each table as the last complete load left it.
    """

    def __init__(self, folder: Path, work: Path, before: dict[str, TableState]) -> None:
        self._folder = folder
        self._work = work
        self._before = before
        self._connection = duckdb.connect()
        restrain(self._connection, work / "spill")
        self._connection.execute(f"CREATE TABLE quarantine ({QUARANTINE})")

    def settle(self, sources: dict[str, list[Source]]) -> dict[str, TableState]:
        """Bring every landing file up to date.

        Parameters
        ----------
        sources : dict
            Table name to its parsed files, earlier ones first.

        Returns
        -------
        dict
            Table name to its new state.

        Raises
        ------
        PipelineError
            A row is unaccounted for.
        """
        states: dict[str, TableState] = {}
        try:
            for parent in {parent for table in TABLES for parent in table.references.values()} - {"orders"}:
                # whether a row exists does not depend on which file's version of it wins
                files = [rows_file(source.stem) for source in sources[parent]]
                (key,) = BY_NAME[parent].key
                self._connection.execute(
                    f"""CREATE TABLE keys_of_{parent} AS
                    SELECT DISTINCT {name_of(key)} AS key FROM {parquet(files)}"""
                )
            for name in ORDER:
                states[name] = self._settle_table(BY_NAME[name], sources[name])
            states["products"].months = self._months_of_products(states)
        finally:
            self._connection.close()
        return {table.name: states[table.name] for table in TABLES}

    def _settle_table(self, table: RawTable, sources: Sequence[Source]) -> TableState:
        connection = self._connection
        state = TableState()
        books = state.books
        books.raw_rows = sum(source.outcome.raw_rows for source in sources)
        books.repeated_rows = sum(source.outcome.repeated_rows for source in sources)
        connection.execute("DELETE FROM quarantine")
        for source in sources:
            if source.outcome.quarantined_rows:
                connection.execute(
                    f"""INSERT INTO quarantine SELECT {literal(table.name)}, {literal(source.piece.name)}, *
                    FROM {parquet(rejected_file(source.stem))}"""
                )
        wins = {rank: source.outcome.accepted_rows for rank, source in enumerate(sources)}
        losses: dict[int, int] = {}
        if self._lands_as_read(table, sources):
            state.files = self._link(table, sources)
            state.parts = {"all": _short(" ".join(state.files))}
            if table.by_month:
                self._view(table, sources)
        else:
            self._resolve(table, sources)
            counts = connection.execute(
                """SELECT _rank, count(*) FILTER (WHERE _wins), count(*) FILTER (WHERE NOT _wins)
                FROM resolved GROUP BY _rank"""
            ).fetchall()
            wins = {rank: count for rank, count, _ in counts}
            losses = {rank: count for rank, _, count in counts}
            books.superseded_rows = sum(losses.values())
            state.parts = self._digests(table)
            state.files = self._write_parts(table, state.parts)
        if table.by_month:
            self._keep_months(table)
            months = state.parts if "all" not in state.parts else self._digests(table)
            state.months = {month: digest for month, digest in months.items() if month != NO_MONTH}
        for kind in ("VIEW", "TABLE"):
            found = scalar(
                connection, f"SELECT count(*) FROM duckdb_{kind.lower()}s() WHERE {kind.lower()}_name = 'resolved'"
            )
            if found:
                connection.execute(f"DROP {kind} resolved")
        books.landed_rows = self._rows_in(table, state.files)
        books.quarantined_rows = scalar(connection, "SELECT count(*) FROM quarantine")
        if not books.balance():
            raise PipelineError(
                f"The books of {table.name} do not balance: {books}. Nothing was built. "
                "This is a fault of the pipeline: keep the raw files and report it."
            )
        self._write_reports(table, sources, wins, losses)
        state.reports = {report: digest_of(self._folder / report / f"{table.name}.parquet") for report in REPORTS}
        return state

    def _resolve(self, table: RawTable, sources: Sequence[Source]) -> None:
        """Create ``resolved``: rows that have their parents, whether each wins over other files, its month."""
        connection = self._connection
        files = sorted({rows_file(source.stem) for source in sources})
        columns = ", ".join(f"accepted.{name_of(column)}" for column in table.columns)
        numbered = "accepted.file_row_number + 1"
        if any(_is_numbered(table, source) for source in sources):
            numbered = f"coalesce(accepted._row, {numbered})"
        read = parquet(files, filename=True, file_row_number=True, union_by_name=True)
        # files with the same bytes are one parsed file, and each still has its rank
        ranks = [(str(rows_file(source.stem)), rank) for rank, source in enumerate(sources)]
        connection.execute("CREATE OR REPLACE TABLE ranks (file VARCHAR, _rank INTEGER)")
        connection.executemany("INSERT INTO ranks VALUES (?, ?)", ranks)
        origin = f"(SELECT read.*, ranks._rank FROM {read} AS read JOIN ranks ON read.filename = ranks.file)"
        missing = [
            f"CASE WHEN {test} THEN {literal(f'{column}: there is no such row in {parent}')} END"
            for column, parent, test in _orphan_tests(table)
        ]
        reason = f"nullif(concat_ws('; ', {', '.join(missing)}), '')" if missing else "NULL::VARCHAR"
        connection.execute(
            f"""CREATE TABLE joined AS
            SELECT {columns}, {numbered} AS _row, _rank, {reason} AS _reason FROM {origin} AS accepted"""
        )
        if missing:
            self._quarantine_orphans(table, sources)
        month, join = _month_of(table)
        connection.execute(
            f"""CREATE TABLE resolved AS
            WITH fit AS ({self._winners(table, len(sources))})
            SELECT fit.*, {month} AS _month FROM fit {join}"""
        )
        connection.execute("DROP TABLE joined")

    def _lands_as_read(self, table: RawTable, sources: Sequence[Source]) -> bool:
        """Tell whether parsed files can land as they are: nothing in them is superseded or an orphan."""
        if not table.key:
            return True
        if len(sources) > 1 or _is_numbered(table, sources[0]):
            return False
        tests = " OR ".join(test for _, _, test in _orphan_tests(table)) or "false"
        rows = f"{parquet(rows_file(sources[0].stem))} AS accepted"
        return scalar(self._connection, f"SELECT count(*) FROM {rows} WHERE {tests}") == 0

    def _view(self, table: RawTable, sources: Sequence[Source]) -> None:
        """Create ``resolved`` over a file that lands as it is."""
        month, join = _month_of(table)
        rows = f"{parquet(rows_file(sources[0].stem))} AS fit"
        self._connection.execute(
            f"CREATE VIEW resolved AS SELECT fit.*, true AS _wins, {month} AS _month FROM {rows} {join}"
        )

    def _keep_months(self, table: RawTable) -> None:
        """Keep what later tables need of this one: its keys, and the month each of them lies in."""
        if table.name == "orders":
            self._connection.execute(
                "CREATE TABLE keys_of_orders AS SELECT order_id AS key, _month, customer_id FROM resolved WHERE _wins"
            )
            self._connection.execute(
                """CREATE TABLE months_of_customers AS
                SELECT customer_id AS key, min(_month) AS _month FROM keys_of_orders GROUP BY customer_id"""
            )
        elif table.name == "order_items":
            self._connection.execute(
                """CREATE TABLE months_of_products AS
                SELECT product_id AS key, min(_month) AS _month FROM resolved WHERE _wins GROUP BY product_id"""
            )

    def _winners(self, table: RawTable, sources: int) -> str:
        """Write the SQL that marks, of the rows of one key, the one of the last file."""
        if sources == 1:
            return "SELECT * EXCLUDE (_reason), true AS _wins FROM joined WHERE _reason IS NULL"
        key = ", ".join(name_of(column) for column in table.key)
        # Only keys that a later file holds are contested; the first file is usually by far the largest.
        return f"""SELECT rows.* EXCLUDE (_reason), true AS _wins FROM joined AS rows ANTI JOIN (
                SELECT DISTINCT {key} FROM joined WHERE _rank > 0 AND _reason IS NULL) AS contested USING ({key})
            WHERE rows._reason IS NULL
            UNION ALL BY NAME
            SELECT rows.* EXCLUDE (_reason), row_number() OVER (PARTITION BY {key} ORDER BY _rank DESC) = 1 AS _wins
            FROM joined AS rows SEMI JOIN (
                SELECT DISTINCT {key} FROM joined WHERE _rank > 0 AND _reason IS NULL) AS contested USING ({key})
            WHERE rows._reason IS NULL"""

    def _quarantine_orphans(self, table: RawTable, sources: Sequence[Source]) -> None:
        rows = self._connection.execute(
            f"SELECT _rank, _row, {key_text(table, 'joined')}, _reason FROM joined WHERE _reason IS NOT NULL"
        ).fetchall()
        if not rows:
            return
        wanted: dict[int, set[int]] = {}
        for rank, number, *_ in rows:
            wanted.setdefault(rank, set()).add(number)
        places = {rank: self._places(sources[rank], numbers) for rank, numbers in wanted.items()}
        values: list[tuple[object, ...]] = [
            (table.name, sources[rank].piece.name, line, key, reason, raw)
            for rank, number, key, reason in rows
            for line, raw in [places[rank].get(number, (None, None))]
        ]
        kinds = (pa.string(), pa.string(), pa.int64(), pa.string(), pa.string(), pa.string())
        arrays = [pa.array([value[position] for value in values], kind) for position, kind in enumerate(kinds)]
        insert_rows(self._connection, "quarantine", pa.table(arrays, names=list("abcdef")))

    def _places(self, source: Source, numbers: set[int]) -> dict[int, tuple[int, str]]:
        """Find the lines of rows; what was found is kept, as orphans often stay for many loads."""
        kept = source.stem.with_name(source.stem.name + ".places.json")
        known: dict[int, tuple[int, str]] = {}
        if record := read_record(kept):
            known = {int(number): (line, raw) for number, (line, raw) in record.items()}
        if not numbers <= known.keys():
            known |= located(source.piece, numbers, self._work)
            write_record(kept, {str(number): place for number, place in known.items()})
        return known

    def _digests(self, table: RawTable) -> dict[str, str]:
        """Digest the rows of each month; sums of hashes, as the order of rows means nothing."""
        columns = ", ".join(name_of(column) for column in table.columns)
        return _digests_of(self._connection, f"SELECT _month, hash({columns}) AS hashed FROM resolved WHERE _wins")

    def _months_of_products(self, states: dict[str, TableState]) -> dict[str, str]:
        """Digest products by the first month they were sold in: what a changed product changes in the facts."""
        products, translations = (
            parquet(self._folder / name / file for file in states[name].files)
            for name in ("products", "category_translation")
        )
        columns = ", ".join(f"products.{name_of(column)}" for column in BY_NAME["products"].columns)
        return _digests_of(
            self._connection,
            f"""SELECT months._month, hash({columns}, names.product_category_name_english) AS hashed
            FROM {products} AS products
            JOIN months_of_products AS months ON products.product_id = months.key
            LEFT JOIN {translations} AS names USING (product_category_name)""",
        )

    def _write_parts(self, table: RawTable, parts: dict[str, str]) -> dict[str, str]:
        """Write the months whose rows are not there yet, and remove what is there beside them."""
        folder = self._folder / table.name
        folder.mkdir(exist_ok=True)
        recorded = self._before.get(table.name, TableState()).files
        intact = {name: digest for name, digest in recorded.items() if is_as_written(folder / name, digest)}
        # a month may have several files: it is there when the last load wrote it and all of them are intact
        whole = {
            month: names
            for month, digest in parts.items()
            if (names := [name for name in recorded if name.startswith(f"{month}.{digest}.")])
            and all(name in intact for name in names)
        }
        files = {name: intact[name] for names in whole.values() for name in names}
        absent = [month for month in parts if month not in whole]
        columns = ", ".join(name_of(column) for column in table.columns)
        if absent:
            cut = self._work / table.name
            shutil.rmtree(cut, ignore_errors=True)
            self._connection.execute(
                f"""COPY (SELECT {columns}, _month FROM resolved
                    WHERE _wins AND _month IN ({", ".join(map(literal, absent))}))
                TO {literal(cut)} (FORMAT parquet, COMPRESSION zstd, PARTITION_BY (_month))"""
            )
            for month in absent:
                for number, part in enumerate(sorted((cut / f"_month={month}").iterdir())):
                    name = f"{month}.{parts[month]}.{number}.parquet"
                    part.replace(folder / name)
                    files[name] = digest_of(folder / name)
        if not files:
            # the reader wants one file at least
            name = "none.empty.0.parquet"
            copy(
                self._connection, f"SELECT {columns} FROM resolved LIMIT 0", self._work / "empty.parquet", folder / name
            )
            files[name] = digest_of(folder / name)
        _remove_others(folder, files)
        return files

    def _link(self, table: RawTable, sources: Sequence[Source]) -> dict[str, str]:
        """Land parsed files as they are: one version of each row, or a table of observations."""
        folder = self._folder / table.name
        folder.mkdir(exist_ok=True)
        files: dict[str, str] = {}
        for rank, source in enumerate(sources):
            name = f"all.{source.stem.name}.{rank}.parquet"
            files[name] = digest_of(rows_file(source.stem))
            if not is_as_written(folder / name, files[name]):
                part = self._work / "linked.parquet"
                part.unlink(missing_ok=True)
                try:
                    os.link(rows_file(source.stem), part)
                except OSError:
                    # some file systems know no hard links
                    shutil.copyfile(rows_file(source.stem), part)
                part.replace(folder / name)
            files[name] = digest_of(folder / name)
        _remove_others(folder, files)
        return files

    def _rows_in(self, table: RawTable, files: dict[str, str]) -> int:
        listed = parquet(self._folder / table.name / name for name in files)
        return scalar(self._connection, f"SELECT count(*) FROM {listed}")

    def _write_reports(
        self, table: RawTable, sources: Sequence[Source], wins: dict[int, int], losses: dict[int, int]
    ) -> None:
        quarantined = dict(
            self._connection.execute("SELECT source_file, count(*) FROM quarantine GROUP BY source_file").fetchall()
        )
        for folder in REPORTS:
            (self._folder / folder).mkdir(exist_ok=True)
        copy(
            self._connection,
            "SELECT * FROM quarantine ORDER BY ALL",
            self._work / "quarantine.parquet",
            self._folder / "quarantine" / f"{table.name}.parquet",
        )
        lines = [
            (
                table.name,
                source.piece.name,
                source.outcome.raw_rows,
                wins.get(rank, 0),
                quarantined.get(source.piece.name, 0),
                source.outcome.repeated_rows,
                losses.get(rank, 0),
                source.outcome.note,
                source.outcome.parsed_at,
            )
            for rank, source in enumerate(sources)
        ]
        self._connection.execute(
            """CREATE OR REPLACE TABLE summary (source_table VARCHAR, source_file VARCHAR, raw_rows BIGINT,
            landed_rows BIGINT, quarantined_rows BIGINT, repeated_rows BIGINT, superseded_rows BIGINT, note VARCHAR,
            loaded_at TIMESTAMP)"""
        )
        self._connection.executemany("INSERT INTO summary VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", lines)
        copy(
            self._connection,
            "SELECT * FROM summary ORDER BY ALL",
            self._work / "summary.parquet",
            self._folder / "load_summary" / f"{table.name}.parquet",
        )


def _is_numbered(table: RawTable, source: Source) -> bool:
    return is_numbered(table, skips=bool(source.outcome.quarantined_rows or source.outcome.repeated_rows))


def _orphan_tests(table: RawTable) -> list[tuple[str, str, str]]:
    """List the references of a table: column, parent, and the SQL that finds rows without one."""
    return [
        (column, parent, f"accepted.{name_of(column)} NOT IN (SELECT key FROM keys_of_{parent})")
        for column, parent in table.references.items()
    ]


def _month_of(table: RawTable) -> tuple[str, str]:
    """Write the SQL of the month a row lies in, and the join that knows it."""
    if not table.by_month:
        return "'all'", ""
    if table.name == "orders":
        return "strftime(fit.order_purchase_timestamp, '%Y-%m')", ""
    known, key = "keys_of_orders", "order_id"
    if table.name == "customers":
        known, key = "months_of_customers", "customer_id"
    return f"coalesce(months._month, {literal(NO_MONTH)})", f"LEFT JOIN {known} AS months ON fit.{key} = months.key"


def find_damage(folder: Path, states: dict[str, TableState]) -> list[str] | None:
    """Compare the landing folder with what the last complete load left there.

    Returns
    -------
    list of str or None
        Files that are lost or damaged, and files that are not of the landing; None where there was no complete load.
    """
    if any(table.name not in states for table in TABLES):
        return None
    found: list[str] = []
    for name, state in states.items():
        place = folder / name
        lying = {entry.name for entry in place.iterdir()} if place.is_dir() else set()
        found += [f"{name}/{file}" for file in sorted(lying - state.files.keys())]
        written = {place / file: digest for file, digest in state.files.items()}
        written |= {folder / report / f"{name}.parquet": state.reports.get(report, "") for report in REPORTS}
        found += [
            file.relative_to(folder).as_posix() for file, digest in written.items() if not is_as_written(file, digest)
        ]
    return found


def _digests_of(connection: duckdb.DuckDBPyConnection, rows: str) -> dict[str, str]:
    found = connection.execute(
        f"""SELECT _month, count(*), sum(hashed), bit_xor(hash(hashed, 'second')) FROM ({rows})
        GROUP BY _month ORDER BY _month"""
    ).fetchall()
    return {month: _short(f"{count} {total} {mixed}") for month, count, total, mixed in found}


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _remove_others(folder: Path, keep: dict[str, str]) -> None:
    for entry in folder.iterdir():
        if entry.name not in keep:
            entry.unlink()
