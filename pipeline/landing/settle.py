"""From what was read of each file to the landing that dbt reads.

The landing is a function of the set of raw files: of their bytes and names, never of the order in which they came.
Whenever the set changes it is worked out again from the parsed files; only files whose content differs are written.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from pipeline.base.errors import PipelineError
from pipeline.base.files import digest_of, is_as_written
from pipeline.base.resources import restrain
from pipeline.base.sql import insert_rows, literal, name_of, parquet, scalar
from pipeline.landing import cells
from pipeline.landing.contract import STAMP, Column, RawTable, raw_tables
from pipeline.landing.files import Piece
from pipeline.landing.parsing import Parsed, copy, is_numbered, key_text, located, rejected_file, rows_file

NO_MONTH = "none"
REPORTS = ("quarantine", "load_summary")
QUARANTINE = (
    "source_table VARCHAR, source_file VARCHAR, line BIGINT, row_key VARCHAR, problem VARCHAR, reason VARCHAR, "
    "raw_row VARCHAR"
)
# A date is mistyped when so few lie so far from all others: no nearer than this, and farther than all others span.
FAR_DAYS, FAR_SHARE, FAR_ROWS = 3 * 366, 0.005, 10
# Nearer ones may be meant, and are said: one such order makes everyone's last one look old. No nearer than a quarter,
# and twice as far as the many lie from one another.
DOUBTFUL_DAYS, DOUBTFUL_RATIO, DOUBTFUL_FEW, DOUBTFUL_MANY = 92, 2, 3, 8
PERSON = "customer_unique_id"


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
    merges_spellings : bool
        Whether ids of people that differ only in being written in capitals or in small letters are one person.

    Attributes
    ----------
    warnings : list of str
        What a person must look at.
    """

    def __init__(
        self, folder: Path, work: Path, before: dict[str, TableState], *, merges_spellings: bool = True
    ) -> None:
        self._folder = folder
        self._work = work
        self._before = before
        self._merges_spellings = merges_spellings
        self._absent: set[str] = set()
        self._sources: dict[str, list[Source]] = {}
        self.warnings: list[str] = []
        self._connection = duckdb.connect()
        restrain(self._connection, work / "spill")
        self._connection.execute(f"CREATE TABLE quarantine ({QUARANTINE})")

    def settle(self, sources: dict[str, list[Source]]) -> dict[str, TableState]:
        """Bring every landing file up to date.

        Parameters
        ----------
        sources : dict
            Table name to its parsed files, earlier ones first; an optional table may have none.

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
        tables = raw_tables()
        self._sources = sources
        self._absent = {name for name in tables if not sources[name]}
        try:
            parents = {parent for table in tables.values() for parent in table.references.values()}
            for parent in sorted(parents - {"orders"} - self._absent):
                # whether a row exists does not depend on which file's version of it wins
                files = [rows_file(source.stem) for source in sources[parent]]
                (key,) = tables[parent].key
                self._connection.execute(
                    f"""CREATE TABLE keys_of_{parent} AS
                    SELECT DISTINCT {name_of(key)} AS key FROM {parquet(files)}"""
                )
            # orders come first: their months cut the files of the others
            for name, table in tables.items():
                states[name] = self._settle_table(table, sources[name])
            states["products"].months = self._months_of_products(states)
        finally:
            self._connection.close()
        return states

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
                    f"""INSERT INTO quarantine
                    SELECT {literal(table.name)}, coalesce(source_file, {literal(source.piece.name)}),
                        * EXCLUDE (source_file) FROM {parquet(rejected_file(source.stem))}"""
                )
        wins = {rank: source.outcome.accepted_rows for rank, source in enumerate(sources)}
        losses: dict[int, int] = {}
        if self._lands_as_read(table, sources):
            state.files = self._link(table, sources)
            state.parts = {"all": _short(" ".join(state.files))}
            if table.month_from:
                self._view(table, sources)
        else:
            self._resolve(table, sources)
            self._warn_of_superseded(table, sources)
            counts = connection.execute(
                """SELECT _rank, count(*) FILTER (WHERE _wins), count(*) FILTER (WHERE NOT _wins)
                FROM resolved GROUP BY _rank"""
            ).fetchall()
            wins = {rank: count for rank, count, _ in counts}
            losses = {rank: count for rank, _, count in counts}
            books.superseded_rows = sum(losses.values())
            state.parts = self._digests(table)
            state.files = self._write_parts(table, state.parts)
        if table.month_from:
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
        if not sources:
            empty = ", ".join(f"NULL::{kind} AS {name_of(column)}" for column, kind in table.columns.items())
            connection.execute(
                f"""CREATE TABLE resolved AS
                SELECT {empty}, 0 AS _rank, true AS _wins, NULL::VARCHAR AS _month WHERE false"""
            )
            return
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
        far = [f"CASE WHEN {test} THEN {_far_sentence(column)} END" for column, test in self._far_dates(table, sources)]
        orphans = [
            f"CASE WHEN {test} THEN {literal(f'{column}: there is no such row in {parent}')} END"
            for column, parent, test in self._orphan_tests(table)
        ]
        told, lost = (f"nullif(concat_ws('; ', NULL, {', '.join(of or ['NULL'])}), '')" for of in (far, orphans))
        connection.execute(
            f"""CREATE TABLE joined AS
            SELECT {columns}, {numbered} AS _row, _rank,
                CASE WHEN {lost} IS NOT NULL THEN {literal(cells.NO_PARENT)}
                    WHEN {told} IS NOT NULL THEN {literal(cells.FAR_DATE)} END AS _problem,
                nullif(concat_ws('; ', {lost}, {told}), '') AS _reason
            FROM {origin} AS accepted"""
        )
        if far or orphans:
            self._quarantine_unfit(table, sources)
        if PERSON in table.fields and self._merges_spellings:
            self._merge_spellings()
        self._merge_labels(table, sources)
        month, join = _month_of(table)
        connection.execute(
            f"""CREATE TABLE resolved AS
            WITH fit AS ({self._winners(table, len(sources))})
            SELECT fit.*, {month} AS _month FROM fit {join}"""
        )
        connection.execute("DROP TABLE joined")

    def _orphan_tests(self, table: RawTable) -> list[tuple[str, str, str]]:
        """List the references of a table: column, parent, and the SQL that finds rows without one."""
        return [
            (column, parent, f"accepted.{name_of(column)} NOT IN (SELECT key FROM keys_of_{parent})")
            for column, parent in table.references.items()
            if parent not in self._absent
        ]

    def _far_dates(self, table: RawTable, sources: Sequence[Source]) -> list[tuple[str, str]]:
        """List the columns with dates that cannot be meant, each with the SQL that finds their rows."""
        files = parquet(sorted({rows_file(source.stem) for source in sources}))
        found = []
        for column in table.fields.values():
            if column.kind != STAMP or not table.key:
                continue
            name = name_of(column.name)
            first, last = self._connection.execute(
                f"SELECT min({name})::DATE, max({name})::DATE FROM {files}"
            ).fetchall()[0]
            if first is None:
                continue
            is_promise = column.form == "promise"
            is_narrow = (last - first).days <= DOUBTFUL_DAYS
            late_day, early_day, late, early = (None,) * 4 if is_narrow else self._far_days(name, files)
            if not (is_promise or late_day or late):
                self._warn_of_coming(table, column.name, sources, files, last)
            tests = [
                f"accepted.{name}::DATE {sign} {literal(day)}"
                for sign, day in ((">=", late_day), ("<=", early_day))
                if day is not None and not is_promise
            ]
            if tests:
                found.append((column.name, f"coalesce({' OR '.join(tests)}, false)"))
            # a promise may lie years ahead, and is in doubt only where another date would be set aside
            if not is_promise or late_day is not None or early_day is not None:
                beyond = [late if late_day is None or is_promise else None]
                beyond.append(early if early_day is None or is_promise else None)
                self._warn_of_doubtful(table, column.name, *beyond)
        return found

    def _far_days(self, name: str, files: str) -> tuple[Any, ...]:
        """Find where few days lie far from the many.

        Returns
        -------
        tuple
            The first day that is too late to be meant, the last that is too early, and of those that are in doubt, late
            and early: the nearest day, the nearest of the others, and the rows. None where there is none.
        """
        few, some = (f"<= greatest({least}, {FAR_SHARE} * times_in_all)" for least in (1, DOUBTFUL_FEW))
        late = f"times_in_all - earlier {few} AND earlier >= {FAR_ROWS}"
        early = f"earlier {few} AND times_in_all - earlier >= {FAR_ROWS}"
        is_wide = f"gap > greatest({DOUBTFUL_DAYS}, {DOUBTFUL_RATIO} * usual_gap)"
        doubtful_late = f"times_in_all - earlier {some} AND earlier >= {DOUBTFUL_MANY} AND {is_wide}"
        doubtful_early = f"earlier {some} AND times_in_all - earlier >= {DOUBTFUL_MANY} AND {is_wide}"
        # a gap cuts the days in two: the few on its one side are far when it is wider than what the many span
        return self._connection.execute(
            f"""WITH days AS (
                SELECT {name}::DATE AS day, count(*) AS times FROM {files}
                WHERE {name} IS NOT NULL GROUP BY 1),
            steps AS (
                SELECT day, lag(day) OVER (ORDER BY day) AS day_before, day - day_before AS gap,
                    min(day) OVER () AS first_day, max(day) OVER () AS last_day,
                    sum(times) OVER (ORDER BY day) - times AS earlier, sum(times) OVER () AS times_in_all FROM days),
            usual AS (
                SELECT coalesce(max(gap), 0) AS usual_gap FROM steps
                WHERE NOT earlier {some} AND NOT times_in_all - earlier {some})
            SELECT
                min(day) FILTER ({late} AND gap > greatest({FAR_DAYS}, day_before - first_day)),
                max(day_before) FILTER ({early} AND gap > greatest({FAR_DAYS}, last_day - day)),
                arg_min((day, day_before, times_in_all - earlier), day) FILTER ({doubtful_late}),
                arg_max((day_before, day, earlier), day) FILTER ({doubtful_early})
            FROM steps, usual"""
        ).fetchall()[0]

    def _warn_of_doubtful(
        self, table: RawTable, column: str, late: tuple[Any, ...] | None, early: tuple[Any, ...] | None
    ) -> None:
        """Name dates that stand alone, and yet may be meant: whoever knows the shop decides."""
        for where, found in (("after", late), ("before", early)):
            if found is None:
                continue
            day, nearest, rows = found
            several = "rows have" if rows > 1 else "row has"
            reach = "" if rows == 1 else " or later" if where == "after" else " or earlier"
            self._warn_once(
                f"{table.name}: {rows:,} {several} {column} {day}{reach}, {abs((day - nearest).days):,} days "
                f"{where} all others ({nearest}); {_cure_of_date(table, column)}"
            )

    def _warn_of_coming(self, table: RawTable, column: str, sources: Sequence[Source], files: str, last: date) -> None:
        """Name what a file says of days that came after it was written: it cannot know of them."""
        written = max(source.piece.path.stat().st_mtime for source in sources)
        # wherever on earth the shop's clock is
        limit = datetime.fromtimestamp(written, UTC).replace(tzinfo=None) + timedelta(days=1)
        if last <= limit.date():
            return
        name = name_of(column)
        rows, known = self._connection.execute(
            f"SELECT count(*) FILTER ({name} > ?), count({name}) FROM {files}", [limit]
        ).fetchall()[0]
        # where most are, it is the file's own time that is wrong
        if rows and 2 * rows <= known:
            several = "rows have" if rows > 1 else "row has"
            self._warn_once(
                f"{table.name}: {rows:,} {several} {column} after the file itself was written "
                f"({limit - timedelta(days=1):%Y-%m-%d}), up to {last}; {_cure_of_date(table, column)}"
            )

    def _warn_once(self, told: str) -> None:
        if told not in self.warnings:
            self.warnings.append(told)

    def _are_spelt_in_two_ways(self, relation: str) -> bool:
        """Tell whether some ids of people hold small letters and others capitals; in most shops none do."""
        person = name_of(PERSON)
        spelt = f"bool_or({person} <> upper({person})) AND bool_or({person} <> lower({person}))"
        return bool(scalar(self._connection, f"SELECT coalesce({spelt}, false)::INTEGER FROM {relation}"))

    def _merge_spellings(self) -> None:
        """Give one spelling, the usual one, to people whose ids are all capitals here and all small letters there."""
        connection, person = self._connection, name_of(PERSON)
        if not self._are_spelt_in_two_ways("joined"):
            return
        connection.execute(
            f"""CREATE OR REPLACE TABLE spellings AS
            WITH spelt AS (
                SELECT {person} AS spelling, lower({person}) AS person, count(*) AS times FROM joined
                WHERE {person} IN (lower({person}), upper({person})) GROUP BY 1, 2)
            SELECT spelling, first(spelling) OVER (PARTITION BY person ORDER BY times DESC, spelling DESC) AS usual
            FROM spelt QUALIFY count(*) OVER (PARTITION BY person) > 1"""
        )
        merged = scalar(connection, "SELECT count(*) FROM spellings WHERE spelling <> usual")
        if merged:
            connection.execute(
                f"""UPDATE joined SET {person} = spellings.usual FROM spellings
                WHERE joined.{person} = spellings.spelling AND spellings.spelling <> spellings.usual"""
            )
            self.warnings.append(
                f"customers: {merged:,} people are written in capitals in some rows and in small letters in others; "
                "each is one person (set merge_person_spellings to false to keep them apart)"
            )

    def _merge_labels(self, table: RawTable, sources: Sequence[Source]) -> None:
        """Give each label its usual spelling: groups are counted by it."""
        for column in table.fields.values():
            usual = self._usual_spellings(column, sources)
            if not usual:
                continue
            spelt = pa.table({"spelling": [*usual], "usual": [*usual.values()]})
            self._connection.register("labels", spelt)
            name = name_of(column.name)
            self._connection.execute(
                f"UPDATE joined SET {name} = labels.usual FROM labels WHERE joined.{name} = labels.spelling"
            )
            self._connection.unregister("labels")
            shown = "; ".join(f"{spelling!r:.40} is {to!r:.40}" for spelling, to in sorted(usual.items())[:3])
            self._warn_once(
                f"{table.name}: {len(usual):,} spellings of {column.name} differ from others only by case, blanks, "
                f"accents or hyphens, and are counted with them ({shown})"
            )

    def _usual_spellings(self, column: Column, sources: Sequence[Source]) -> dict[str, str]:
        """Find labels that differ in spelling only from the usual one, of the table that names them or the commonest.

        Returns
        -------
        dict of str to str
            Each such spelling, and the usual one.
        """
        if column.form != "label" or not sources:
            return {}
        name = name_of(column.name)
        said = f"SELECT {name} AS spelling, count(*) AS times, false AS is_known FROM {_read(sources)} GROUP BY 1"
        if column.spelt_as and (named := self._sources[column.spelt_as]):
            said += f" UNION ALL SELECT {name}, 0, true FROM {_read(named)}"
        return dict(
            self._connection.execute(
                f"""WITH spelt AS (
                    SELECT spelling, {cells.spelt_plainly("spelling")} AS label, sum(times) AS times,
                        bool_or(is_known) AS is_known FROM ({said}) WHERE spelling IS NOT NULL GROUP BY 1, 2),
                paired AS (
                    SELECT spelling, times, first(spelling) OVER (
                        PARTITION BY label ORDER BY is_known DESC, times DESC, spelling DESC) AS usual FROM spelt)
                SELECT spelling, usual FROM paired WHERE spelling <> usual AND times > 0"""
            ).fetchall()
        )

    def _warn_of_superseded(self, table: RawTable, sources: Sequence[Source]) -> None:
        """Name a file that replaces every row of another: an old copy beside a file looks just like a correction."""
        if len(sources) < 2 or not table.key:
            return
        key = ", ".join(name_of(column) for column in table.key)
        lost = self._connection.execute(
            f"""SELECT lost._rank, max(won._rank), count(*) FROM resolved AS lost JOIN resolved AS won USING ({key})
            WHERE NOT lost._wins AND won._wins AND lost._rank NOT IN (SELECT _rank FROM resolved WHERE _wins)
            GROUP BY 1 ORDER BY 1"""
        ).fetchall()
        for rank, by, rows in lost:
            self.warnings.append(
                f"{sources[by].piece.name} replaces every row of {sources[rank].piece.name} ({rows:,}), as it comes "
                "later by name; if it is an old copy, move it out of the folder"
            )

    def _lands_as_read(self, table: RawTable, sources: Sequence[Source]) -> bool:
        """Tell whether parsed files can land as they are: nothing in them is superseded or unfit."""
        if not table.key:
            return bool(sources)
        if len(sources) != 1 or _is_numbered(table, sources[0]):
            return False
        rows = f"{parquet(rows_file(sources[0].stem))} AS accepted"
        if PERSON in table.fields and self._merges_spellings and self._are_spelt_in_two_ways(rows):
            return False
        if any(self._usual_spellings(column, sources) for column in table.fields.values()):
            return False
        unfit = [test for *_, test in [*self._orphan_tests(table), *self._far_dates(table, sources)]]
        return scalar(self._connection, f"SELECT count(*) FROM {rows} WHERE {' OR '.join(unfit) or 'false'}") == 0

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
            return "SELECT * EXCLUDE (_problem, _reason), true AS _wins FROM joined WHERE _reason IS NULL"
        key = ", ".join(name_of(column) for column in table.key)
        # Only keys that a later file holds are contested; the first file is usually by far the largest.
        return f"""SELECT rows.* EXCLUDE (_problem, _reason), true AS _wins FROM joined AS rows ANTI JOIN (
                SELECT DISTINCT {key} FROM joined WHERE _rank > 0 AND _reason IS NULL) AS contested USING ({key})
            WHERE rows._reason IS NULL
            UNION ALL BY NAME
            SELECT rows.* EXCLUDE (_problem, _reason),
                row_number() OVER (PARTITION BY {key} ORDER BY _rank DESC) = 1 AS _wins
            FROM joined AS rows SEMI JOIN (
                SELECT DISTINCT {key} FROM joined WHERE _rank > 0 AND _reason IS NULL) AS contested USING ({key})
            WHERE rows._reason IS NULL"""

    def _quarantine_unfit(self, table: RawTable, sources: Sequence[Source]) -> None:
        """Set aside rows without a parent, and those with a date that cannot be meant."""
        rows = self._connection.execute(
            f"SELECT _rank, _row, {key_text(table, 'joined')}, _problem, _reason FROM joined WHERE _reason IS NOT NULL"
        ).fetchall()
        if not rows:
            return
        wanted: dict[int, set[int]] = {}
        for rank, number, *_ in rows:
            wanted.setdefault(rank, set()).add(number)
        places = {
            rank: located(sources[rank].piece, sources[rank].outcome, sources[rank].stem, numbers, self._work)
            for rank, numbers in wanted.items()
        }
        values: list[tuple[object, ...]] = [
            (table.name, file or sources[rank].piece.name, line, key, problem, reason, raw)
            for rank, number, key, problem, reason in rows
            for line, raw, file in [places[rank].get(number, (None, None, None))]
        ]
        kinds = (pa.string(), pa.string(), pa.int64(), pa.string(), pa.string(), pa.string(), pa.string())
        arrays = [pa.array([value[position] for value in values], kind) for position, kind in enumerate(kinds)]
        insert_rows(self._connection, "quarantine", pa.table(arrays, names=list("abcdefg")))

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
        columns = ", ".join(f"products.{name_of(column)}" for column in raw_tables()["products"].columns)
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
        if len(sources) == 1:
            # mapped rows come from several files, and are one here
            quarantined = {sources[0].piece.name: sum(quarantined.values())}
        for folder in REPORTS:
            (self._folder / folder).mkdir(exist_ok=True)
        copy(
            self._connection,
            "SELECT * FROM quarantine ORDER BY ALL",
            self._work / "quarantine.parquet",
            self._folder / "quarantine" / f"{table.name}.parquet",
        )
        lines: list[tuple[object, ...]] = [
            (
                table.name,
                source.piece.name,
                source.outcome.raw_rows,
                wins.get(rank, 0),
                quarantined.get(source.piece.name, 0),
                source.outcome.repeated_rows,
                losses.get(rank, 0),
                "; ".join(filter(None, [source.outcome.note, source.outcome.warning])),
                source.outcome.parsed_at,
            )
            for rank, source in enumerate(sources)
        ]
        if not sources and not table.is_extra:
            lines = [(table.name, "", 0, 0, 0, 0, 0, f"no such file: {table.stays_empty_without} stay empty", None)]
        self._connection.execute(
            """CREATE OR REPLACE TABLE summary (source_table VARCHAR, source_file VARCHAR, raw_rows BIGINT,
            landed_rows BIGINT, quarantined_rows BIGINT, repeated_rows BIGINT, superseded_rows BIGINT, note VARCHAR,
            loaded_at TIMESTAMP)"""
        )
        if lines:
            self._connection.executemany("INSERT INTO summary VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", lines)
        copy(
            self._connection,
            "SELECT * FROM summary ORDER BY ALL",
            self._work / "summary.parquet",
            self._folder / "load_summary" / f"{table.name}.parquet",
        )


def _read(sources: Sequence[Source]) -> str:
    """Write the SQL of the accepted rows of files."""
    return parquet(sorted({rows_file(source.stem) for source in sources}), union_by_name=True)


def _is_numbered(table: RawTable, source: Source) -> bool:
    return is_numbered(table, skips=bool(source.outcome.quarantined_rows or source.outcome.repeated_rows))


def _far_sentence(column: str) -> str:
    """Write the SQL of the sentence about a date that cannot be meant."""
    return f"{literal(column + ': ')} || accepted.{name_of(column)}::VARCHAR || ' lies years from all other rows'"


def _cure_of_date(table: RawTable, column: str) -> str:
    """Say what to do about a date that may not be meant, and why it matters."""
    cure = "if that is a slip of the keyboard, repair the file, for "
    if column == table.month_from:
        return cure + "the last day of the data is what everyone's last order is counted from"
    return cure + "means of days are moved by it"


def _month_of(table: RawTable) -> tuple[str, str]:
    """Write the SQL of the month a row lies in, and the join that knows it."""
    if not table.month_from:
        return "'all'", ""
    column = table.fields[table.month_from]
    if column.kind == STAMP:
        return f"strftime(fit.{name_of(column.name)}, '%Y-%m')", ""
    # the month of the order that a row belongs to, or of the first order that names it
    known = f"keys_of_{column.references}" if column.references else f"months_of_{table.name}"
    joined = f"LEFT JOIN {known} AS months ON fit.{name_of(column.name)} = months.key"
    return f"coalesce(months._month, {literal(NO_MONTH)})", joined


def find_damage(folder: Path, states: dict[str, TableState]) -> list[str] | None:
    """Compare the landing folder with what the last complete load left there.

    Returns
    -------
    list of str or None
        Files that are lost or damaged, and files that are not of the landing; None where there was no complete load.
    """
    if any(name not in states for name in raw_tables()):
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
