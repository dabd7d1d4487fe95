"""``shop.yml``: the one file a shop writes about itself, read strictly."""

from __future__ import annotations

import hashlib
import re
import zoneinfo
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml

from pipeline.base import paths
from pipeline.base.declared import find_file, read_yaml
from pipeline.base.errors import InputError
from pipeline.landing.contract import raw_tables

SHOP_FILE = "shop.yml"
PRESETS_DIR = paths.PROJECT / "mappings"
PRESETS = ("transactions", "shopify", "shopify_bulk", "woocommerce", "magento", "olist")

# What a line of a shop's ledger may say of itself, by kind.
IDS = ("customer", "order", "product")
TEXTS = ("email", "name", "category", "country", "state", "city", "zip", "status", "payment", "currency")
AMOUNTS = ("amount", "price", "discount", "total", "shipping", "tax", "refunded")
COUNTS = ("quantity",)
STAMPS = ("date",)
FLAGS = ("return", "test")
FIELDS = (*IDS, *TEXTS, *AMOUNTS, *COUNTS, *STAMPS, *FLAGS)

# What a shop may say that it does not have, though files of it lie there, and the table that holds it.
PARTS = {
    "payments": "order_payments",
    "reviews": "order_reviews",
    "products": "products",
    "sellers": "sellers",
    "places": "geolocation",
    "translations": "category_translation",
}
LEFT_OUT = "leave out"
NETTED = ("tax", "shipping", "refunds")
READING_WORDS = ("encoding", "delimiter", "header", "sheet")


@dataclass(frozen=True)
class SourceFiles:
    """Files that are one table of the shop's.

    Attributes
    ----------
    patterns : tuple of str
        Names in the raw folder; ``*`` stands for anything.
    encoding, delimiter, sheet : str
        How they are written; empty where the content is to tell.
    header : tuple of str
        Names of the columns of files without a line of names.
    """

    patterns: tuple[str, ...]
    encoding: str = ""
    delimiter: str = ""
    sheet: str = ""
    header: tuple[str, ...] = ()


@dataclass(frozen=True)
class TableMapping:
    """One table of the raw contract, from the shop's tables.

    Attributes
    ----------
    origin : str
        A table of the shop's, or a query over them.
    columns : dict of str to str
        Column of the contract to an expression over the origin.
    """

    origin: str
    columns: dict[str, str]


@dataclass(frozen=True)
class Shop:
    """What a shop says of itself.

    Attributes
    ----------
    file : Path
    preset : str
    currency : str
    country, time_zone : str
        Empty where it does not say.
    languages : tuple of str
    files : dict of str to SourceFiles
        The shop's tables by name.
    origin : str
        The table or query whose rows are lines of orders; empty where ``tables`` are mapped one by one.
    columns : dict of str to tuple of str
        Field of a line to its expressions; where several are given, the first that a file knows.
    tables : dict of str to TableMapping
    statuses : dict of str to str
        The shop's word for a status, in small letters, to ours.
    person : tuple of str
        Fields that name a person, the first that is filled.
    guest : tuple of str
        Customer numbers that stand for nobody.
    net_of : tuple of str
        What money leaves out.
    decimal, dates : str
        How amounts and dates are written; empty where the content is to tell.
    not_products : tuple of str
        Product codes of fees, postage and the like; ``*`` stands for anything.
    width : dict of str to int
        Field to the digits of its ids, where a tool has lost leading zeros; 0 keeps them as written.
    may_lack : dict of str to tuple of str
        Table to columns that a query names and an export may not have; they are empty then.
    """

    file: Path
    preset: str = ""
    currency: str = ""
    country: str = ""
    time_zone: str = ""
    languages: tuple[str, ...] = ()
    files: dict[str, SourceFiles] = field(default_factory=dict)
    origin: str = ""
    columns: dict[str, tuple[str, ...]] = field(default_factory=dict)
    tables: dict[str, TableMapping] = field(default_factory=dict)
    statuses: dict[str, str] = field(default_factory=dict)
    person: tuple[str, ...] = ("customer", "email")
    guest: tuple[str, ...] = ()
    net_of: tuple[str, ...] = ("refunds",)
    decimal: str = ""
    dates: str = ""
    not_products: tuple[str, ...] = ()
    width: dict[str, int] = field(default_factory=dict)
    may_lack: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def digest(self) -> str:
        """Digest all that it says."""
        said = {name: value for name, value in vars(self).items() if name != "file"}
        return hashlib.sha256(repr(sorted(said.items())).encode()).hexdigest()

    def settings(self) -> dict[str, Any]:
        """Return the settings of a run that it decides."""
        zone = {"shop_time_zone": self.time_zone} if self.time_zone else {}
        # a shop that names no country has none: it is in no case in the one that the project's own data come from
        return {"shop_currency": self.currency, "shop_country": self.country or None, **zone}


