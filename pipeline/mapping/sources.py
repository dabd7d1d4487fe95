"""A shop's files as tables of texts in which every row knows its file and line."""

from __future__ import annotations

import codecs
import csv
import fnmatch
import itertools
import re
import shutil
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from pipeline.base.errors import InputError
from pipeline.base.sql import file_literal, insert_rows, literal, name_of, parquet, scalar
from pipeline.landing import csvtext
from pipeline.mapping.shopfile import SourceFiles

TEXT_ENDINGS = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz", ".txt.gz")
OTHER_ENDINGS = (".parquet", ".jsonl", ".ndjson", ".xlsx", ".zip")
ENDINGS = (*TEXT_ENDINGS, *OTHER_ENDINGS)
DELIMITERS = {",": ",", ";": ";", "|": "|", "tab": "\t", "\t": "\t", "blanks": " ", " ": " "}
SNIFFED = (",", ";", "\t", "|")
SNIFFED_LINES = 50
BATCH = 50_000
LONGEST_TOLD = 300
# Western texts have single accented letters; in others most letters lie beyond ASCII.
CROWDED_SHARE = 0.3
FAULTS = "_faults"
CONTROL = ("_file", "_line")


class UnknownLettersError(InputError):
    """A text is not UTF-8, and nothing says whose letters it is written in."""


@dataclass(frozen=True)
class SourceFile:
    """One file to read.

    Attributes
    ----------
    path : Path
        Where its bytes are, perhaps unpacked.
    name : str
        What messages call it.
    """

    path: Path
    name: str


def find_files(folder: Path, table: str, files: SourceFiles) -> list[Path]:
    """Find the files of a table by their patterns, in the order of their names.

    Raises
    ------
    InputError
        None is there, or one is of a kind that is not read.
    """
    present = sorted(entry.name for entry in folder.iterdir() if entry.is_file() and not entry.name.startswith("."))
    found = []
    for pattern in files.patterns:
        names = [
            name
            for name in present
            if fnmatch.fnmatch(name.lower(), pattern.lower())
            or (fnmatch.fnmatch(_stem(name).lower(), pattern.lower()) and _is_read(name))
        ]
        if not names:
            raise InputError(
                f"{folder} holds no file called {pattern}, which {table} is to come from. "
                f"Found there: {', '.join(present) or 'nothing'}."
            )
        for name in names:
            if not _is_read(name):
                raise InputError(f"{folder / name}: files of this kind are not read; known are {', '.join(ENDINGS)}.")
        found += [folder / name for name in names if folder / name not in found]
    return found


def _sheet_header(sheet: Any) -> tuple[int, list[str]]:
    """Give the number and the names of a sheet's first line that holds anything; 0 and none where there is none."""
    for number, cells in enumerate(sheet.iter_rows(values_only=True), start=1):
        texts = [_cell_text(cell) or "" for cell in cells]
        if any(texts):
            return number, _named(_trimmed(texts))
    return 0, []


def sheet_headers(path: Path) -> dict[str, list[str]]:
    """Give the sheets of a workbook and the names of their columns.

    Raises
    ------
    InputError
        It is no workbook that can be read.
    """
    book = _workbook(path, path.name)
    return {title: _sheet_header(book[title])[1] for title in book.sheetnames}


def _workbook(path: Path, name: str) -> Any:
    import openpyxl

    try:
        return openpyxl.load_workbook(path, read_only=True, data_only=True)
    except Exception as error:
        raise InputError(f"{name} is no workbook that can be read ({_first_line(error)}).") from error


def _batches(rows: Iterable[tuple[int, Sequence[Any]]]) -> Iterator[list[tuple[int, Sequence[Any]]]]:
    rest = iter(rows)
    while batch := list(itertools.islice(rest, BATCH)):
        yield batch


def _is_read(name: str) -> bool:
    return name.lower().endswith(ENDINGS)


def _stem(name: str) -> str:
    ending = next((ending for ending in sorted(ENDINGS, key=len, reverse=True) if name.lower().endswith(ending)), "")
    return name[: len(name) - len(ending)] if ending else name


