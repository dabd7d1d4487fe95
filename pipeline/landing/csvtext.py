"""CSV files as text: what a file is before it is parsed, and its records with their line numbers.

DuckDB reads the files that are in order. This module recognises those that are not, says what to do about them, and
reads the ones with broken records line by line, so that one broken record costs no other.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import hashlib
import re
import zlib
from collections import deque
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Literal, cast

from pipeline.base.errors import InputError

Encoding = Literal["utf-8", "latin-1", "utf-16"]

CHUNK = 1 << 20
LONGEST_RECORD = 1_000_000  # bytes; a record beyond is a missing quote or a missing line end, not a review
LONGEST_QUOTED = 1_000  # lines a quoted cell may span; further, its closing quote is taken to be missing
TITLE_RECORDS = 30  # a title above the column names is no longer
LONGEST_SHOWN = 10_000  # bytes of a broken row that the quarantine shows; the rest stays in the file
# A spreadsheet's own line above the column names: it says what stands between cells, and is no record.
SEPARATOR_LINE = re.compile(rb'(\xef\xbb\xbf)?"?sep=(.|\\t)?"?[,;\t]*[\r\n]*', re.IGNORECASE)
UNCLOSED = "a quote is opened and not closed as it should be"
OTHER_DELIMITERS = {";": "semicolons", "\t": "tabs", "|": "vertical bars"}
SIGNATURES = {
    b"PAR1": ("a Parquet file", "name it .parquet"),
    b"PK\x03\x04": ("a ZIP archive or a spreadsheet", "unpack it, or save the sheet as CSV in UTF-8"),
    b"\xd0\xcf\x11\xe0": ("an old spreadsheet", "save the sheet as CSV in UTF-8"),
    b"%PDF": ("a PDF", "export the table as CSV in UTF-8"),
    b"BZh": ("compressed by bzip2", "compress it with gzip"),
    b"\xfd7zXZ": ("compressed by xz", "compress it with gzip"),
    b"\x28\xb5\x2f\xfd": ("compressed by zstd", "compress it with gzip"),
}

# the standard library refuses cells beyond 128 kB unless told otherwise
csv.field_size_limit(2 * LONGEST_RECORD)


@dataclass(frozen=True)
class Inspection:
    """What one pass over the bytes of a file tells.

    Attributes
    ----------
    digest : str
        SHA-256 of the file as it lies on disk.
    encoding : Encoding
        How its text is written.
    needs_care : bool
        Whether it holds bytes that DuckDB's reader takes for something else than they are.
    only_returns : bool
        Whether its lines end by carriage returns alone, as on very old machines.
    newlines : int
        Newlines before its last character that is none.
    has_quotes : bool
        Whether a cell may hold more than one line.
    """

    digest: str
    encoding: Encoding
    needs_care: bool
    only_returns: bool = False
    newlines: int = 0
    has_quotes: bool = True


@dataclass(frozen=True)
class Record:
    """One record of a CSV file.

    Attributes
    ----------
    line : int
        Its first line, as a text editor counts.
    raw : str
        Its text as it stands in the file.
    cells : list of str or None
        Its cells; None when it cannot be told apart into cells.
    fault : str
        Why it cannot; empty when it can.
    """

    line: int
    raw: str
    cells: list[str] | None
    fault: str = ""


def open_bytes(file: Path) -> IO[bytes]:
    """Open a raw file for reading its bytes, unpacked when its name ends in ``.gz``."""
    if file.name.lower().endswith(".gz"):
        return cast("IO[bytes]", gzip.open(file, "rb"))
    return file.open("rb")


def file_digest(file: Path) -> str:
    """Return the SHA-256 of a file as it lies on disk."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def inspect(file: Path) -> Inspection:
    """Read a CSV file once, as bytes.

    Raises
    ------
    InputError
        It is empty, cut off, or no text at all; the message names the cure.
    """
    head = _head(file)
    if not head:
        raise InputError(f"{file} is empty: not even a line of column names. Export it again, or remove it.")
    for signature, (what, cure) in SIGNATURES.items():
        if head.startswith(signature):
            raise InputError(f"{file} is {what}, not CSV: {cure}.")
    if head.startswith(b"\x1f\x8b"):
        raise InputError(f"{file} is compressed by gzip twice, or lacks the ending .gz: name it .csv.gz.")
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return Inspection(file_digest(file), "utf-16", needs_care=True)
    try:
        seen = _Bytes(file)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(
            f"{file} is cut off or damaged ({_sentence(error)}). Copy it again; `gzip -t` must pass on it."
        ) from error
    encoding = _encoding_of_invalid(file) if seen.is_invalid else "utf-8"
    return Inspection(
        file_digest(file),
        encoding,
        needs_care=seen.has_nul or seen.is_invalid,
        only_returns=seen.returns > 0 and seen.newlines == 0,
        newlines=seen.newlines_within,
        has_quotes=seen.has_quotes,
    )


