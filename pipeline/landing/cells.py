"""What a raw cell means: the SQL that cleans its text, reads its value, and says what is wrong with it.

Every cell passes here, whether it comes from CSV or from Parquet. Three relations follow one another: ``raw`` holds the
texts as they stand in the file, ``cells`` the same without what tools add to them, ``typed`` their values.
"""

from __future__ import annotations

import csv
import functools
import unicodedata
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.base import paths
from pipeline.base.sql import literal, name_of
from pipeline.landing.contract import DEGREE, KINDS, MONEY, STAMP, TEXT, WHOLE, Column, RawTable

# Kinds of problem, the gravest first, in the words that dashboards show.
NO_ROW = "the line is no row"
MISSING = "a required cell is missing"
DESTROYED = "an id was rounded by a spreadsheet"
UNREADABLE = "a cell cannot be read"
UNMATCHED = "a return without its purchase"
NO_PARENT = "the row it belongs to is missing"
DISAGREE = "rows of one key disagree"
NOT_LISTED = "a value outside the list"
OUT_OF_RANGE = "a value outside its range"
FAR_DATE = "a date far from all others"
BROKEN = "the line is broken"

# What tools write for an empty cell; never a person, a city or a day.
WORDS_FOR_NOTHING = (
    *("", "null", "(null)", "<null>", "[null]", "\\n", "none", "nil", "undefined"),
    *("nan", "nat", "na", "n/a", "n.a.", "<na>"),
    *("#n/a", "#null!", "#ref!", "#value!", "#name?", "#div/0!", "#num!"),
)
WORDS_OF_TOOLS = ("", "NULL", "(null)", "NaN", "<NA>", "#N/A", "\\N")
_LONGEST_WORD = max(map(len, WORDS_FOR_NOTHING))
# Where a person has added up, or a tool has drawn a line, there is no row.
TOTALS = ("total", "totals", "grand total", "subtotal", "sum", "count")

# The documented form: date, or date and time, as the shop's clock showed it; the first is the usual one, quickly told.
USUAL_STAMP = "____-__-__ __:__:__"
LOCAL_STAMP = r"[0-9]{4}-[0-9]{2}-[0-9]{2}([ T][0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,9})?)?)?"
ZONED_STAMP = (
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,9})?)? ?"
    r"(Z|z|UTC|GMT|[+-][0-9]{2}(:?[0-9]{2})?)"
)
# A clock of twelve hours is as plain, when it says which half of the day it means.
HALF_DAY_STAMP = r"[0-9]{4}-[0-9]{2}-[0-9]{2} (0?[1-9]|1[0-2]):[0-9]{2}(:[0-9]{2})? ?[AaPp][Mm]"
HALF_DAY_FORMATS = ("%Y-%m-%d %I:%M:%S %p", "%Y-%m-%d %I:%M:%S%p", "%Y-%m-%d %I:%M %p", "%Y-%m-%d %I:%M%p")
# No exponents, underscores or words: what is written is what is meant.
NUMBERS = {
    WHOLE: " *[-+]?[0-9]+([.]0*)? *",  # tools that know no empty integer write 5.0
    MONEY: " *[-+]?([0-9]+[.]?[0-9]*|[.][0-9]+) *",
}
ROUNDED_ID = "[0-9]([.,][0-9]+)?[eE][+][0-9]+"
BLANKS = r"[\s\p{Z}\x{feff}\x{200b}]+"
STATES_FILE = Path("seeds/brazilian_states.csv")
LONGEST_QUOTED = 60  # characters of a cell that a reason shows


@dataclass(frozen=True)
class Check:
    """Something that may be wrong with a row.

    Attributes
    ----------
    problem : str
        Its kind, in fixed words that quote no cell.
    condition : str
        SQL over ``raw``, ``cells`` and ``typed``: whether a row has it.
    sentence : str
        SQL of the sentence that tells the people who mend the file.
    says_all : bool
        Whether nothing else is said of a row that has it.
    """

    problem: str
    condition: str
    sentence: str
    says_all: bool = False


