"""Read a labelled table from a file, and infer what its columns are; what is guessed is told: `Found.notes`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import openpyxl

from pipeline.base.sql import literal, name_of
from scoring.table.columns import Flags, Floats, Rows, Table, Words
from scoring.table.errors import TableError

ID = "an id"
BLANKS = frozenset({"", "na", "n/a", "nan", "null", "none", "-", "?", "#n/a"})
POSITIVE = ("1", "1.0", "yes", "y", "true", "t", "churned", "churn", "left", "exited")
NEGATIVE = ("0", "0.0", "no", "n", "false", "f", "stayed", "retained", "active")
MOST_ROWS = 2_000_000
LONG_TEXT_SHARE = 0.5  # of different texts among the filled cells: beyond it they describe one row each
DATE = re.compile(r"\d{4}-\d{2}-\d{2}([ T]\d{2}:\d{2}.*)?|\d{1,2}[./]\d{1,2}[./]\d{4}")


@dataclass(frozen=True)
class Found:
    """A table as it was read.

    Parameters
    ----------
    table : Table
        Every usable column: copies of rows are looked for in all of them.
    features : sequence of str
        The columns to learn from.
    is_positive : array of bool, shape (rows,)
    positive : str
        The value of the label whose probability is learned.
    left_out : mapping of str to str
        Columns that are no features, and why.
    repeated_ids : array of int, shape (rows,), or None
        Equal for rows of one id, where a column of ids repeats.
    notes : sequence of str
        What a person should know of how it was read.
    """

    table: Table
    features: Sequence[str]
    is_positive: Flags
    positive: str
    left_out: Mapping[str, str]
    repeated_ids: Rows | None
    notes: Sequence[str]


def read(
    file: Path, label: str, *, positive: str | None = None, features: Sequence[str] = (), sheet: str | None = None
) -> Found:
    """Read a table with a label.

    Parameters
    ----------
    file : Path
        ``.csv`` (with ``,`` or ``;``), ``.xlsx`` or ``.parquet``.
    label : str
        Its column; rows where it is blank are set aside.
    positive : str, optional
        The value to learn the probability of; found for the usual ones such as 1 and yes.
    features : sequence of str
        Columns to use; all when empty.
    sheet : str, optional
        Of an xlsx file: else the first that has the label.

    Raises
    ------
    TableError
        The file or the label cannot be used.
    """
    columns = read_cells(file, label, sheet)
    names = {name.casefold(): name for name in columns}
    missing = [name for name in (label, *features) if name.casefold() not in names]
    if missing:
        raise TableError(f"{file.name} has no column {', '.join(missing)}. It has: {', '.join(columns)}.")
    label = names[label.casefold()]
    outcome = columns.pop(label)
    notes: list[str] = []
    known = [place for place, word in enumerate(outcome) if word is not None]
    if len(known) < len(outcome):
        notes.append(f"{len(outcome) - len(known):,} rows have no {label} and were set aside.")
        columns = {name: [cells[place] for place in known] for name, cells in columns.items()}
        outcome = [outcome[place] for place in known]
    if not outcome:
        raise TableError(f"{file.name} has no row with a {label}.")
    flags, chosen = _outcome(label, [word for word in outcome if word is not None], positive)
    wanted = [names[name.casefold()] for name in features]
    numbers: dict[str, Floats] = {}
    words: dict[str, Words] = {}
    left_out: dict[str, str] = {}
    repeated = None
    for name, cells in columns.items():
        values, texts, reason = infer(name, cells)
        if reason == ID and name in wanted:
            reason = ""
        if reason:
            left_out[name] = reason
            filled = [cell for cell in cells if cell is not None]
            if reason == ID and repeated is None and len(set(filled)) < len(filled):
                repeated = _positions(cells)
                notes.append(f"{name} repeats: its rows stay together in every fold.")
        elif values is not None:
            numbers[name] = values
        elif texts is not None:
            words[name] = texts
    notes += [f"{name} is left out: {why}." for name, why in left_out.items() if why != ID]
    if not numbers and not words:
        raise TableError(f"{file.name} has no column to learn from: " + " ".join(notes))
    unusable = [name for name in wanted if name in left_out]
    if unusable:
        raise TableError("".join(f"{name} cannot be a feature: {left_out[name]}. " for name in unusable).strip())
    table = Table(len(flags), numbers, words)
    return Found(table, wanted or table.names, flags, chosen, left_out, repeated, notes)


def read_cells(file: Path, label: str = "", sheet: str | None = None) -> dict[str, list[str | None]]:
    """Read every column as texts, None where blank.

    Raises
    ------
    TableError
        The file is not there, is none of the known kinds, or holds too much or nothing.
    """
    if not file.is_file():
        raise TableError(f"There is no file {file}.")
    if file.suffix.lower() in (".xlsx", ".xlsm"):
        columns = _read_workbook(file, label, sheet)
    elif file.suffix.lower() in (".csv", ".parquet", ".gz", ".txt"):
        columns = _read_with_engine(file)
    else:
        raise TableError(f"{file.name} is no .csv, .xlsx or .parquet file.")
    rows = len(next(iter(columns.values()), []))
    if not rows:
        raise TableError(f"{file.name} holds no row.")
    return columns


def _read_with_engine(file: Path) -> dict[str, list[str | None]]:
    reader = "read_parquet" if file.suffix == ".parquet" else "read_csv"
    options = "" if reader == "read_parquet" else f", all_varchar = true, header = true, delim = '{_delimiter(file)}'"
    with duckdb.connect() as connection:
        try:
            source = connection.sql(f"from {reader}({literal(file)}{options}) limit {MOST_ROWS + 1}")
            names = source.columns
            texts = ", ".join(f"trim({name_of(name)}::varchar) as {name_of(name)}" for name in names)
            found = source.project(texts).fetchnumpy()
        except duckdb.Error as error:
            raise TableError(f"{file.name} cannot be read: {str(error).splitlines()[0]}") from error
    if names and len(found[names[0]]) > MOST_ROWS:
        raise TableError(f"{file.name} has more than {MOST_ROWS:,} rows: give a sample of them.")
    return {name.strip(): [_cell(value) for value in np.ma.filled(found[name].astype(object), None)] for name in names}


def _delimiter(file: Path) -> str:
    if file.suffix == ".gz":
        return ","
    with file.open(encoding="utf-8-sig", errors="replace") as handle:
        first = handle.readline()
    return max((",", ";", "\t"), key=first.count)


def _read_workbook(file: Path, label: str, sheet: str | None) -> dict[str, list[str | None]]:
    try:
        book = openpyxl.load_workbook(file, read_only=True, data_only=True)
    except Exception as error:  # a damaged archive fails in a dozen ways
        raise TableError(f"{file.name} cannot be read as a workbook: {type(error).__name__}.") from error
    try:
        if sheet is not None and sheet not in book.sheetnames:
            raise TableError(f"{file.name} has no sheet {sheet}. It has: {', '.join(book.sheetnames)}.")
        for name in [sheet] if sheet else book.sheetnames:
            rows = book[name].iter_rows(values_only=True)
            for _ in range(5):  # a title may stand above the line of names
                header = [str(cell).strip() if cell is not None else "" for cell in next(rows, ())]
                if label.casefold() in (one.casefold() for one in header):
                    lines = [row for row in rows if any(cell is not None for cell in row)]
                    return {
                        column: [_cell(row[place]) if place < len(row) else None for row in lines]
                        for place, column in enumerate(header)
                        if column
                    }
    finally:
        book.close()
    raise TableError(f"No sheet of {file.name} has a column {label} among its first five lines.")


def _cell(value: object) -> str | None:
    if value is None:
        return None
    text = str(value).strip()
    return None if text.casefold() in BLANKS else text


def infer(name: str, cells: Sequence[str | None]) -> tuple[Floats | None, Words | None, str]:
    """Infer what a column is.

    Returns
    -------
    numbers : array of float or None
        NaN for blanks; None where the column holds something else.
    words : array of str or None
        None for blanks.
    reason : str
        Why it is no feature; empty where it is one.
    """
    filled = [cell for cell in cells if cell is not None]
    numbers = _numbers(cells, filled) if filled else None
    reason = _reason_against(name, cells, filled, numbers)
    if numbers is not None:
        return numbers, None, reason
    return None, np.array(cells, dtype=object), reason


def _reason_against(name: str, cells: Sequence[str | None], filled: Sequence[str], numbers: Floats | None) -> str:
    different = len(set(filled))
    is_unique = different == len(filled) and len(filled) >= 20
    sounds_like_id = re.search(r"(^|[_\s-])(id|key|uuid|guid)$|(?<=[a-z])I[dD]$", name) is not None
    reasons = {
        "every cell is blank": not filled,
        "it holds one value only": different == 1 and len(filled) == len(cells),
        ID: (sounds_like_id and different > 0.5 * len(filled))
        or (is_unique and (numbers is None or _is_sequence(numbers))),
        "it holds dates: give days since then as a number instead": numbers is None
        and all(DATE.fullmatch(cell) for cell in filled[:1000]),
        "nearly every text in it is another one": numbers is None
        and different > max(50, LONG_TEXT_SHARE * len(filled)),
    }
    return next((reason for reason, holds in reasons.items() if holds), "")


def _is_sequence(numbers: Floats) -> bool:
    """Tell whether unique numbers count rows: whole, and as dense as a counter."""
    known = numbers[~np.isnan(numbers)]
    return bool(np.all(known % 1 == 0)) and bool(np.ptp(known) + 1 <= 1.05 * len(known))


def _numbers(cells: Sequence[str | None], filled: Sequence[str]) -> Floats | None:
    for decimal_comma in (False, True):
        try:
            found = np.array([_number(cell, decimal_comma) for cell in cells], dtype=np.float64)
        except ValueError:
            continue
        if np.isinf(found).any() or int(np.isnan(found).sum()) > len(cells) - len(filled):
            return None
        return found
    return None


def _number(cell: str | None, decimal_comma: bool) -> float:
    if cell is None:
        return float("nan")
    if cell in ("True", "true", "False", "false"):
        return float(cell in ("True", "true"))
    return float(cell.replace(",", ".") if decimal_comma else cell)


def _outcome(label: str, cells: Sequence[str], positive: str | None) -> tuple[Flags, str]:
    values = sorted(set(cells))
    shown = ", ".join(values[:8]) + (", ..." if len(values) > 8 else "")
    if len(values) == 1:
        raise TableError(
            f"Every row has {label} = {values[0]}: there is nothing to tell apart. Add rows with the other outcome."
        )
    if positive is None:
        named = [value for value in values if value.casefold() in POSITIVE]
        others = [value for value in values if value.casefold() in NEGATIVE]
        if len(named) != 1 or len(values) != 2 or (not others and len(values) != 2):
            hint = "two values are needed" if len(values) != 2 else "it is not clear which of them means yes"
            raise TableError(f"{label} holds {shown}: {hint}. Name one with --positive; all others will be no.")
        positive = named[0]
    elif positive not in values:
        raise TableError(f"{label} never is {positive}. It holds {shown}.")
    return np.array([cell == positive for cell in cells], dtype=bool), positive


def _positions(cells: Sequence[str | None]) -> Rows:
    places: dict[str, int] = {}
    # a blank id is nobody's: each gets a number of its own
    return np.array(
        [number if cell is None else places.setdefault(cell, -len(places) - 1) for number, cell in enumerate(cells)],
        dtype=np.intp,
    )
