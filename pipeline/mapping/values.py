"""How a shop writes numbers and days: read as it says, or as the content leaves no doubt; otherwise it is asked.

Every function here writes SQL over texts; only :func:`decimal_of` and :func:`dates_of` look at the rows.
"""

from __future__ import annotations

import csv
from functools import cache

import duckdb

from pipeline.base import paths
from pipeline.base.errors import InputError
from pipeline.base.sql import literal
from pipeline.landing.cells import LOCAL_STAMP, OFFSET, WORDS_FOR_NOTHING

ISO, DAY_FIRST, MONTH_FIRST, COMPACT, EXCEL, UNIX = (
    "iso",
    "dd/mm/yyyy",
    "mm/dd/yyyy",
    "yyyymmdd",
    "excel serial",
    "unix",
)
SHORT_DAY_FIRST, SHORT_MONTH_FIRST = "dd/mm/yy", "mm/dd/yy"
DATE_FORMS = (ISO, DAY_FIRST, MONTH_FIRST, SHORT_DAY_FIRST, SHORT_MONTH_FIRST, COMPACT, EXCEL, UNIX)

# Three digits between separators are thousands, in India two before the last; a group never begins with a zero.
POINT_NUMBER = r"-?([1-9][0-9]{0,2}(,[0-9]{2,3})*,[0-9]{3}|[0-9]*)([.][0-9]+)?[.]?"
COMMA_NUMBER = r"-?([1-9][0-9]{0,2}([.][0-9]{3})+|[0-9]*)(,[0-9]+)?,?"
PLAIN_NUMBER = r"[-+]?[0-9]+([.][0-9]+)?"
# The signs of money before or behind an amount say nothing of its size, in whatever letters.
MONEY_SIGNS = r"(?i)^(-?)\s*(?:\p{L}{1,3}[$.]?|\p{Sc})\s*|\s*(?:\p{L}{2,4}[.]?|[р円元圓원][.]?|\p{Sc})$"
# These say something of it: `1,2 Mio` is no amount of 1.20.
SIZES = (
    r"(?i)[0-9.]\s*(?:k|tsd|tys|thsd|mio|mil|mill|mln|mrd|bn|cr|lakh|тыс|млн|млрд|万|億|만)[.]?(?:\s+\S{1,4}|\p{Sc})?$"
)
SPACES = r"[\s\p{Z}'\x{2019}]"
NUMBER_KIND = "DECIMAL(18,4)"
ZONE = " ?" + OFFSET
MOST_YEARS = 12  # that a file is taken to hold, where its years have two digits
CLOCKS = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p", " %I:%M%p", " %I:%M:%S%p")
THREE_PARTS = r"^\s*([0-9]{1,4})[./-]([0-9]{1,2})[./-]([0-9]{1,4})[T ,]*"
OLDEST_SERIAL, NEWEST_SERIAL = 20_000, 80_000  # 1954 and 2119 as a spreadsheet counts days


def nothing(text: str) -> str:
    """Write the SQL that trims a text and makes NULL of what tools write for nothing."""
    words = ", ".join(literal(word) for word in WORDS_FOR_NOTHING)
    return f"(CASE WHEN lower(trim({text})) IN ({words}) THEN NULL ELSE trim({text}) END)"


def identity(text: str, width: int = 0) -> str:
    """Write the SQL of an id: what a spreadsheet adds to a number (``17850.0``) is no part of it."""
    bare = nothing(text)
    cut = f"(CASE WHEN ends_with({bare}, '.0') THEN regexp_replace({bare}, '^([0-9]+)[.]0$', '\\1') ELSE {bare} END)"
    return (
        f"(CASE WHEN regexp_full_match({cut}, '[0-9]+') "
        f"THEN lpad({cut}, greatest(length({cut}), {width})::INTEGER, '0') "
        f"ELSE {cut} END)"
        if width
        else cut
    )


def _bare_number(text: str) -> str:
    """Write the SQL of an amount without blanks, signs of money, brackets for minus or a minus behind."""
    # U+2212 is the minus of people who set type
    given = f"replace(trim({text}), chr(8722), '-')"
    bare = f"regexp_replace(regexp_replace({given}, {literal(SPACES)}, '', 'g'), '^[(](.*)[)]$|^(.*)-$', '-\\1\\2')"
    return f"regexp_replace({bare}, {literal(MONEY_SIGNS)}, '\\1', 'g')"