def layers(table: RawTable, source: str, zone: str | None, *, keeps_zips: bool = False) -> str:
    """Write the SQL of a relation with the raw texts, the cells and the values of a file.

    Parameters
    ----------
    table : RawTable
    source : str
        SQL of the file as texts, one per column of the table, with ``_row``.
    zone : str, optional
        Time zone of the shop, into which stamps that name another are converted; None is UTC.
    keeps_zips : bool
        Whether zip codes are taken as they are written.
    """
    texts = [column for column in table.fields.values() if column.kind == TEXT]
    others = [column for column in table.fields.values() if column.kind != TEXT]
    trimmed = ", ".join(f"{_trimmed(column)} AS {_trim(column)}" for column in texts)
    cleaned = ", ".join(
        f"{_cleaned(column, _trim(column), keeps_zips=keeps_zips)} AS {cell(column)}" for column in texts
    )
    values = "".join(f", {_value(column, zone)} AS {value(column)}" for column in others)
    return f"(SELECT *, {cleaned}{values} FROM (SELECT *, {trimmed} FROM ({source})))"


def raw(column: Column) -> str:
    """Name the text of a column as it stands in the file, in the relation of :func:`layers`."""
    return name_of(column.name)


def _trim(column: Column) -> str:
    return name_of(f"{column.name}, trimmed")


def cell(column: Column) -> str:
    """Name what a text column says, without what tools add to it."""
    return name_of(f"{column.name}, cleaned")


def value(column: Column) -> str:
    """Name the value of a column; that of a text column is its cleaned text."""
    return cell(column) if column.kind == TEXT else name_of(f"{column.name}, read")


def is_nothing(column: Column) -> str:
    """Write the SQL that tells whether a cell is empty, in whatever words."""
    if column.kind == TEXT:
        return f"{cell(column)} IS NULL"
    return f"({value(column)} IS NULL AND coalesce({_says_nothing(f'trim({raw(column)})')}, true))"


def _says_nothing(text: str) -> str:
    return f"(strlen({text}) <= {_LONGEST_WORD} AND lower({text}) IN ({_listed(WORDS_FOR_NOTHING)}))"


def _listed(texts: Iterable[str]) -> str:
    return ", ".join(literal(text) for text in texts)


def _trimmed(column: Column) -> str:
    text = raw(column)
    if column.form in ("free_text", "place"):
        return text
    # blanks around a text mean nothing, nor does the way an accent is put together; most texts have neither
    return (
        f"CASE WHEN strlen({text}) <> length({text}) "
        f"THEN nfc_normalize(regexp_replace({text}, '^{BLANKS}|{BLANKS}$', '', 'g')) "
        f"WHEN {text} < '!' OR ends_with({text}, ' ') OR ends_with({text}, chr(9)) "
        f"THEN trim({text}, ' ' || chr(9) || chr(10) || chr(13)) ELSE {text} END"
    )


def _cleaned(column: Column, text: str, *, keeps_zips: bool) -> str:
    if column.form == "free_text":
        # people do write "none" in a comment; these only tools write
        return f"CASE WHEN strlen({text}) <= 6 AND {text} IN ({_listed(WORDS_OF_TOOLS)}) THEN NULL ELSE {text} END"
    clean = f"CASE WHEN {_says_nothing(text)} THEN NULL ELSE {{}} END"
    if column.form == "zip_prefix" and not keeps_zips:
        clean = f"CASE WHEN regexp_full_match({text}, '[0-9]{{{{5}}}}') THEN {text} ELSE {clean} END"
        return clean.format(_zip_prefix(text))
    if column.form == "state":
        clean = (
            f"CASE WHEN strlen({text}) = 2 AND {text} = upper({text}) AND {text} <> 'NA' THEN {text} ELSE {clean} END"
        )
        return clean.format(_state(text))
    return clean.format(text)


@functools.cache
def state_codes() -> Mapping[str, str]:
    """Read the states: name in capitals without accents to the two letters that all tables have."""
    with (paths.PROJECT / STATES_FILE).open(encoding="utf-8", newline="") as file:
        return {_plain(row["state_name"]): row["state"] for row in csv.DictReader(file)}


def _plain(text: str) -> str:
    return "".join(letter for letter in unicodedata.normalize("NFD", text.upper()) if not unicodedata.combining(letter))