class _Bytes:
    """What one pass over the bytes of a file counts."""

    def __init__(self, file: Path) -> None:
        self.has_nul = self.has_quotes = self.is_invalid = False
        self.newlines = self.newlines_within = self.returns = 0
        decoder = codecs.getincrementaldecoder("utf-8")("strict")
        with open_bytes(file) as stream:
            while chunk := stream.read(CHUNK):
                self.has_nul = self.has_nul or b"\0" in chunk
                self.has_quotes = self.has_quotes or b'"' in chunk
                if within := chunk.rstrip(b"\r\n"):
                    self.newlines_within = self.newlines + within.count(b"\n")
                self.newlines += chunk.count(b"\n")
                self.returns += chunk.count(b"\r")
                if not self.is_invalid and not (chunk.isascii() and decoder.getstate()[0] == b""):
                    self.is_invalid = not _decodes(decoder, chunk)
        self.is_invalid = self.is_invalid or not _decodes(decoder, b"", final=True)


def _decodes(decoder: codecs.IncrementalDecoder, chunk: bytes, *, final: bool = False) -> bool:
    try:
        decoder.decode(chunk, final)
    except UnicodeDecodeError:
        return False
    return True


def _head(file: Path) -> bytes:
    try:
        with open_bytes(file) as stream:
            return stream.read(8)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        with file.open("rb") as stream:
            if not stream.read(1):
                return b""
        raise InputError(
            f"{file} cannot be unpacked ({_sentence(error)}). Copy it again, or name it .csv if it is not compressed."
        ) from error


def _encoding_of_invalid(file: Path) -> Encoding:
    """Tell Latin-1 from UTF-8 with damaged bytes: in Latin-1 hardly any accented line happens to be valid UTF-8."""
    valid = invalid = 0
    with open_bytes(file) as stream:
        for line in stream:
            if not line.isascii():
                try:
                    line.decode()
                    valid += 1
                except UnicodeDecodeError:
                    invalid += 1
    return "latin-1" if invalid > valid else "utf-8"


def rewritten(file: Path, found: Inspection, target: Path) -> Path:
    """Copy a file as UTF-8 with line ends that DuckDB knows.

    Latin-1 is read as Windows-1252, its superset in what shops' tools write; bytes that it does not define stand for
    themselves.
    """
    codecs.register_error("as-latin-1", _as_latin_1)
    encoding, errors = {
        "latin-1": ("cp1252", "as-latin-1"),
        "utf-16": ("utf-16", "replace"),
        "utf-8": ("utf-8", "surrogateescape"),
    }[found.encoding]
    with open_bytes(file) as stream, target.open("wb") as copy:
        decoder = codecs.getincrementaldecoder(encoding)(errors)
        while chunk := stream.read(CHUNK):
            text = decoder.decode(chunk)
            if found.only_returns:
                text = text.replace("\r", "\n")
            copy.write(text.encode("utf-8", "surrogateescape"))
        copy.write(decoder.decode(b"", final=True).encode("utf-8", "surrogateescape"))
    return target