def number(text: str, decimal: str) -> str:
    """Write the SQL that reads a number written with a decimal ``point`` or ``comma``; NULL where it is none."""
    bare = _bare_number(text)
    pattern, thousands = (COMMA_NUMBER, ".") if decimal == "comma" else (POINT_NUMBER, ",")
    digits = f"replace({bare}, '{thousands}', '')"
    if decimal == "comma":
        digits = f"replace({digits}, ',', '.')"
        plain = "[-+]?[0-9]+"
    else:
        plain = PLAIN_NUMBER
    return (
        f"(CASE WHEN regexp_full_match({text}, '{plain}') THEN TRY_CAST({text} AS {NUMBER_KIND}) "
        f"WHEN regexp_full_match({bare}, {literal(pattern)}) AND regexp_matches({bare}, '[0-9]') "
        f"AND NOT regexp_matches({text}, {literal(SIZES)}) "
        f"THEN TRY_CAST({digits} AS {NUMBER_KIND}) END)"
    )


@cache
def _whole_currencies() -> frozenset[str]:
    """List the currencies that have no smaller part, such as the yen."""
    with (paths.PROJECT / "seeds" / "currencies.csv").open(encoding="utf-8", newline="") as stream:
        return frozenset(row["currency"] for row in csv.DictReader(stream) if row["decimals"] == "0")


def decimal_of(connection: duckdb.DuckDBPyConnection, relation: str, texts: dict[str, str], currency: str = "") -> str:
    """Tell from the content how numbers are written.

    Parameters
    ----------
    connection : DuckDBPyConnection
    relation : str
        SQL of the rows.
    texts : dict of str to str
        What to call a column, and the SQL of its texts.
    currency : str
        The shop's, if it says so: what has no smaller part has no decimals, so ``1,200`` yen are thousands.

    Returns
    -------
    str
        ``point`` or ``comma``.

    Raises
    ------
    InputError
        It can be read in two ways.
    """
    by_comma: list[tuple[str, str]] = []
    by_point: list[tuple[str, str]] = []
    doubtful: list[tuple[str, str]] = []
    for name, text in texts.items():
        bare = _bare_number(text)
        point = f"regexp_full_match(bare, {literal(POINT_NUMBER)})"
        comma = f"regexp_full_match(bare, {literal(COMMA_NUMBER)})"
        found = connection.execute(
            f"""SELECT min(shown) FILTER ({point} AND NOT {comma}), min(shown) FILTER ({comma} AND NOT {point}),
                min(shown) FILTER ({point} AND {comma}) FROM (
                SELECT shown, {_bare_number("shown")} AS bare FROM (SELECT DISTINCT {text} AS shown FROM {relation})
                WHERE regexp_matches(shown, '[0-9][.,][0-9]'))"""
        ).fetchall()[0]
        del bare
        for kind, example in zip((by_point, by_comma, doubtful), found, strict=True):
            if example is not None:
                kind.append((name, example))
    if by_comma and by_point:
        raise InputError(
            f"Some numbers have a decimal comma ({by_comma[0][0]}: {by_comma[0][1]!r}) and others a decimal point "
            f"({by_point[0][0]}: {by_point[0][1]!r}). Say which is meant, `money: {{decimal: comma}}` or "
            "`money: {decimal: point}`; the others then go to quarantine."
        )
    if by_comma:
        return "comma"
    if doubtful and not by_point and currency in _whole_currencies():
        return "point" if "," in doubtful[0][1] else "comma"
    if doubtful and not by_point:
        raise InputError(
            f"{doubtful[0][0]}: {doubtful[0][1]!r} may be a thousand and something, or a number with three decimals. "
            "Say `money: {decimal: comma}` or `money: {decimal: point}`."
        )
    return "point"


def stamp(text: str, form: str, zone: str) -> str:
    """Write the SQL that reads a time written in a form; those that name a time zone in the shop's own clock."""
    if "%" in form:
        # typed cells of Parquet and spreadsheets come in the documented form, whatever texts are written in
        local = f"CASE WHEN regexp_full_match({text}, '{LOCAL_STAMP}') THEN TRY_CAST({text} AS TIMESTAMP) END"
        return f"coalesce(TRY_STRPTIME(trim({text}), {literal(form)}), {local})"
    if form == EXCEL:
        serial = number(text, "point")
        return f"(TIMESTAMP '1899-12-30' + to_microseconds((round({serial}::DOUBLE * 86400) * 1000000)::BIGINT))"
    if form == UNIX:
        seconds = number(text, "point")
        return f"timezone({literal(zone or 'UTC')}, to_timestamp({seconds}::DOUBLE))"
    if form == COMPACT:
        formats = [f"%Y%m%d{clock}" for clock in CLOCKS]
        return f"TRY_STRPTIME(trim({text}), {_listed(formats)})"
    order = {
        ISO: "%Y/%m/%d",
        DAY_FIRST: "%d/%m/%Y",
        MONTH_FIRST: "%m/%d/%Y",
        SHORT_DAY_FIRST: "%d/%m/%y",
        SHORT_MONTH_FIRST: "%m/%d/%y",
    }[form]
    cut = f"trim(regexp_replace({text}, {literal(THREE_PARTS)}, '\\1/\\2/\\3 '))"
    read = f"TRY_STRPTIME(upper({cut}), {_listed([order + clock for clock in CLOCKS])})"
    if form != ISO:
        return read
    colon = (
        f"regexp_replace(regexp_replace({text}, ' ?([+-][0-9]{{2}}):?([0-9]{{2}})$', '\\1:\\2'), ' ?(UTC|GMT)$', 'Z')"
    )
    zoned = f"timezone({literal(zone or 'UTC')}, TRY_CAST({colon} AS TIMESTAMPTZ))"
    return (
        f"(CASE WHEN {text} LIKE '____-__-__ __:__:__' THEN TRY_CAST({text} AS TIMESTAMP) "
        f"WHEN {names_zone(text)} THEN {zoned} ELSE {read} END)"
    )


