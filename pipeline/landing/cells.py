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
UNANSWERED = "a survey without an answer"
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

# Set aside, and no loss.
NO_LOSSES = (NO_ROW, UNANSWERED)

# What tools write for an empty cell; never a person, a city or a day.
WORDS_FOR_NOTHING = (
    *("", "null", "(null)", "<null>", "[null]", "'null'", "\\n", "none", "(none)", "nil", "undefined"),
    *("nan", "-nan", "nat", "na", "n/a", "n\\a", "n.a.", "<na>", "1.#ind", "-1.#ind", "1.#qnan", "-1.#qnan"),
    *("#n/a", "#n/a n/a", "#na", "#null!", "#ref!", "#value!", "#name?", "#div/0!", "#num!", "#spill!", "#calc!"),
)
# What people, and the tools that count for them, write in its place: no id or place is called so, a category may be.
WORDS_FOR_UNKNOWN = (
    *("unknown", "(unknown)", "missing", "blank", "(blank)", "empty", "(empty)", "not set", "(not set)"),
    *("guest", "(guest)", "anonymous"),
)
NOBODY = "00000000-0000-0000-0000-000000000000"
# A dash, a question mark or dots; longer rows of signs are drawn lines.
MARKS_FOR_NOTHING = r"[\p{P}`~|+=<>^]{1,3}"
WORDS_OF_TOOLS = (
    *("", "NULL", "null", "(null)", "(NULL)", "[NULL]", "<null>", "<NULL>", "NaN", "nan", "<NA>", "\\N"),
    *("#N/A", "#REF!", "#VALUE!", "#NAME?", "undefined"),
)
_LONGEST_WORD = max(map(len, (*WORDS_FOR_NOTHING, *WORDS_FOR_UNKNOWN)))
_LONGEST_OF_TOOLS = max(map(len, WORDS_OF_TOOLS))
# Where a person has added up, or a tool has drawn a line, there is no row.
TOTALS = ("total", "totals", "grand total", "subtotal", "sum", "count")

# What reports and tools write alone into a line: how many rows there were, where they end, a remark.
REMARKS = (
    r"\(?[0-9][0-9.,]* (rows?|lines?|records?|registros?|linhas?)( (selected|affected|fetched|returned))?[.)]*",
    r"(sub|grand )?totals?( geral)?:?|totais:?|итого:?|всего:?|eof|end of (file|report|data)[.]?|fim|sep=|#.*|--.*",
)

# The documented form: date, or date and time, as the shop's clock showed it; the first is the usual one, quickly told.
USUAL_STAMP = "____-__-__ __:__:__"
LOCAL_STAMP = r"[0-9]{4}-[0-9]{2}-[0-9]{2}([ T][0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,9})?)?)?"
# No clock on earth is further from another's than this.
OFFSET = r"(Z|z|UTC|GMT|[+-](0[0-9]|1[0-4])(:?[0-5][0-9])?)"
ZONED_STAMP = r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,9})?)? ?" + OFFSET
# A clock of twelve hours is as plain, when it says which half of the day it means.
HALF_DAY_STAMP = r"[0-9]{4}-[0-9]{2}-[0-9]{2} (0?[1-9]|1[0-2]):[0-9]{2}(:[0-9]{2})? ?[AaPp][Mm]"
HALF_DAY_FORMATS = ("%Y-%m-%d %I:%M:%S %p", "%Y-%m-%d %I:%M:%S%p", "%Y-%m-%d %I:%M %p", "%Y-%m-%d %I:%M%p")
# No exponents, underscores or words: what is written is what is meant.
NUMBERS = {
    WHOLE: " *[-+]?[0-9]+([.]0*)? *",  # tools that know no empty integer write 5.0
    MONEY: " *[-+]?([0-9]+[.]?[0-9]*|[.][0-9]+) *",
}
# As a number of double precision an id has fifteen digits that are certain.
NUMBER_ID = "[0-9]{1,15}[.]0+"
ROUNDED_ID = "[0-9]([.,][0-9]+)?[eE][+][0-9]+|[0-9]{16,}[.]0+"
BLANKS = r"[\s\p{Z}\x{feff}\x{200b}]+"
# What stands in a text unseen, and letters and digits of double width: an id is the same with or without.
UNSEEN = r"[\x{ad}\x{200b}-\x{200f}\x{2060}\x{feff}]"
WIDE = "".join(map(chr, range(0xFF01, 0xFF5F)))
PLAIN = "".join(map(chr, range(0x21, 0x7F)))
# Texts that only machines compare; others are shown to people as they were written.
COMPARED = ("id", "zip_prefix", "state")
TRIMMED = " \t\n\r\u00a0\u200b\ufeff"
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
    return f"({value(column)} IS NULL AND coalesce({_says_nothing(_bare(raw(column)))}, true))"