def _state(text: str) -> str:
    """Write the SQL of a state's two letters, from small ones, its ISO code, or its name with or without accents."""
    plain = f"strip_accents(upper(regexp_replace({text}, '{BLANKS}', ' ', 'g')))"
    named = " ".join(f"WHEN {literal(name)} THEN {literal(code)}" for name, code in state_codes().items())
    return f"CASE {plain} {named} ELSE regexp_replace(upper({text}), '^[A-Z]{{2}}-', '') END"


def _zip_prefix(text: str) -> str:
    """Write the SQL of the five digits of a zip prefix: a tool that took it for a number has lost its leading zeros."""
    bare = f"regexp_replace(regexp_replace({text}, '[.]0+$', ''), '[^0-9A-Za-z]', '', 'g')"
    return (
        f"CASE WHEN NOT regexp_full_match({bare}, '[0-9]+') THEN {text} "
        f"WHEN strlen({bare}) <= 5 THEN lpad({bare}, 5, '0') "
        # the whole code: eight digits in Brazil, nine in the United States
        f"WHEN strlen({bare}) IN (7, 8) THEN left(lpad({bare}, 8, '0'), 5) "
        f"WHEN strlen({bare}) = 9 THEN left({bare}, 5) ELSE {text} END"
    )


def _value(column: Column, zone: str | None) -> str:
    """Write the SQL that reads a cell, or gives NULL; nothing is rounded or guessed in silence."""
    text = raw(column)
    read = f"TRY_CAST({text} AS {column.kind})"
    if column.kind == STAMP:
        is_local = (
            f"({text} LIKE '{USUAL_STAMP}' AND NOT ends_with(lower({text}), 'z')) "
            f"OR regexp_full_match({text}, '{LOCAL_STAMP}')"
        )
        half_day = (
            f"WHEN regexp_full_match({text}, '{HALF_DAY_STAMP}') "
            f"THEN TRY_STRPTIME(upper({text}), [{_listed(HALF_DAY_FORMATS)}])"
        )
        return (
            f"CASE WHEN {is_local} THEN {read} {half_day} WHEN regexp_full_match({text}, '{ZONED_STAMP}') "
            # a blank before the offset is all that keeps it from being read
            f"THEN timezone({literal(zone or 'UTC')}, "
            f"TRY_CAST(regexp_replace({text}, ' ([+-][0-9:]+)$', '\\1') AS TIMESTAMPTZ)) END"
        )
    if column.kind == DEGREE:
        return f"CASE WHEN NOT contains({text}, '_') THEN {read} END"
    is_plain = f"regexp_full_match({text}, '{NUMBERS[column.kind]}')"
    if column.kind == MONEY:
        # float noise behind the cents is none of the shop's money; a third decimal is
        is_plain += f" AND abs(TRY_CAST({text} AS DOUBLE) - {read}) < 0.00001"
    return f"CASE WHEN {is_plain} THEN {read} END"


def checks(table: RawTable, absent: Collection[str] = (), *, is_mapped: bool = False) -> list[Check]:
    """List what a row may be rejected for, the gravest first.

    Parameters
    ----------
    table : RawTable
    absent : collection of str
        Columns that the file lacks; they are empty in every row.
    is_mapped : bool
        Whether rows may come with a fault that was found where they were mapped.
    """
    faults = [NO_ROW, MISSING, DESTROYED, UNREADABLE, UNMATCHED, NOT_LISTED, BROKEN] if is_mapped else []
    found = [Check(problem, f"_problem = {literal(problem)}", "_fault", says_all=True) for problem in faults]
    found.append(_no_row(table))
    columns = [column for column in table.fields.values() if column.name not in absent]
    for column in columns:
        if table.is_filled(column.name):
            written = f"CASE WHEN {raw(column)} <> '' THEN ' (written ' || {_quoted(column)} || ')' ELSE '' END"
            sentence = f"{literal(column.name + ': missing')} || coalesce({written}, '')"
            found.append(Check(MISSING, is_nothing(column), sentence))
    for column in columns:
        if column.form == "id":
            condition = f"strlen({cell(column)}) BETWEEN 4 AND 24 AND regexp_full_match({cell(column)}, '{ROUNDED_ID}')"
            cure = " is a number that a spreadsheet has rounded; export the column as text"
            found.append(Check(DESTROYED, condition, _saying(column, cure)))
    found += [_unreadable(column) for column in columns if column.kind != TEXT]
    for column in columns:
        if column.allowed:
            sentence = _saying(column, f" is none of {', '.join(column.allowed)}")
            found.append(Check(NOT_LISTED, f"{cell(column)} NOT IN ({_listed(column.allowed)})", sentence))
    for column in columns:
        for sign, bound, side in zip("<>", column.bounds, ("below", "above"), strict=True):
            if bound is not None:
                limit = f"{literal(bound)}::TIMESTAMP" if column.kind == STAMP else str(bound)
                sentence = _saying(column, f" is {side} {bound}")
                found.append(Check(OUT_OF_RANGE, f"{value(column)} {sign} {limit}", sentence))
    return found