def shop_file() -> Path | None:
    """Find the shop's file: ``SHOP_FILE``, else ``shop.yml`` in the raw folder; None where there is none.

    Raises
    ------
    InputError
        ``SHOP_FILE`` names no file.
    """
    return find_file("SHOP_FILE", paths.raw_dir() / SHOP_FILE)


def read_shop(file: Path) -> Shop:
    """Read and check a shop's file.

    Raises
    ------
    InputError
        Names the file, the key and what to do.
    """
    said = _mapping_in(file)
    preset = said.get("preset", "")
    if preset and preset not in PRESETS:
        raise InputError(f"{file}: preset is {preset!r}; it must be one of {', '.join(PRESETS)}.")
    if preset:
        # what the shop says goes before what the preset says, key by key
        said = _over(_mapping_in(PRESETS_DIR / f"{preset}.yml"), said)
    return _Reader(file, said).shop()


def _mapping_in(file: Path) -> dict[str, Any]:
    try:
        said = read_yaml(file.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file} cannot be read as UTF-8 text ({error}). Save it again as UTF-8.") from error
    except yaml.YAMLError as error:
        raise InputError(
            f"{file} is no YAML ({_one_line(error)}). An expression with a colon, a star, a hash or quotes goes "
            "between apostrophes."
        ) from error
    if not isinstance(said, dict):
        raise InputError(f"{file} must hold keys with values, such as `currency: EUR`.")
    return said


def _over(lower: dict[str, Any], upper: dict[str, Any]) -> dict[str, Any]:
    merged = dict(lower)
    for key, value in upper.items():
        both = isinstance(value, dict) and isinstance(lower.get(key), dict) and key in ("columns", "statuses", "money")
        merged[key] = {**lower[key], **value} if both else value
    return merged


KEYS = (
    *("preset", "currency", "country", "time_zone", "languages", "from", "files", "columns", "tables", "statuses"),
    *("person", "guest", "money", "dates", "encoding", "delimiter", "header", "sheet", "not_products", "width"),
    *("test_order", "has", "may_lack"),
)