def _says_nothing(text: str, words: Iterable[str] = WORDS_FOR_NOTHING) -> str:
    return (
        f"(strlen({text}) <= {_LONGEST_WORD} AND (lower({text}) IN ({_listed(words)}) OR "
        f"(strlen({text}) <= 9 AND length({text}) <= 3 AND regexp_full_match({text}, {literal(MARKS_FOR_NOTHING)}))))"
    )


def _bare(text: str) -> str:
    """Write the SQL of a text without blanks, of whatever kind, around it."""
    return f"regexp_replace({text}, '^{BLANKS}|{BLANKS}$', '', 'g')"


def _listed(texts: Iterable[str]) -> str:
    return ", ".join(literal(text) for text in texts)


def _trimmed(column: Column) -> str:
    text = raw(column)
    if column.form in ("free_text", "place"):
        return text
    # blanks around a text mean nothing, nor does the way an accent is put together; most texts have neither
    plain = f"nfc_normalize({_bare(text)})"
    if column.form in COMPARED:
        plain = f"translate(regexp_replace({plain}, '{UNSEEN}', '', 'g'), {literal(WIDE)}, {literal(PLAIN)})"
    return (
        f"CASE WHEN strlen({text}) <> length({text}) THEN {plain} "
        f"WHEN {text} < '!' OR right({text}, 1) < '!' THEN {_bare(text)} ELSE {text} END"
    )


def _cleaned(column: Column, text: str, *, keeps_zips: bool) -> str:
    if column.form == "free_text":
        # people do write "none" in a comment; these only tools write
        says_nothing = f"strlen({text}) <= {_LONGEST_OF_TOOLS} AND {text} IN ({_listed(WORDS_OF_TOOLS)})"
        return f"CASE WHEN {says_nothing} THEN NULL ELSE {text} END"
    is_kept = keeps_zips and column.form == "zip_prefix"
    # a category may be called unknown
    words = (*WORDS_FOR_NOTHING, *WORDS_FOR_UNKNOWN) if column.form not in ("", "label") else WORDS_FOR_NOTHING
    # a place is left as it was typed, for models give it its usual spelling
    shown = f"trim({text}, {literal(TRIMMED)})" if column.form == "place" else text
    is_nothing = _says_nothing(shown, words)
    if column.form == "id":
        is_nothing += f" OR {text} = {literal(NOBODY)}"
        # tools that know no empty whole number write 17850.0
        is_number = f"ends_with({text}, '0') AND contains({text}, '.') AND regexp_full_match({text}, '{NUMBER_ID}')"
        text = f"CASE WHEN {is_number} THEN regexp_replace({text}, '[.]0+$', '') ELSE {text} END"
    otherwise = {"zip_prefix": _zip_prefix, "state": _state}.get(column.form) if not is_kept else None
    if column.form == "label" and column.where_absent is not None:
        return f"CASE WHEN {text} IS NULL OR {is_nothing} THEN {literal(column.where_absent)} ELSE {text} END"
    clean = f"CASE WHEN {is_nothing} THEN NULL ELSE {otherwise(text) if otherwise else text} END"
    # what nearly all say is quickly told
    if column.form == "zip_prefix" and not is_kept:
        return f"CASE WHEN regexp_full_match({text}, '[0-9]{{5}}') THEN {text} ELSE {clean} END"
    if column.form == "state":
        is_code = f"strlen({text}) = 2 AND {text} <> 'NA' AND regexp_full_match({text}, '[A-Z]{{2}}')"
        return f"CASE WHEN {is_code} THEN {text} ELSE {clean} END"
    return clean


