"""The raw contract: what each table and column of a shop's export must keep to.

It is written once, beside the descriptions, in ``models/staging/_olist__sources.yml``; this module reads it. The words
it is written in:

``file``, ``key``, ``month_from``, ``stays_empty_without``, ``is_extra`` of a table
    File name without ending; columns that name a row; the column that leads to the month of purchase, which cuts its
    landing files; what stays empty where a shop has no such table (a table without this word is required); whether
    most shops have no such table, so that nothing is said where it is absent.
the attributes of :class:`Column`, of a column
    Each as described there.
"""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml

from pipeline.base import paths
from pipeline.base.errors import PipelineError

# An order is worth what was paid for it, or what its items cost: one of the two must be there.
AMOUNTS = ("order_payments", "order_items")
CONTRACT_FILE = Path("models/staging/_olist__sources.yml")
TEXT, WHOLE, MONEY, STAMP, DEGREE = "VARCHAR", "INTEGER", "DECIMAL(12,2)", "TIMESTAMP", "DOUBLE"

# How a type is called in a message.
KINDS = {
    WHOLE: "a whole number",
    MONEY: "an amount of money with two decimals",
    STAMP: "a date and time (YYYY-MM-DD HH:MM:SS)",
    DEGREE: "a number of degrees",
}

# Outside these years a date is a slip of the keyboard or some tool's default (1900, 1970, 9999), not a day of the shop.
STAMP_RANGE = ("1990-01-01 00:00:00", "2099-12-31 23:59:59")

Form = Literal["", "id", "zip_prefix", "state", "place", "free_text", "promise", "label"]
_TABLE_WORDS = {"file", "key", "month_from", "stays_empty_without", "is_extra"}


@dataclass(frozen=True)
class Column:
    """What the cells of a column must keep to.

    Attributes
    ----------
    name : str
        Header name.
    kind : str
        DuckDB type.
    is_required : bool
        Whether its cells may not be empty.
    may_be_absent : bool or None
        Whether a file may lack it; None: when its cells may be empty.
    where_absent : str or None
        What its cells are in a file that lacks it; of a label, what an empty cell is too.
    is_extra : bool
        Whether most shops' exports lack it, so that nothing is said where it is absent.
    is_answer : bool
        Whether a row without it and without a word says nothing, and is set aside without being a loss.
    form : Form
        How its text is written: an ``id``, a ``zip_prefix``, a ``state``, a ``place`` that models give its
        usual spelling, a ``label`` that groups are counted by, ``free_text`` that is left as it is; or a date that is a
        ``promise`` and may lie far ahead.
    minimum, maximum : float or None
        Smallest and largest allowed value. Timestamps have STAMP_RANGE without saying so.
    allowed : tuple of str
        The only allowed texts; empty for any.
    references : str
        Table that must hold its value as key; empty for none.
    spelt_as : str
        Table whose column of the same name spells a label as it is usual; empty where the commonest spelling is.
    losses_by : str
        Rejected rows are counted by its ``value``, or by its ``month``: what one of them loses is not lost by chance.
    """

    name: str
    kind: str
    is_required: bool = False
    may_be_absent: bool | None = None
    where_absent: str | None = None
    is_extra: bool = False
    is_answer: bool = False
    form: Form = ""
    minimum: float | None = None
    maximum: float | None = None
    allowed: tuple[str, ...] = ()
    references: str = ""
    spelt_as: str = ""
    losses_by: Literal["", "value", "month"] = ""

    @property
    def bounds(self) -> tuple[float | str | None, float | str | None]:
        """Smallest and largest allowed value; None leaves a side open."""
        return STAMP_RANGE if self.kind == STAMP else (self.minimum, self.maximum)