class Sources:
    """The shop's tables in a connection: one table of texts each, with ``_file`` and ``_line``.

    Parameters
    ----------
    connection : DuckDBPyConnection
    folder : Path
        The raw folder.
    work : Path
        A folder for what is unpacked and rewritten, for as long as the reading lasts.

    Attributes
    ----------
    notes : list of str
        What a person should know of how files were read.
    rows : dict of str to int
        Records of each file, the broken ones among them.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, folder: Path, work: Path) -> None:
        self._connection = connection
        self._folder = folder
        self._work = work
        self.notes: list[str] = []
        self.rows: dict[str, int] = {}
        connection.execute(
            f"CREATE TABLE IF NOT EXISTS {FAULTS} "
            "(source VARCHAR, _file VARCHAR, _line BIGINT, fault VARCHAR, raw VARCHAR)"
        )

    def read(self, table: str, files: SourceFiles) -> list[str]:
        """Read the files of a table.

        Returns
        -------
        list of str
            Its columns, those that say where a row comes from left out.

        Raises
        ------
        InputError
            A file cannot be used; the message names it and the cure.
        """
        parts: list[str] = []
        columns: dict[str, str] = {}
        for path in find_files(self._folder, table, files):
            for file in self._unpacked(path):
                part = f"part of {table} {len(parts)}"
                names = self._read_file(table, part, file, files)
                # two tables may be two sheets of one workbook
                called = f"{file.name}/{files.sheet}" if files.sheet else file.name
                self.rows[called] = scalar(self._connection, f"SELECT count(*) FROM {name_of(part)}") + scalar(
                    self._connection, f"SELECT count(*) FROM {FAULTS} WHERE _file = {literal(file.name)}"
                )
                # a header spelt otherwise in another file is the same column
                spelt = {name: columns.setdefault(plain(name), name) for name in names}
                listed = ", ".join(f"{name_of(name)} AS {name_of(usual)}" for name, usual in spelt.items())
                parts.append(f"SELECT {listed}, _file, _line FROM {name_of(part)}")
        if len(parts) == 1:
            self._connection.execute(f"ALTER TABLE {name_of(f'part of {table} 0')} RENAME TO {name_of(table)}")
            return list(columns.values())
        self._connection.execute(f"CREATE TABLE {name_of(table)} AS {' UNION ALL BY NAME '.join(parts)}")
        for number in range(len(parts)):
            self._connection.execute(f"DROP TABLE {name_of(f'part of {table} {number}')}")
        return list(columns.values())

    def _unpacked(self, path: Path) -> Iterator[SourceFile]:
        if path.suffix.lower() != ".zip":
            yield SourceFile(path, path.name)
            return
        try:
            with zipfile.ZipFile(path) as archive:
                members = [entry for entry in archive.infolist() if not entry.is_dir() and _is_read(entry.filename)]
                members = [entry for entry in members if not entry.filename.startswith("__MACOSX")]
                if not members:
                    raise InputError(f"{path} holds no file that is read; known are {', '.join(ENDINGS)}.")
                for number, entry in enumerate(members):
                    ending = next(one for one in ENDINGS if entry.filename.lower().endswith(one))
                    target = self._work / f"unpacked-{path.name}-{number}{ending}"
                    with archive.open(entry) as packed, target.open("wb") as copy:
                        shutil.copyfileobj(packed, copy)
                    yield SourceFile(target, f"{path.name}/{entry.filename}")
        except (zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
            raise InputError(f"{path} cannot be unpacked ({error}). Copy it again, or unpack it by hand.") from error

    def _read_file(self, table: str, part: str, file: SourceFile, files: SourceFiles) -> list[str]:
        name = file.path.name.lower()
        try:
            if name.endswith(".parquet"):
                return self._read_parquet(part, file)
            if name.endswith((".jsonl", ".ndjson")):
                return self._read_typed(part, file, f"read_ndjson({file_literal(file.path)}, sample_size = -1)")
            if name.endswith(".xlsx"):
                return self._read_sheets(part, file, files)
        except duckdb.Error as error:
            raise InputError(f"{file.name} cannot be read ({_first_line(error)}). Export or copy it again.") from error
        return self._read_text(table, part, file, files)

    def _read_parquet(self, part: str, file: SourceFile) -> list[str]:
        try:
            return self._read_typed(part, file, parquet(file.path, file_row_number=True, binary_as_string=True))
        except duckdb.InvalidInputException:
            # bytes that are no text, such as a picture of the product
            return self._read_typed(part, file, parquet(file.path, file_row_number=True))

    def _read_typed(self, part: str, file: SourceFile, read: str) -> list[str]:
        described = self._connection.execute(f"DESCRIBE SELECT * FROM {read}").fetchall()
        kinds = {name: str(kind) for name, kind, *_ in described if name != "file_row_number"}
        line = "file_row_number + 1" if len(kinds) < len(described) else "row_number() OVER ()"

        def text(name: str) -> str:
            column = name_of(name)
            if kinds[name].startswith(("STRUCT", "MAP")) or kinds[name].endswith("]"):
                return f"to_json({column})::VARCHAR"
            if kinds[name] == "BLOB":
                return f"TRY(decode({column}))"
            if kinds[name] in ("DOUBLE", "FLOAT"):
                # neither an exponent nor the tail of a fraction that no text shows
                return (
                    f"CASE WHEN {column} = trunc({column}) AND abs({column}) < 1e15 THEN {column}::BIGINT::VARCHAR "
                    f"WHEN abs({column}) < 0.0001 THEN printf('%.10f', {column}) ELSE {column}::VARCHAR END"
                )
            return f"{column}::VARCHAR"

        names = _named(list(kinds))
        listed = ", ".join(f"{text(given)} AS {name_of(name)}" for given, name in zip(kinds, names, strict=True))
        self._connection.execute(
            f"""CREATE TABLE {name_of(part)} AS
            SELECT {listed}, {literal(file.name)} AS _file, ({line})::BIGINT AS _line FROM {read}"""
        )
        return names

    def _read_sheets(self, part: str, file: SourceFile, files: SourceFiles) -> list[str]:
        """Read a workbook: the sheet that is named, else all that look like its widest, columns matched by name."""
        if files.header:
            raise InputError(f"{file.name}: `header` is for text files; give the sheet a line of names.")
        book = _workbook(file.path, file.name)
        if files.sheet and files.sheet not in book.sheetnames:
            raise InputError(f"{file.name} has no sheet {files.sheet!r}. There are: {', '.join(book.sheetnames)}.")
        headers = {title: _sheet_header(book[title]) for title in ([files.sheet] if files.sheet else book.sheetnames)}
        widest = {plain(name) for name in max((names for _, names in headers.values()), key=len)}
        if not widest:
            raise InputError(f"{file.name} holds no sheet with a line of column names.")
        columns: dict[str, str] = {}
        for title, (_, names) in headers.items():
            if 2 * len({plain(name) for name in names} & widest) >= max(len(names), 1):
                columns |= {plain(name): name for name in names if plain(name) not in columns}
            else:
                shared = "hardly a column with the others" if names else "no line of column names"
                self.notes.append(f"{file.name}: sheet {title!r} has {shared}, and is not read")
                headers[title] = (0, [])
        definitions = ", ".join(f"{name_of(name)} VARCHAR" for name in columns.values())
        self._connection.execute(f"CREATE TABLE {name_of(part)} ({definitions}, _file VARCHAR, _line BIGINT)")
        for title, (line, names) in headers.items():
            if not names:
                continue
            place = file.name if len(book.sheetnames) == 1 else f"{file.name}/{title}"
            given = [plain(name) for name in names]
            positions = [given.index(name) if name in given else None for name in columns]
            rows = book[title].iter_rows(min_row=line + 1, values_only=True)
            for batch in _batches(enumerate(rows, start=line + 1)):
                self._insert(part, positions, place, batch)
        return list(columns.values())

    def _insert(
        self, part: str, positions: list[int | None], place: str, rows: Sequence[tuple[int, Sequence[Any]]]
    ) -> None:
        """Insert rows of a sheet; positions say where in them each column of the table stands, if it does."""
        texts = [(number, [_cell_text(cell) for cell in cells]) for number, cells in rows]
        kept = [(number, cells) for number, cells in texts if any(cells)]
        arrays = [
            pa.array(
                [cells[position] if position is not None and position < len(cells) else None for _, cells in kept],
                pa.string(),
            )
            for position in positions
        ]
        arrays += [pa.array([place] * len(kept), pa.string()), pa.array([number for number, _ in kept], pa.int64())]
        table = pa.Table.from_arrays(arrays, names=[f"c{number}" for number in range(len(arrays))])
        insert_rows(self._connection, name_of(part), table)

    def _read_text(self, table: str, part: str, file: SourceFile, files: SourceFiles) -> list[str]:
        path, note = readable(file, files.encoding, self._work)
        if note:
            self.notes.append(f"{file.name}: {note}")
        delimiter = _delimiter(path, file.name, files.delimiter)
        written = path
        if delimiter == " ":
            path = _squeezed(path, self._work)
            delimiter = "\t"
        header, skipped = _header(path, file.name, delimiter, files.header, written)
        inspected = csvtext.inspect(path)
        if not inspected.needs_care and not csvtext.has_lines_above(path):
            try:
                self._read_fast(part, file, path, delimiter, header, skipped, inspected)
                return header
            except duckdb.Error:
                # the reader gives up on the first record that it cannot tell apart
                self._connection.execute(f"DROP TABLE IF EXISTS {name_of(part)}")
        self._read_carefully(table, part, file, path, delimiter, header, skipped)
        return header

    def _read_fast(  # noqa: PLR0917
        self,
        part: str,
        file: SourceFile,
        path: Path,
        delimiter: str,
        header: list[str],
        skipped: int,
        inspected: csvtext.Inspection,
    ) -> None:
        columns = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in header)
        read = f"""read_csv({file_literal(path)}, header = {str(bool(skipped)).lower()}, auto_detect = false,
            hive_partitioning = false, delim = {literal(delimiter)}, quote = '"', escape = '"',
            columns = {{{columns}}}, max_line_size = {csvtext.LONGEST_RECORD})"""
        listed = ", ".join(name_of(name) for name in header)
        newlines = "0"
        if inspected.has_quotes:
            counted = (f"coalesce(length({n}) - length(replace({n}, chr(10), '')), 0)" for n in map(name_of, header))
            newlines = " + ".join(counted)
        # a cell of several lines moves all records behind it; a frame without an order is added up as rows come
        self._connection.execute(
            f"""CREATE TABLE {name_of(part)} AS
            SELECT {listed}, {literal(file.name)} AS _file,
                (row_number() OVER () + {skipped} + sum(" within") OVER (ROWS UNBOUNDED PRECEDING) - " within")::BIGINT
                    AS _line
            FROM (SELECT *, ({newlines})::BIGINT AS " within" FROM {read})"""
        )
        last = scalar(self._connection, f"SELECT coalesce(max(_line + {newlines}), {skipped}) FROM {name_of(part)}")
        if last - 1 != inspected.newlines:
            # blank lines stand between records: every record has to be looked at to know where it is
            raise duckdb.Error("lines and records differ")

    def _read_carefully(  # noqa: PLR0917
        self,
        table: str,
        part: str,
        file: SourceFile,
        path: Path,
        delimiter: str,
        header: list[str],
        skipped: int,
    ) -> None:
        definitions = ", ".join(f"{name_of(name)} VARCHAR" for name in header)
        self._connection.execute(f"CREATE TABLE {name_of(part)} ({definitions}, _file VARCHAR, _line BIGINT)")
        good: list[tuple[int, list[str | None]]] = []
        broken: list[tuple[str, str, int, str, str]] = []
        for number, record in enumerate(csvtext.records(path, width=len(header), delimiter=delimiter)):
            if number < skipped:
                continue
            if record.cells is None:
                broken.append((table, file.name, record.line, record.fault, record.raw[: csvtext.LONGEST_SHOWN]))
            else:
                good.append((record.line, [cell or None for cell in record.cells]))
            if len(good) >= BATCH:
                self._insert(part, [*range(len(header))], file.name, good)
                good = []
        self._insert(part, [*range(len(header))], file.name, good)
        if broken:
            self._connection.executemany(f"INSERT INTO {FAULTS} VALUES (?, ?, ?, ?, ?)", broken)
            self.notes.append(f"{file.name}: {len(broken):,} broken lines go to quarantine")


def plain(name: str) -> str:
    """Return what a header name says whatever its capitals, blanks and signs: ``Customer ID`` is ``customerid``."""
    return re.sub(r"[\W_]+", "", name).lower() or name


def readable(file: SourceFile, encoding: str, work: Path) -> tuple[Path, str]:
    """Return a text file in UTF-8 with newlines: itself, or a copy.

    Returns
    -------
    tuple
        The file, and what a person should know of it.

    Raises
    ------
    InputError
        Its letters can be read in more than one way, or not as ``encoding`` says.
    """
    head = b""
    with csvtext.open_bytes(file.path) as stream:
        head = stream.read(4)
    if not encoding and head.startswith((b"\xff\xfe", b"\xfe\xff")):
        encoding, note = "utf-16", "written in UTF-16, read as such"
    elif not encoding:
        encoding, note = _told_encoding(file)
    else:
        note = ""
    try:
        codecs.lookup(encoding)
    except LookupError as error:
        raise InputError(f"{file.name}: encoding {encoding!r} is not known. Say utf-8, cp1252, cp1251 ...") from error
    returns_only = _ends_by_returns(file.path)
    if encoding in ("utf-8", "utf8", "utf-8-sig") and not returns_only:
        return file.path, note
    target = work / f"rewritten-{file.path.name.removesuffix('.gz')}"
    decoder = codecs.getincrementaldecoder(encoding)("strict" if encoding not in ("utf-8", "cp1252") else "replace")
    try:
        with csvtext.open_bytes(file.path) as stream, target.open("w", encoding="utf-8", newline="") as copy:
            while chunk := stream.read(csvtext.CHUNK):
                text = decoder.decode(chunk)
                copy.write(text.replace("\r", "\n") if returns_only else text)
            copy.write(decoder.decode(b"", final=True))
    except UnicodeDecodeError as error:
        raise InputError(f"{file.name} cannot be read as {encoding} ({error}). Say another `encoding`.") from error
    return target, note


def _told_encoding(file: SourceFile) -> tuple[str, str]:
    if _is_utf_8(file.path):
        return "utf-8", ""
    high = crowded = 0
    with csvtext.open_bytes(file.path) as stream:
        while chunk := stream.read(csvtext.CHUNK):
            for run in re.findall(rb"[\x80-\xff]+", chunk):
                high += len(run)
                crowded += len(run) if len(run) > 1 else 0
    if crowded > CROWDED_SHARE * high:
        raise UnknownLettersError(
            f"{file.name} is not UTF-8, and its letters may be Cyrillic, Greek, Japanese or others. Say `encoding: "
            "cp1251` (or cp932, cp866, koi8-r, cp1253, gb18030 ...), or save it as UTF-8."
        )
    return "cp1252", "not UTF-8: read as Latin-1 (Windows-1252); say `encoding:` if letters look wrong"


def _is_utf_8(path: Path) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")("strict")
    try:
        with csvtext.open_bytes(path) as stream:
            while chunk := stream.read(csvtext.CHUNK):
                decoder.decode(chunk)
    except UnicodeDecodeError:
        return False
    return True


def _ends_by_returns(path: Path) -> bool:
    with csvtext.open_bytes(path) as stream:
        head = stream.read(csvtext.CHUNK)
    return b"\r" in head and b"\n" not in head


def _delimiter(path: Path, name: str, declared: str) -> str:
    if declared:
        if declared not in DELIMITERS:
            raise InputError(f"{name}: delimiter is {declared!r}; it must be one of , ; | tab blanks.")
        return DELIMITERS[declared]
    lines = _first_lines(path)
    if not lines:
        raise InputError(f"{name} is empty. Export it again, or remove it.")
    counts: dict[str, int] = {}
    for delimiter in SNIFFED:
        widths = [len(row) for row in csv.reader(lines, delimiter=delimiter) if row]
        common = max(set(widths), key=widths.count)
        if common > 1 and widths.count(common) >= 0.8 * len(widths):
            counts[delimiter] = common
    if counts:
        # what cuts the line of names as it cuts the others; decimal commas do not stand there
        named = {one: len(next(csv.reader(lines[:1], delimiter=one))) for one in counts}
        return max(counts, key=lambda one: (named[one] == counts[one], counts[one]))
    widths = [len(line.split()) for line in lines]
    if min(widths) == max(widths) > 1:
        return " "
    if all("," not in line and ";" not in line and "\t" not in line for line in lines):
        return ","
    raise InputError(f"{name}: cannot tell what separates its columns. Say `delimiter:` and one of , ; | tab blanks.")


def _first_lines(path: Path) -> list[str]:
    found: list[str] = []
    with csvtext.open_bytes(path) as stream:
        for line in stream:
            text = line[: csvtext.LONGEST_SHOWN].decode("utf-8", "replace").removeprefix("\ufeff").rstrip("\r\n")
            is_separator = not found and csvtext.is_separator_line(line)
            if text.strip() and not is_separator:
                found.append(text)
            if len(found) >= SNIFFED_LINES:
                break
    return found


def _squeezed(path: Path, work: Path) -> Path:
    """Copy a file whose columns stand under one another, with one tab between them."""
    target = work / f"squeezed-{path.name.removesuffix('.gz')}"
    with csvtext.open_bytes(path) as stream, target.open("wb") as copy:
        for line in stream:
            copy.write(b"\t".join(line.split()) + b"\n")
    return target


def _header(path: Path, name: str, delimiter: str, declared: tuple[str, ...], written: Path) -> tuple[list[str], int]:
    """Return the names of the columns, and how many records they take; messages quote the file as it was written."""
    first = next(csvtext.records(path, width=None, delimiter=delimiter), None)
    if first is None or first.cells is None:
        raise InputError(f"{name}: its first line cannot be read. Export it again.")
    cells = [cell.strip() for cell in first.cells]
    if declared:
        if len(cells) != len(declared):
            raise InputError(
                f"{name} has {len(cells)} columns, and `header` names {len(declared)}: {', '.join(declared)}."
            )
        return list(declared), 0
    filled = [cell for cell in cells if cell]
    if filled and sum(bool(re.fullmatch(r"[-+]?[0-9][0-9.,:/ -]*", cell)) for cell in filled) >= 0.5 * len(filled):
        line = _first_lines(written)[0]
        raise InputError(
            f"{name} has no line of column names: its first line is {line[:100]!r}. Name the columns in "
            "shop.yml, such as `header: [customer, date, amount]`."
        )
    return _named(cells), 1


def _named(cells: list[str]) -> list[str]:
    """Give every column a name of its own."""
    names: list[str] = []
    for number, cell in enumerate(cells, start=1):
        name = cell or f"column {number}"
        while plain(name) in {plain(one) for one in names} or name in CONTROL:
            name += " again"
        names.append(name)
    return names


def _trimmed(cells: list[str]) -> list[str]:
    while cells and not cells[-1]:
        cells.pop()
    return cells


def _cell_text(cell: Any) -> str | None:
    if cell is None or cell == "":
        return None
    if isinstance(cell, datetime):
        return cell.isoformat(" ")
    if isinstance(cell, date):
        return cell.isoformat()
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < 1e15 else format(cell, ".10f").rstrip("0")
    return str(cell)


def _first_line(error: Exception) -> str:
    first = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
    return first if len(first) <= LONGEST_TOLD else first[:LONGEST_TOLD] + " ..."