def names_zone(text: str) -> str:
    """Write the SQL that tells whether a time says from which time zone it is."""
    return f"regexp_matches({text}, '^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}[T ][0-9:.]+{ZONE}$')"


def dates_of(connection: duckdb.DuckDBPyConnection, relation: str, name: str, text: str) -> str:
    """Tell from the content in which form days are written.

    Raises
    ------
    InputError
        They can be read in more than one way, or in none.
    """
    trimmed = f"trim({text})"
    first, second, third = (
        f"TRY_CAST(regexp_extract(shown, {literal(THREE_PARTS)}, {part}) AS INTEGER)" for part in (1, 2, 3)
    )
    days = "regexp_matches(shown, '^[0-9]{1,2}[./-][0-9]{1,2}[./-][0-9]{2,4}')"
    number_ = "regexp_full_match(shown, '[0-9]+([.][0-9]+)?')"
    row = connection.execute(
        f"""SELECT count(*) AS times, count(*) FILTER (regexp_matches(shown, '^[0-9]{{4}}[./-][0-9]{{1,2}}[./-][0-9]')),
            count(*) FILTER (regexp_matches(shown, '^(19|20)[0-9]{{2}}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])')),
            count(*) FILTER ({days}), max({first}) FILTER ({days}), max({second}) FILTER ({days}),
            max(length(regexp_extract(shown, {literal(THREE_PARTS)}, 3))) FILTER ({days}),
            count(*) FILTER ({number_}), min(shown), max({third}) FILTER ({days}), min(shown) FILTER ({days}),
            count(DISTINCT {first}) FILTER ({days}), count(DISTINCT {third}) FILTER ({days})
        FROM (SELECT DISTINCT {trimmed} AS shown FROM {relation}) WHERE shown IS NOT NULL AND shown <> ''"""
    ).fetchall()[0]
    times, iso, compact, written, firsts, seconds, year, numbers, example, thirds, day, many_firsts, many_thirds = row
    most = 0.9 * times
    if not times or iso >= most:
        return ISO
    if compact >= most:
        return COMPACT
    if written >= most:
        # only a year is above 31, and days take more values than the years of a shop
        is_year_last = thirds > 31 or many_firsts > max(many_thirds, MOST_YEARS)
        return _day_or_month_first(name, day, firsts, seconds, is_short=year < 4, is_year_last=is_year_last)
    if numbers >= most:
        raise InputError(
            f"{name}: {example!r} is a number. If a spreadsheet counts days so, say `dates: excel serial`; if it is "
            "seconds since 1970, `dates: unix`; a number of days since some day is an expression, such as "
            "\"DATE '2020-01-01' + number(DAY)::INTEGER\"."
        )
    raise InputError(
        f"{name}: cannot tell how {example!r} is to be read. Say `dates:` and one of {', '.join(DATE_FORMS)}, or the "
        "form in the signs of strptime, such as '%d %b %Y'."
    )


def _day_or_month_first(
    name: str, example: str, firsts: int, seconds: int, *, is_short: bool, is_year_last: bool
) -> str:
    if is_short:
        # the day in the middle leaves the month before it; a day before the month may as well be the year
        if firsts <= 12 < seconds:
            return SHORT_MONTH_FIRST
        if seconds <= 12 < firsts <= 31 and is_year_last:
            return SHORT_DAY_FIRST
        raise InputError(
            f"{name}: {example!r} has a year of two digits. Say `dates: dd/mm/yy` or `dates: mm/dd/yy`, or where the "
            "year comes first its form in the signs of strptime, such as '%y/%m/%d'."
        )
    if firsts > 12 and seconds > 12:
        raise InputError(
            f"{name}: some dates have the day first and others the month (such as {example!r}). Say `dates: "
            "dd/mm/yyyy` or `dates: mm/dd/yyyy`; those that cannot be read so then go to quarantine."
        )
    if firsts > 12:
        return DAY_FIRST
    if seconds > 12:
        return MONTH_FIRST
    raise InputError(
        f"{name}: {example!r} may have the day or the month first. Say `dates: dd/mm/yyyy` or `dates: mm/dd/yyyy`."
    )


def _listed(formats: list[str]) -> str:
    return "[" + ", ".join(literal(one) for one in formats) + "]"