@dataclass(frozen=True)
class RawTable:
    """One raw table as the shop exports it, and what a row of it must keep to.

    Attributes
    ----------
    name : str
        Name of its landing folder and of its dbt source.
    stem : str
        File name without ending, as in the public Olist data.
    fields : dict of str to Column
        Its columns by header name, in the order of the published files.
    key : tuple of str
        Columns that name a row; empty where the table has no key and a repeated row is a repeated observation.
    month_from : str
        Column that leads to the month of purchase: its own stamp, the order a row belongs to, or its own key that
        orders name. Landing files are cut by it, so that a new day rewrites few of them; empty for one file.
    stays_empty_without : str
        What stays empty in a shop without this table; empty where the table is required.
    is_extra : bool
        Whether most shops have no such table, so that nothing is said where it is absent.
    """

    name: str
    stem: str
    fields: dict[str, Column] = field(default_factory=dict)
    key: tuple[str, ...] = ()
    month_from: str = ""
    stays_empty_without: str = ""
    is_extra: bool = False

    @property
    def columns(self) -> dict[str, str]:
        """Header name to DuckDB type."""
        return {name: column.kind for name, column in self.fields.items()}

    @property
    def published(self) -> list[str]:
        """Header names of the published Olist files."""
        return [name for name, column in self.fields.items() if not column.is_extra]

    @property
    def references(self) -> dict[str, str]:
        """Column to the table that must hold its value as key."""
        return {name: column.references for name, column in self.fields.items() if column.references}

    @property
    def is_optional(self) -> bool:
        """Whether a shop may have no such table."""
        return bool(self.stays_empty_without)

    def is_filled(self, name: str) -> bool:
        """Tell whether every landed row has a value in a column."""
        return name in self.key or self.fields[name].is_required

    def is_needed(self, name: str) -> bool:
        """Tell whether a file of this table must have a column."""
        column = self.fields[name]
        may_be_absent = column.may_be_absent if column.may_be_absent is not None else not self.is_filled(name)
        return not may_be_absent and column.where_absent is None


@functools.cache
def raw_tables() -> dict[str, RawTable]:
    """Read the contract; tables come in the order in which they land, orders first.

    Raises
    ------
    PipelineError
        It uses a word that is not known here, or names a table or column that it does not describe.
    """
    sources = yaml.safe_load((paths.PROJECT / CONTRACT_FILE).read_text())["sources"]
    (olist,) = (source for source in sources if source["name"] == "olist")
    tables = {entry["name"]: _table(entry) for entry in olist["tables"]}
    for table in tables.values():
        named = {*table.key, *([table.month_from] if table.month_from else [])}
        if not named <= table.fields.keys() or not set(table.references.values()) <= tables.keys():
            raise PipelineError(f"{CONTRACT_FILE}: {table.name} names a column or table that is not described there.")
    return tables


def contract_digest() -> str:
    """Digest the contract as it is read."""
    return hashlib.sha256(repr(raw_tables()).encode()).hexdigest()


def _table(entry: dict[str, Any]) -> RawTable:
    said = dict(entry["config"]["meta"])
    if unknown := said.keys() - _TABLE_WORDS:
        raise PipelineError(
            f"{CONTRACT_FILE}: {entry['name']} has {', '.join(unknown)}, which the contract does not know."
        )
    return RawTable(
        name=entry["name"],
        stem=said["file"],
        fields={column["name"]: _column(entry["name"], column) for column in entry["columns"]},
        key=tuple(said.get("key", ())),
        month_from=said.get("month_from", ""),
        stays_empty_without=said.get("stays_empty_without", ""),
        is_extra=said.get("is_extra", False),
    )


def _column(table: str, entry: dict[str, Any]) -> Column:
    said = dict(entry.get("config", {}).get("meta", {}))
    said["allowed"] = tuple(said.get("allowed", ()))
    if (absent := said.get("where_absent")) is not None:
        said["where_absent"] = str(absent)
    try:
        return Column(name=entry["name"], kind=entry["data_type"].upper(), **said)
    except TypeError as error:
        raise PipelineError(f"{CONTRACT_FILE}: {table}.{entry['name']}: {error}.") from error