def _unreadable(column: Column) -> Check:
    condition = f"{raw(column)} IS NOT NULL AND {value(column)} IS NULL AND NOT {is_nothing(column)}"
    told = f"{literal(column.name + ': cannot read ')} || {_quoted(column)} || {literal(' as ' + KINDS[column.kind])}"
    return Check(UNREADABLE, condition, told)


def names_zone(table: RawTable, absent: Collection[str]) -> str:
    """Write the SQL that tells whether a stamp of a row says from which time zone it is."""
    told = [
        f"strlen({text}) > 16 AND NOT {text} LIKE '{USUAL_STAMP}' AND regexp_full_match({text}, '{ZONED_STAMP}')"
        for text in (
            raw(column) for name, column in table.fields.items() if column.kind == STAMP and name not in absent
        )
    ]
    return f"CASE WHEN {' OR '.join(f'({test})' for test in told) or 'false'} THEN true ELSE false END"


def _no_row(table: RawTable) -> Check:
    """Tell the line of column names again (files joined one after the other), a ruler, and a line of totals."""
    first, second = list(table.fields.values())[:2]
    ruler = " AND ".join(
        f"{raw(column)} < '0' AND regexp_full_match({raw(column)}, '[-=+ ]{{2,}}')" for column in (first, second)
    )
    is_header = " AND ".join(
        f"contains({raw(column)}, '_') AND lower(trim({raw(column)})) IN ({_listed(table.fields)})"
        for column in (first, second)
    )
    is_total = "false"
    if table.key:
        key = raw(first)
        is_total = f"strlen({key}) <= 11 AND lower(trim({key})) IN ({_listed(TOTALS)})"
        others = [column for name, column in table.fields.items() if name not in table.key and table.is_filled(name)]
        if others:
            is_total += f" AND {is_nothing(others[0])}"
    sentence = (
        f"CASE WHEN {is_header} THEN 'the line of column names again' WHEN {is_total} THEN 'a line of totals' "
        "ELSE 'a line that is drawn' END"
    )
    return Check(NO_ROW, f"({is_header}) OR ({is_total}) OR ({ruler})", sentence, says_all=True)


def _quoted(column: Column) -> str:
    """Write the SQL that shows a cell as it stands in the file; long ones by their beginning."""
    text = raw(column)
    return f"CASE WHEN length({text}) > {LONGEST_QUOTED} THEN left({text}, {LONGEST_QUOTED}) || '...' ELSE {text} END"


def _saying(column: Column, text: str) -> str:
    return f"{literal(column.name + ': ')} || {_quoted(column)} || {literal(text)}"


def is_bad(found: list[Check]) -> str:
    """Write the SQL that tells whether a row has any of the problems."""
    # as a case, for there DuckDB looks at the next condition only where the ones before it do not settle the row
    return f"CASE WHEN {' OR '.join(f'({check.condition})' for check in found)} THEN true ELSE false END"


def problem_of(found: list[Check]) -> str:
    """Write the SQL of the gravest problem of a row."""
    return f"CASE {' '.join(f'WHEN {check.condition} THEN {literal(check.problem)}' for check in found)} END"


def reason_of(found: list[Check]) -> str:
    """Write the SQL of all that is wrong with a row; of a line that is no row nothing else is said."""
    alone = " ".join(f"WHEN {check.condition} THEN {check.sentence}" for check in found if check.says_all)
    others = [f"CASE WHEN {check.condition} THEN {check.sentence} END" for check in found if not check.says_all]
    return f"CASE {alone} ELSE concat_ws('; ', {', '.join(others)}) END"
