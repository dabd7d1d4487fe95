"""The published warehouse as it is served: one build at a time, opened read-only, replaced as a whole."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.base import paths
from pipeline.base.resources import restrain
from pipeline.base.sql import name_of
from scoring.segment import Segmenter

CUSTOMERS = "marts.customer_360"
DIGEST_ORDER: Literal["little", "big"] = "little"  # how DuckDB reads the bytes of an MD5


@dataclass(frozen=True)
class Column:
    """A column of a published table."""

    name: str
    type: str
    description: str

    @property
    def selected(self) -> str:
        """How a query asks for it: decimals as doubles, which every format writes as numbers."""
        quoted = name_of(self.name)
        return f"{quoted}::double as {quoted}" if self.type.startswith("DECIMAL") else quoted


@dataclass(frozen=True)
class Places:
    """Where each customer's row lies: digests of the ids, ascending, and the rows' numbers; 16 bytes a customer."""

    digests: npt.NDArray[np.uint64]
    numbers: npt.NDArray[np.int64]

    @classmethod
    def read(cls, connection: duckdb.DuckDBPyConnection) -> Places:
        """Read them from an open build."""
        found = connection.execute(f"select md5_number_lower(customer_id) as digest, rowid as number from {CUSTOMERS}")
        columns = found.fetchnumpy()
        digests = np.asarray(columns["digest"], dtype=np.uint64)
        order = np.argsort(digests, kind="stable")
        return cls(digests[order], np.asarray(columns["number"], dtype=np.int64)[order])

    def of(self, customer_id: str) -> list[int]:
        """Return the rows that an id may be in: one, none, or more where digests agree."""
        digest = hashlib.md5(customer_id.encode(errors="replace"), usedforsecurity=False).digest()
        wanted = np.uint64(int.from_bytes(digest[8:], DIGEST_ORDER))
        first = int(np.searchsorted(self.digests, wanted, side="left"))
        last = int(np.searchsorted(self.digests, wanted, side="right"))
        return [int(number) for number in self.numbers[first:last]]


@dataclass(frozen=True)
class Build:
    """One published build, open. Whoever holds it sees nothing of a later one.

    Parameters
    ----------
    build_id : str
        Name of its folder.
    published_at : datetime
    tables : mapping of str to sequence of Column
        By ``schema.table``.
    segmenter : Segmenter
        Thresholds and the churn model.
    """

    build_id: str
    published_at: datetime
    tables: Mapping[str, Sequence[Column]]
    segmenter: Segmenter
    _connection: duckdb.DuckDBPyConnection
    _places: Places

    @property
    def etag(self) -> str:
        """The build as HTTP names it."""
        return f'"{self.build_id}"'

    def has(self, table: str) -> bool:
        """Tell whether the build has a table with this name, schema and all."""
        return table in self.tables

    def names(self, table: str) -> list[str]:
        """Return the names of a table's columns."""
        return [column.name for column in self.tables[table]]

    def arrow(self, sql: str, values: Sequence[object] = ()) -> pa.Table:
        """Run a query; values are bound."""
        cursor = self._connection.cursor()
        return cursor.execute(sql, list(values)).to_arrow_table()

    def rows(self, sql: str, values: Sequence[object] = ()) -> tuple[list[str], list[tuple[Any, ...]]]:
        """Run a query; returns names and rows."""
        cursor = self._connection.cursor().execute(sql, list(values))
        return [column[0] for column in cursor.description or ()], cursor.fetchall()

    def records(self, sql: str, values: Sequence[object] = ()) -> list[dict[str, Any]]:
        """Run a query; returns a mapping a row."""
        names, rows = self.rows(sql, values)
        return [dict(zip(names, row, strict=True)) for row in rows]

    def select(self, table: str) -> str:
        """Return ``select <every column> from <table>``."""
        return f"select {', '.join(column.selected for column in self.tables[table])} from {table}"

    def row_of(self, customer_id: str) -> dict[str, Any] | None:
        """Return a person's row of ``customer_360`` by its place in the table: a search would read everyone."""
        for place in self._places.of(customer_id):
            found = self.records(
                f"{self.select(CUSTOMERS)} where rowid between ? and ? and customer_id = ?", [place, place, customer_id]
            )
            if found:
                return found[0]
        return None


def open_build(folder: Path) -> Build:
    """Open a published build.

    Parameters
    ----------
    folder : Path
        ``builds/<id>``, resolved: it must not move on while the build is open.
    """
    file = folder / "warehouse.duckdb"
    connection = duckdb.connect(str(file), read_only=True)
    restrain(connection, paths.spill_dir())
    # values of callers are bound, and this is what they would meet if one ever were not
    connection.execute("set enable_external_access = false")
    connection.execute("set lock_configuration = true")
    tables: dict[str, list[Column]] = {}
    for schema, table, name, kind, comment in connection.execute(
        "select schema_name, table_name, column_name, data_type, comment from duckdb_columns() "
        "where schema_name in ('marts', 'scores') order by schema_name, table_name, column_index"
    ).fetchall():
        tables.setdefault(f"{schema}.{table}", []).append(Column(name, kind, comment or ""))
    return Build(
        folder.name,
        datetime.fromtimestamp(file.stat().st_mtime, UTC),
        tables,
        Segmenter.open(file),
        connection,
        Places.read(connection),
    )
