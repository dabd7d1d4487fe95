"""Put a demo shop into a PostgreSQL, to try the road from there: ``make demo SHAPE=postgres``."""

from __future__ import annotations

import argparse
import shutil
import sys
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from extraction.declared import Secrets
from pipeline.base.console import say, step
from pipeline.base.errors import InputError, PipelineError
from pipeline.base.outcome import exit_code_of
from pipeline.base.sql import literal, name_of

SCHEMA = "demo_shop"
OURS = "a fictional shop of the retention warehouse; it may be dropped"
# How PostgreSQL calls what the demo's files hold.
KINDS = {pa.int32(): "integer", pa.int64(): "bigint", pa.float64(): "double precision", pa.string(): "text"}


def fill(folder: Path, url: str, schema: str = SCHEMA) -> None:
    """Write each Parquet file of a folder as a table, all of them or none.

    Parameters
    ----------
    folder : Path
    url : str
        Of the database, with ``${NAME}`` where the value of an environment variable goes.
    schema : str
        Where the tables go; one of an earlier demo shop is replaced.

    Raises
    ------
    InputError
        The schema holds something else, or the database refuses.
    """
    import adbc_driver_postgresql.dbapi

    secrets = Secrets()
    try:
        with (
            closing(adbc_driver_postgresql.dbapi.connect(secrets.fill_url("the demo shop", url))) as connection,
            closing(connection.cursor()) as cursor,
        ):
            cursor.execute(
                f"SELECT obj_description(oid, 'pg_namespace') FROM pg_namespace WHERE nspname = {literal(schema)}"
            )
            found = cursor.fetchall()
            if found and found[0][0] != OURS:
                raise InputError(
                    f"The database has a schema {schema} that is no demo shop of ours. Name another database."
                )
            cursor.execute(f"DROP SCHEMA IF EXISTS {name_of(schema)} CASCADE")
            cursor.execute(f"CREATE SCHEMA {name_of(schema)}")
            cursor.execute(f"COMMENT ON SCHEMA {name_of(schema)} IS {literal(OURS)}")
            for file in sorted(folder.glob("*.parquet")):
                rows = pq.read_table(file, partitioning=None)
                columns = ", ".join(f"{name_of(field.name)} {_kind(field.type)}" for field in rows.schema)
                cursor.execute(f"CREATE TABLE {name_of(schema)}.{name_of(file.stem)} ({columns})")
                if rows.num_rows:
                    cursor.adbc_ingest(file.stem, rows, mode="append", db_schema_name=schema)
            connection.commit()
    except PipelineError:
        raise
    except Exception as error:
        told = secrets.hide(" ".join(str(error).split()))
        raise InputError(f"The demo shop cannot be written into the database: {told}") from None


def _kind(kind: pa.DataType) -> str:
    if pa.types.is_decimal(kind):
        return f"numeric({kind.precision}, {kind.scale})"
    return "timestamp" if pa.types.is_timestamp(kind) else KINDS[kind]


def main(arguments: list[str] | None = None) -> int:
    """Fill the database and remove the files it was filled from."""
    parser = argparse.ArgumentParser(prog="python -m extraction.demo", description=__doc__)
    parser.add_argument("folder", type=Path, help="of the shop's tables as Parquet")
    parser.add_argument("--variable", default="DEMO_DATABASE_URL", help="environment variable that holds the URL")
    options = parser.parse_args(arguments)

    def body() -> None:
        with step("demo shop into PostgreSQL") as this:
            fill(options.folder, f"${{{options.variable}}}")
            this.result = f"schema {SCHEMA}"
        shutil.rmtree(options.folder)
        say(f"  RAW_DIR={options.folder.parent} make extract up builds it")

    return exit_code_of(body)


if __name__ == "__main__":
    sys.exit(main())
