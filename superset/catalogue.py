"""What the published warehouse holds: tables, columns, types and the descriptions that dbt keeps beside them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import warehouse

SHOP = "marts.shop"
# What changes from build to build says nothing about what to draw.
COUNTED = ("orders", "refunded")


@dataclass(frozen=True)
class Column:
    """One column of a published table."""

    name: str
    type: str
    description: str = ""

    @property
    def is_temporal(self) -> bool:
        """Whether it is a date or a timestamp."""
        return self.type == "DATE" or self.type.startswith("TIMESTAMP")


@dataclass
class Table:
    """One published table."""

    schema: str
    name: str
    description: str = ""
    columns: dict[str, Column] = field(default_factory=dict)
    for_stakeholders: bool = False
    is_empty: bool = False
    # The only row of the table that tells what the shop is.
    facts: dict[str, Any] = field(default_factory=dict)


def read() -> dict[str, Table]:
    """Return the tables of the published build by ``schema.name``, columns in their own order.

    A table that stakeholders may see is described as it is in their file, which may lack a column.
    """
    shown = _read(warehouse.STAKEHOLDERS.file())
    for table in shown.values():
        table.for_stakeholders = True
    return _read(warehouse.ANALYSTS.file()) | shown


@contextmanager
def kept_open() -> Iterator[None]:
    """Hold the published files open, so that each of many questions need not open one again."""
    with ExitStack() as stack:
        for published in (warehouse.STAKEHOLDERS, warehouse.ANALYSTS):
            stack.enter_context(_connect(published.file()))
        yield


def _connect(file: Path) -> duckdb.DuckDBPyConnection:
    return duckdb.connect(str(file), read_only=True, config=warehouse.configuration())


def has_rows(table: Table, clauses: Sequence[str], values: Sequence[Any]) -> bool:
    """Return whether any row of a published table meets all conditions."""
    if not clauses:
        return not table.is_empty
    published = warehouse.STAKEHOLDERS if table.for_stakeholders else warehouse.ANALYSTS
    asked = f"from {table.schema}.{table.name} where {' and '.join(clauses)} limit 1"
    with _connect(published.file()) as connection:
        return bool(connection.execute(asked, list(values)).fetchall())


def _read(file: Path) -> dict[str, Table]:
    with _connect(file) as connection:
        tables = connection.execute(
            "select schema_name, table_name, coalesce(comment, '') from duckdb_tables() order by all",
        ).fetchall()
        columns = connection.execute(
            """
            select schema_name, table_name, column_name, data_type, coalesce(comment, '')
            from duckdb_columns()
            where not internal
            order by schema_name, table_name, column_index
            """,
        ).fetchall()
        found = {f"{schema}.{name}": Table(schema, name, comment) for schema, name, comment in tables}
        for schema, name, column, kind, comment in columns:
            if table := found.get(f"{schema}.{name}"):
                table.columns[column] = Column(column, kind, comment)
        for address, table in found.items():
            table.is_empty = not connection.execute(f"from {address} limit 1").fetchall()
        if shop := found.get(SHOP):
            described = [name for name in shop.columns if not name.startswith(COUNTED)]
            (row,) = connection.execute(f"select {', '.join(described)} from {SHOP}").fetchall()
            shop.facts = dict(zip(described, row, strict=True))
    return found