@functools.cache
def state_codes() -> Mapping[str, str]:
    """Read the states: name in capitals without accents to the two letters that all tables have."""
    with (paths.PROJECT / STATES_FILE).open(encoding="utf-8", newline="") as file:
        return {_plain(row["state_name"]): row["state"] for row in csv.DictReader(file)}


def _plain(text: str) -> str:
    return "".join(letter for letter in unicodedata.normalize("NFD", text.upper()) if not unicodedata.combining(letter))


def _state(text: str) -> str:
    """Write the SQL of a state's two letters, from small ones, its ISO code, or its name with or without accents."""
    plain = f"strip_accents(upper(trim(regexp_replace({text}, '[ ._-]+|{BLANKS}', ' ', 'g'))))"
    named = " ".join(f"WHEN {literal(name)} THEN {literal(code)}" for name, code in state_codes().items())
    # S.P. and BR SP, but not the two letters of a longer code
    letters = f"regexp_replace(upper({text}), '[ ._-]', '', 'g')"
    return (
        f"CASE regexp_replace({plain}, '^ESTADO D[AEO] ', '') {named} "
        f"ELSE CASE WHEN regexp_full_match({letters}, '[A-Z]{{2}}|BR[A-Z]{{2}}') THEN right({letters}, 2) "
        f"ELSE regexp_replace(upper({text}), '^[A-Z]{{2}}-', '') END END"
    )


def spelt_plainly(text: str) -> str:
    """Write the SQL of what a label says however it is spelt: in capitals, with accents, blanks or hyphens."""
    seen = f"regexp_replace({text}, '{UNSEEN}', '', 'g')"
    return f"lower(strip_accents(trim(regexp_replace({seen}, '(_|-|{BLANKS})+', ' ', 'g'))))"


def _zip_prefix(text: str) -> str:
    """Write the SQL of the five digits of a zip prefix: a tool that took it for a number has lost its leading zeros.

    What is no zip code in a form that is known stays as it is: a wrong place is worse than none.
    """
    bare = f"regexp_replace({text}, '[ ''=\"]', '', 'g')"
    # 1001.0 and 1001.000 are numbers with decimals, and so is 1.0; 1.000 is a thousand
    decimals = r"^([0-9]{3,})[.,]0+$|^([0-9]{1,2})[.,]0{1,2}$"
    digits = f"regexp_replace(regexp_replace({bare}, '{decimals}', '\\1\\2'), '[.,-]', '', 'g')"
    # as a number, with a spreadsheet's separators between thousands, or in full with a hyphen (Brazil, United States)
    forms = (
        r"[0-9]{1,9}",
        r"[0-9]{3,9}[.,]0+",
        r"[0-9]{1,2}[.,]0{1,2}",
        r"[0-9]{1,2}([.,][0-9]{3}){1,2}",
        r"[0-9]{1,2}[.][0-9]{3}-[0-9]{3}",
        r"[0-9]{4,5}-[0-9]{3,4}",
    )
    return (
        f"CASE WHEN NOT regexp_full_match({bare}, '{'|'.join(forms)}') THEN {text} "
        f"WHEN strlen({digits}) <= 5 THEN lpad({digits}, 5, '0') "
        # the whole code: eight digits in Brazil, nine in the United States
        f"WHEN strlen({digits}) IN (7, 8) THEN left(lpad({digits}, 8, '0'), 5) "
        f"WHEN strlen({digits}) = 9 THEN left({digits}, 5) ELSE {text} END"
    )