class _Reader:
    """Checks what a file says, key by key."""

    def __init__(self, file: Path, said: dict[str, Any]) -> None:
        self._file = file
        self._said = said

    def shop(self) -> Shop:
        self._refuse_unknown("", self._said, KEYS)
        money = self._dict("money", self._said.get("money", {}))
        self._refuse_unknown("money.", money, ("decimal", "net_of"))
        currency = self._matching("currency", r"[A-Z]{3}", "three capitals of ISO 4217, such as EUR")
        if not currency:
            self._refuse("currency", "is missing: say the currency of your amounts, such as `currency: EUR`")
        country = self._matching("country", r"[A-Z]{2}", "two capitals of ISO 3166-1, such as DE")
        zone = self._time_zone()
        columns = {
            self._known("columns", name, FIELDS): self._texts(f"columns.{name}", value)
            for name, value in self._dict("columns", self._said.get("columns", {})).items()
            if value is not None
        }
        if "test_order" in self._said:
            columns["test"] = self._texts("test_order", self._said["test_order"])
        tables = {
            name: self._table(name, entry) for name, entry in self._dict("tables", self._said.get("tables", {})).items()
        }
        files = self._files()
        self._leave_aside(tables, files)
        origin = self._origin(files, has_tables=bool(tables))
        if not tables:
            self._refuse_incomplete(columns)
        return Shop(
            file=self._file,
            preset=self._text("preset"),
            currency=currency,
            country=country,
            time_zone=zone,
            languages=self._texts("languages", self._said.get("languages", [])),
            files=files,
            origin=origin,
            columns=columns,
            tables=tables,
            statuses=self._statuses(),
            person=self._person(),
            guest=self._texts("guest", self._said.get("guest", [])),
            net_of=self._words("money.net_of", money.get("net_of", ["refunds"]), NETTED),
            decimal=self._word("money.decimal", money.get("decimal", ""), ("point", "comma")),
            dates=self._text("dates"),
            not_products=self._texts("not_products", self._said.get("not_products", [])),
            width=self._width(),
            may_lack={
                name: self._texts(f"may_lack.{name}", columns)
                for name, columns in self._dict("may_lack", self._said.get("may_lack", {})).items()
            },
        )

    def _leave_aside(self, tables: dict[str, TableMapping], files: dict[str, SourceFiles]) -> None:
        """Take out what the shop says it does not have, and the files that nothing else reads."""
        for part, is_there in self._dict("has", self._said.get("has", {})).items():
            table = PARTS[self._known("has", part, PARTS)]
            if not isinstance(is_there, bool):
                self._refuse(f"has.{part}", f"is {is_there!r}; it must be true or false")
            if is_there or table not in tables:
                continue
            origin = tables.pop(table).origin
            if not any(re.search(rf"\b{re.escape(origin)}\b", other.origin) for other in tables.values()):
                files.pop(origin, None)

    def _files(self) -> dict[str, SourceFiles]:
        common = {word: self._said.get(word, "") for word in READING_WORDS}
        listed = self._dict("files", self._said.get("files", {}))
        # `from` that names files and no table is the short way to say where the lines are
        if not listed and "from" in self._said and not _is_query(self._said["from"]):
            listed = {"lines": self._said["from"]}
        files = {}
        for name, entry in listed.items():
            given = entry if isinstance(entry, dict) else {"from": entry}
            self._refuse_unknown(f"files.{name}.", given, ("from", *READING_WORDS))
            if "from" not in given:
                self._refuse(f"files.{name}", "lacks `from`: the name of a file, such as orders.csv or orders_*.csv")
            how = {**common, **given}
            if not re.fullmatch(r"[a-z_][a-z0-9_]*", str(name)):
                self._refuse(f"files.{name}", "must be a name of small letters, digits and underscores")
            files[str(name)] = SourceFiles(
                patterns=self._texts(f"files.{name}.from", given["from"]),
                encoding=str(how["encoding"]),
                delimiter=str(how["delimiter"]),
                sheet=str(how["sheet"]),
                header=self._texts("header", [] if how["header"] in (None, "") else how["header"]),
            )
        return files

    def _origin(self, files: Mapping[str, SourceFiles], *, has_tables: bool) -> str:
        origin = self._said.get("from", "")
        if _is_query(origin):
            if not files:
                self._refuse("from", "is a query, and `files` does not say which files its tables are")
            return str(origin)
        if has_tables:
            return ""
        if isinstance(origin, str) and origin in files:
            return origin
        if not origin and not files:
            self._refuse("from", "is missing: say which file holds the shop's lines, such as `from: orders.csv`")
        if len(files) == 1:
            return next(iter(files))
        self._refuse("from", f"must be one of {', '.join(files)}, or a query over them")
        raise AssertionError

    def _refuse_incomplete(self, columns: Mapping[str, object]) -> None:
        if "date" not in columns:
            self._refuse("columns.date", "is missing: which column says when something was bought?")
        if not ({"amount", "total"} & columns.keys() or {"quantity", "price"} <= columns.keys()):
            self._refuse("columns.amount", "is missing: say amount, or quantity and price (of one unit), or total")
        if not {"customer", "email"} & columns.keys():
            self._refuse("columns.customer", "is missing: which column says who bought? An e-mail will do: email")

    def _table(self, name: str, entry: object) -> TableMapping:
        table = raw_tables().get(self._known("tables", name, raw_tables()))
        assert table is not None
        given = self._dict(f"tables.{name}", entry)
        self._refuse_unknown(f"tables.{name}.", given, ("from", "columns"))
        if "from" not in given:
            self._refuse(f"tables.{name}", "lacks `from`: one of your tables, or a query over them")
        columns = self._dict(f"tables.{name}.columns", given.get("columns", {}))
        mapped = {}
        for column, value in columns.items():
            self._known(f"tables.{name}.columns", column, table.fields)
            (mapped[column],) = self._texts(f"tables.{name}.columns.{column}", value)[:1]
        return TableMapping(str(given["from"]), mapped)

    def _statuses(self) -> dict[str, str]:
        known = (*raw_tables()["orders"].fields["order_status"].allowed, LEFT_OUT)
        statuses = {}
        for theirs, ours in self._dict("statuses", self._said.get("statuses", {})).items():
            statuses[str(theirs).strip().lower()] = self._word(f"statuses.{theirs}", ours, known)
        return statuses

    def _person(self) -> tuple[str, ...]:
        return self._words("person", self._said.get("person", ["customer", "email"]), ("customer", "email"))

    def _width(self) -> dict[str, int]:
        found = {}
        for name, value in self._dict("width", self._said.get("width", {})).items():
            self._known("width", name, IDS)
            digits = 0 if value == "as written" else value
            if not isinstance(digits, int) or isinstance(digits, bool) or digits < 0:
                self._refuse(f"width.{name}", "must be a number of digits, such as 6, or `as written`")
            found[str(name)] = int(digits)
        return found

    def _time_zone(self) -> str:
        zone = self._text("time_zone")
        if zone and zone not in zoneinfo.available_timezones():
            self._refuse("time_zone", f"is {zone!r}; it must be a name such as Europe/London")
        return zone

    def _matching(self, key: str, pattern: str, what: str) -> str:
        value = self._said.get(key, "")
        # YAML takes the country NO for a no
        text = "NO" if value is False else str(value or "")
        if text and not re.fullmatch(pattern, text):
            self._refuse(key, f"is {text!r}; it must be {what}")
        return text

    def _text(self, key: str) -> str:
        value = self._said.get(key, "")
        if not isinstance(value, str):
            self._refuse(key, f"is {value!r}; it must be a text")
        return str(value)

    def _texts(self, key: str, value: object) -> tuple[str, ...]:
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            return (str(value),)
        if isinstance(value, list) and all(isinstance(one, str | int | float) for one in value):
            return tuple(str(one) for one in value)
        self._refuse(key, f"is {value!r}; it must be a text or a list of texts")
        raise AssertionError

    def _word(self, key: str, value: object, known: tuple[str, ...]) -> str:
        if value != "" and value not in known:
            self._refuse(key, f"is {value!r}; it must be one of {', '.join(known)}")
        return str(value)

    def _words(self, key: str, value: object, known: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(self._word(key, one, known) for one in self._texts(key, value))

    def _dict(self, key: str, value: object) -> dict[str, Any]:
        if not isinstance(value, dict):
            self._refuse(key, f"is {value!r}; it must hold keys with values, one a line")
        assert isinstance(value, dict)
        return value

    def _known(self, key: str, name: object, known: Any) -> str:
        self._refuse_unknown(f"{key}.", {name: None}, tuple(known))
        return str(name)

    def _refuse_unknown(self, where: str, given: Mapping[Any, object], known: tuple[str, ...]) -> None:
        for name in given:
            if name not in known:
                near = get_close_matches(str(name), known, n=1, cutoff=0.5)
                meant = f" Did you mean {near[0]}?" if near else ""
                raise InputError(f"{self._file}: {where}{name} is not known.{meant} Known: {', '.join(known)}.")

    def _refuse(self, key: str, what: str) -> None:
        raise InputError(f"{self._file}: {key} {what}.")


def _is_query(origin: object) -> bool:
    return isinstance(origin, str) and bool(re.match(r"\s*(select|with|from)\s", origin, re.IGNORECASE))


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