def _as_latin_1(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    return error.object[error.start : error.end].decode("latin-1"), error.end


def is_separator_line(line: bytes) -> bool:
    """Tell whether a file's first line says what separates its columns, as spreadsheets want it, and nothing else."""
    return SEPARATOR_LINE.fullmatch(line) is not None


def has_lines_above(file: Path) -> bool:
    """Tell whether lines that are no records stand above the column names: DuckDB takes the first for those names."""
    first = next(records(file, width=None), None)
    return first is not None and first.line > 1


def line_with(file: Path, columns: Collection[str]) -> int | None:
    """Find the line further down a CSV file, past a title, that names some columns; None where there is none."""
    for record in islice(records(file, width=None), 1, TITLE_RECORDS):
        if record.cells is not None and {cell.strip() for cell in record.cells} >= {*columns}:
            return record.line
    return None


def read_header(file: Path, name: str) -> list[str]:
    """Read the column names of a CSV file; a column without a name has an empty one.

    Raises
    ------
    InputError
        There are none, or they are separated by something else than commas.
    """
    first = next(records(file, width=None), None)
    if first is None:
        raise InputError(f"{name} is empty: not even a line of column names. Export it again, or remove it.")
    if first.cells is None:
        raise InputError(f"{name}: its first line is no line of column names ({first.fault}). Export it again.")
    header = [cell.strip() for cell in first.cells]
    if len(header) == 1:
        for delimiter, called in OTHER_DELIMITERS.items():
            if delimiter in header[0]:
                raise InputError(f"{name} separates its columns by {called}. Export it again with commas.")
    return header


def read_texts(file: Path, spans: Iterable[tuple[int, int, int]]) -> dict[int, str]:
    """Read some records of a file in UTF-8 as they stand there.

    Parameters
    ----------
    file : Path
    spans : iterable of tuple
        Number of a record, its first line and its last.

    Returns
    -------
    dict of int to str
        Number of a record to its text; long ones by their beginning.
    """
    texts: dict[int, str] = {}
    passed = 0
    with open_bytes(file) as stream:
        for number, first, last in sorted(spans, key=lambda span: span[1]):
            # the lines in between are passed over without a look at them
            deque(islice(stream, first - passed - 1), maxlen=0)
            texts[number] = shown(b"".join(islice(stream, last - first + 1)).rstrip(b"\r\n"))
            passed = last
    return texts


class _Lines:
    """The physical lines of a file with their numbers; lines may be looked at before they are taken."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._ahead: deque[_Line] = deque()
        self._number = 0

    def take(self) -> _Line | None:
        return self._ahead.popleft() if self._ahead else self._read()

    def peek(self, position: int) -> _Line | None:
        while len(self._ahead) <= position:
            line = self._read()
            if line is None:
                return None
            self._ahead.append(line)
        return self._ahead[position]

    def _read(self) -> _Line | None:
        text = self._stream.readline(LONGEST_RECORD)
        if not text:
            return None
        self._number += 1
        if self._number == 1:
            text = text.removeprefix(codecs.BOM_UTF8)
        is_whole = len(text) < LONGEST_RECORD or text.endswith(b"\n")
        rest = b"" if is_whole else text
        while rest and not rest.endswith(b"\n"):
            rest = self._stream.readline(CHUNK)
        return _Line(self._number, text, is_whole)


@dataclass(frozen=True)
class _Line:
    number: int
    text: bytes
    is_whole: bool


def records(file: Path, width: int | None, delimiter: str = ",") -> Iterator[Record]:
    """Read a CSV file record by record, the line of column names included; blank lines and ``sep=`` are no records.

    A record that cannot be told apart into cells costs itself only: reading goes on with the next line.

    Parameters
    ----------
    file : Path
        A file in UTF-8, with or without a byte order mark, compressed or not.
    width : int, optional
        Cells that every record must have, empty ones at its end left out; None for any number.
    delimiter : str
        What stands between cells.

    Yields
    ------
    Record
    """
    with open_bytes(file) as stream:
        lines = _Lines(stream)
        while (line := lines.take()) is not None:
            bare = line.text.rstrip(b"\r\n")
            if not bare or (line.number == 1 and is_separator_line(bare)):
                continue
            if not line.is_whole:
                yield Record(line.number, shown(bare), None, f"longer than {LONGEST_RECORD:,} bytes")
            elif b'"' in bare:
                yield _quoted_record(line, lines, width, delimiter)
            else:
                # without a quote nothing can stay open
                yield _record(line.number, bare, width, delimiter) or Record(line.number, shown(bare), None, UNCLOSED)


def _quoted_record(first: _Line, lines: _Lines, width: int | None, delimiter: str) -> Record:
    """Read on until the quotes of a record are closed; where they never are, take no more than its first line."""
    record = _record(first.number, first.text.rstrip(b"\r\n"), width, delimiter)
    if record is not None:
        return record
    text = first.text
    for position in range(LONGEST_QUOTED):
        following = lines.peek(position)
        if following is None or not following.is_whole or len(text) > LONGEST_RECORD:
            break
        text += following.text
        if b'"' not in following.text:
            continue
        record = _record(first.number, text.rstrip(b"\r\n"), width, delimiter)
        if record is not None:
            if record.cells is None:
                break
            for _ in range(position + 1):
                lines.take()
            return record
    return Record(first.number, shown(first.text.rstrip(b"\r\n")), None, UNCLOSED)


def _record(line: int, text: bytes, width: int | None, delimiter: str) -> Record | None:
    """Tell a record apart into cells; None when a quoted cell is still open at its end."""
    try:
        raw = text.decode()
        fault = "holds a NUL byte" if b"\0" in text else ""
    except UnicodeDecodeError:
        fault = "holds bytes that are not UTF-8"
    if fault:
        return Record(line, shown(text), None, fault)
    cells: list[str] = []
    if '"' not in raw:
        cells = raw.split(delimiter)
        fault = "holds a line end in a cell without quotes" if "\r" in raw else ""
    else:
        try:
            cells = next(csv.reader([raw], delimiter=delimiter, strict=True))
        except csv.Error as error:
            if "unexpected end of data" in str(error):
                return None
            fault = f"its quotes are not those of CSV ({_sentence(error)})"
    # spreadsheets end lines with commas for columns that were once there
    if not fault and width is not None and (len(cells) < width or any(cells[width:])):
        fault = f"{len(cells)} cells where the line of column names has {width}"
    return Record(line, raw, None if fault else cells, fault)


def shown(text: bytes) -> str:
    """Return bytes as text that any reader can hold: no NUL, nothing that is not UTF-8, no more than a screenful."""
    return text[:LONGEST_SHOWN].decode("utf-8", "backslashreplace").replace("\0", "\\x00")


def _sentence(error: Exception) -> str:
    return str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
