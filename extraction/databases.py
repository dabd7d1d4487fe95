"""Databases other than PostgreSQL through dlt: SQLAlchemy reads the rows, Arrow keeps their types."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from extraction.declared import Table
from pipeline.base.errors import InputError

ROWS_AT_ONCE = 50_000


class Database:
    """A database by its SQLAlchemy URL.

    Parameters
    ----------
    url : str
        With its password.
    """

    def __init__(self, url: str) -> None:
        import sqlalchemy

        self._engine = sqlalchemy.create_engine(url)

    def close(self) -> None:
        """Leave the database."""
        self._engine.dispose()

    def read(self, table: Table, since: Any) -> Iterator[pa.Table]:
        """Read a table as `run.Reader` says.

        Raises
        ------
        InputError
            A column is not there, or the table is a query.
        """
        import sqlalchemy
        from dlt.sources.sql_database import sql_table

        if table.query:
            raise InputError(
                f"{table.place}.query: queries are for PostgreSQL. Here, make it a view and name that in `from`."
            )
        schema, _, name = table.origin.rpartition(".")
        present = [column["name"] for column in sqlalchemy.inspect(self._engine).get_columns(name, schema or None)]
        for column in (*table.columns, *table.key, table.cursor):
            if column and column not in present:
                raise InputError(f"{table.place}: {column} is no column of it. There are: {', '.join(present)}.")

        def narrowed(select: Any, reflected: Any) -> Any:
            if since is None:
                return select
            cursor = reflected.c[table.cursor]
            # what has no value of the cursor might have changed at any time
            return select.where(sqlalchemy.or_(cursor >= since, cursor.is_(None)))

        resource = sql_table(
            credentials=self._engine,
            table=name,
            schema=schema or None,
            backend="pyarrow",
            chunk_size=ROWS_AT_ONCE,
            reflection_level="full_with_precision",
            included_columns=list(table.columns) or None,
            table_adapter_callback=_keep_doubles,
            type_adapter_callback=_adapted,
            query_adapter_callback=narrowed,
        )
        kept = list(table.columns) or present
        is_first = True
        for given in resource:
            batch = _without_empty_kinds(given.select(kept))
            if is_first:
                yield batch.schema.empty_table()
                is_first = False
            yield batch
        if is_first:
            yield pa.schema([(column, pa.string()) for column in kept]).empty_table()


def _keep_doubles(reflected: Any) -> None:
    """Take MySQL's doubles as doubles: SQLAlchemy would make decimals of them, and dlt cut those at nine digits."""
    import sqlalchemy

    for column in reflected.columns:
        if isinstance(column.type, sqlalchemy.Float):
            column.type = sqlalchemy.Double(asdecimal=False)


def _adapted(kind: Any) -> Any:
    """Take numbers of any length as texts: a fixed number of digits would cut some of them off."""
    import sqlalchemy

    if isinstance(kind, sqlalchemy.Numeric) and not isinstance(kind, sqlalchemy.Float) and kind.precision is None:
        return sqlalchemy.Text()
    return kind


def _without_empty_kinds(batch: pa.Table) -> pa.Table:
    """Give a column without a value, and without a declared type, a type that further rows can have."""
    fields = [pa.field(one.name, pa.string() if pa.types.is_null(one.type) else one.type) for one in batch.schema]
    return batch.cast(pa.schema(fields))
