"""PostgreSQL through ADBC: whole columns instead of rows, every table as of one moment."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import date, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from extraction.declared import Table
from pipeline.base.errors import InputError
from pipeline.base.sql import literal, name_of

SCHEMES = ("postgresql", "postgres")
# PostgreSQL's types that come as they are; all others come as the text that the database writes for them.
PLAIN = (
    *("bool", "int2", "int4", "int8", "float4", "float8", "text", "varchar", "bpchar", "name"),
    *("bytea", "date", "timestamp", "timestamptz"),
)
MOST_DIGITS = 38
TYPE, TYPE_MODIFIER = b"POSTGRESQL:type", b"POSTGRESQL:typmod"
FIRST_DAY, LAST_DAY = date(1, 1, 1), date(9999, 12, 31)
FIRST_MOMENT, LAST_MOMENT = datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 999999)


class Database:
    """A connection that sees all tables as they were at one moment, and changes nothing.

    Parameters
    ----------
    url : str
        With its password.
    """

    def __init__(self, url: str) -> None:
        import adbc_driver_postgresql.dbapi

        # SQLAlchemy's names of drivers mean nothing here
        scheme, _, rest = url.partition("://")
        self._connection = adbc_driver_postgresql.dbapi.connect(f"{scheme.split('+')[0]}://{rest}")
        with closing(self._connection.cursor()) as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")

    def close(self) -> None:
        """Leave the database."""
        self._connection.close()

    def read(self, table: Table, since: Any) -> Iterator[pa.Table]:
        """Read a table as `run.Reader` says.

        Raises
        ------
        InputError
            A column named in ``sources.yml`` is not there, or a value is beyond what a file can hold.
        """
        columns = ", ".join(map(name_of, table.columns)) or "*"
        rows = f"({table.query}) AS given" if table.query else ".".join(map(name_of, table.origin.split(".")))
        with closing(self._connection.cursor()) as cursor:
            given = cursor.adbc_execute_schema(f"SELECT {columns} FROM {rows}")
            for name in (*table.key, table.cursor):
                if name and name not in given.names:
                    raise InputError(f"{table.place}: {name} is no column of it. There are: {', '.join(given.names)}.")
            listed = ", ".join(_selected(field) for field in given)
            cursor.execute(f"SELECT {listed} FROM {rows}{_condition(table, given, since)}")
            schema = pa.schema([pa.field(field.name, _kind(field)) for field in given])
            yield schema.empty_table()
            for batch in cursor.fetch_record_batch():
                arrays = [_converted(table, array, field) for array, field in zip(batch.columns, schema, strict=True)]
                yield pa.Table.from_arrays(arrays, schema=schema)


def _type_of(field: pa.Field) -> str:
    metadata: dict[bytes, bytes] = field.metadata or {}
    return metadata.get(TYPE, b"").decode()


def _selected(field: pa.Field) -> str:
    column = name_of(field.name)
    return column if _type_of(field) in PLAIN else f"{column}::text AS {column}"


def _kind(field: pa.Field) -> pa.DataType:
    """Tell what a column is in the file: numbers of given digits keep them, numbers of any length are texts."""
    if _type_of(field) == "numeric":
        modifier = int(field.metadata.get(TYPE_MODIFIER, b"-1")) - 4
        digits, scale = (modifier >> 16) & 0xFFFF, modifier & 0x7FF
        return pa.decimal128(digits, scale) if modifier >= 0 and scale <= digits <= MOST_DIGITS else pa.string()
    return field.type if _type_of(field) in PLAIN else pa.string()


def _condition(table: Table, given: pa.Schema, since: Any) -> str:
    if since is None:
        return ""
    column, kind = name_of(table.cursor), _type_of(given.field(table.cursor))
    # what has no value of the cursor might have changed at any time
    return f" WHERE {column} >= {literal(since)}::{kind} OR {column} IS NULL"


def _converted(table: Table, array: pa.Array, field: pa.Field) -> pa.Array:
    if pa.types.is_temporal(field.type):
        _refuse_endless(table, array, field)
    if array.type.equals(field.type):
        return array
    try:
        return array.cast(field.type)
    except pa.ArrowInvalid as error:
        raise InputError(
            f"{table.place}: {field.name} holds a value that is no number of {field.type.precision} digits, such as "
            f"NaN. Say what it stands for in a `query`. ({str(error).splitlines()[0]})"
        ) from error


def _refuse_endless(table: Table, array: pa.Array, field: pa.Field) -> None:
    is_date = pa.types.is_date(field.type)
    whole = array.cast(pa.int32() if is_date else pa.int64())
    low, high = (FIRST_DAY, LAST_DAY) if is_date else (FIRST_MOMENT, LAST_MOMENT)
    kind = pa.date32() if is_date else pa.timestamp("us")
    lowest, highest = (pa.scalar(one, kind).cast(whole.type).as_py() for one in (low, high))
    found = pc.min_max(whole).as_py()
    if found["min"] is not None and not lowest <= found["min"] <= found["max"] <= highest:
        raise InputError(
            f"{table.place}: {field.name} holds infinity, or a year beyond 9999, which no file can hold. Say what it "
            "stands for in a `query`."
        )