def _value(column: Column, zone: str | None) -> str:
    """Write the SQL that reads a cell, or gives NULL; nothing is rounded or guessed in silence."""
    text = raw(column)
    bare = _bare(text)
    if column.kind == STAMP:
        is_usual = f"{text} LIKE '{USUAL_STAMP}' AND NOT ends_with(lower({text}), 'z')"
        return (
            f"CASE WHEN {is_usual} THEN TRY_CAST({text} AS {column.kind}) "
            f"WHEN regexp_full_match({bare}, '{LOCAL_STAMP}') THEN TRY_CAST({bare} AS {column.kind}) "
            f"WHEN regexp_full_match({bare}, '{HALF_DAY_STAMP}') "
            f"THEN TRY_STRPTIME(upper({bare}), [{_listed(HALF_DAY_FORMATS)}]) "
            f"WHEN regexp_full_match({bare}, '{ZONED_STAMP}') THEN timezone({literal(zone or 'UTC')}, "
            # a blank before the offset is all that keeps it from being read
            f"TRY_CAST(regexp_replace({bare}, ' ([+-][0-9:]+)$', '\\1') AS TIMESTAMPTZ)) END"
        )
    if column.kind == DEGREE:
        return f"CASE WHEN NOT contains({text}, '_') THEN TRY_CAST({text} AS {column.kind}) END"

    def is_number(written: str) -> str:
        is_plain = f"regexp_full_match({written}, '{NUMBERS[column.kind]}')"
        if column.kind == MONEY:
            # float noise behind the cents is none of the shop's money; a third decimal is
            is_plain += f" AND abs(TRY_CAST({written} AS DOUBLE) - TRY_CAST({written} AS {column.kind})) < 0.00001"
        return is_plain

    return (
        f"CASE WHEN {is_number(text)} THEN TRY_CAST({text} AS {column.kind}) "
        f"WHEN {is_number(bare)} THEN TRY_CAST({bare} AS {column.kind}) END"
    )


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
    found += [_unanswered(column, columns) for column in columns if column.is_answer]
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


def _unanswered(answer: Column, columns: Iterable[Column]) -> Check:
    """Tell a survey that was sent and not answered: no score, and not a word."""
    words = [column for column in columns if column.form == "free_text"]
    condition = " AND ".join(is_nothing(column) for column in (answer, *words))
    return Check(UNANSWERED, condition, literal(f"{answer.name}: no answer, and no word"), says_all=True)


def _unreadable(column: Column) -> Check:
    condition = f"{raw(column)} IS NOT NULL AND {value(column)} IS NULL AND NOT {is_nothing(column)}"
    told = f"{literal(column.name + ': cannot read ')} || {_quoted(column)} || {literal(' as ' + KINDS[column.kind])}"
    return Check(UNREADABLE, condition, told)


def names_zone(table: RawTable, absent: Collection[str]) -> str:
    """Write the SQL that tells whether a stamp of a row says from which time zone it is."""
    told = [
        f"strlen({text}) > 16 AND NOT {text} LIKE '{USUAL_STAMP}' AND regexp_full_match({_bare(text)}, '{ZONED_STAMP}')"
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
        # files joined one after the other bring their byte order marks along
        f"contains({raw(column)}, '_') "
        f"AND lower(trim({raw(column)}, {literal(TRIMMED + chr(34))})) IN ({_listed(table.fields)})"
        for column in (first, second)
    )
    is_total = "false"
    if table.key:
        key = raw(first)
        is_total = f"strlen({key}) <= 11 AND lower(trim({key})) IN ({_listed(TOTALS)})"
        others = [column for name, column in table.fields.items() if name not in table.key and table.is_filled(name)]
        if others:
            is_total += f" AND {is_nothing(others[0])}"
    # the usual row has a second cell, and is settled by it
    alone = " AND ".join(_is_blank(column) for column in list(table.fields.values())[1:])
    is_empty = f"{_is_blank(first)} AND {alone}"
    remark = f"regexp_full_match(lower(trim({raw(first)}, {literal(TRIMMED)})), '{'|'.join(REMARKS)}')"
    sentence = (
        f"CASE WHEN {is_header} THEN 'the line of column names again' WHEN {is_total} THEN 'a line of totals' "
        f"WHEN {is_empty} THEN 'an empty line' WHEN {alone} THEN 'a remark, no row' ELSE 'a line that is drawn' END"
    )
    tests = [is_header, is_total, is_empty, f"{alone} AND {remark}", ruler]
    return Check(NO_ROW, " OR ".join(f"({test})" for test in tests), sentence, says_all=True)


def _is_blank(column: Column) -> str:
    """Write the SQL that tells whether nothing is seen in a cell; most begin with a letter or a digit, quickly told."""
    text = raw(column)
    return f"({text} IS NULL OR (({text} < '!' OR {text} > '~') AND trim({text}, {literal(TRIMMED)}) = ''))"


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
