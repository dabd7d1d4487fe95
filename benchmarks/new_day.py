"""One more day of a shop: the last day's rows again, a day later, under new ids and mostly by new people."""

from __future__ import annotations

from pathlib import Path

import duckdb

from pipeline.base.sql import literal, name_of
from pipeline.landing.contract import STAMP, raw_tables

TABLES = ("orders", "order_items", "order_payments", "order_reviews", "customers")
RENEWED = ("order_id", "customer_id", "review_id")


def write_day(raw: Path, day: int) -> int:
    """Write the files of a further day beside the others of a raw folder of CSV files.

    Parameters
    ----------
    raw : Path
    day : int
        How many days after the last day of the first files.

    Returns
    -------
    int
        Orders of that day.
    """
    with duckdb.connect() as connection:

        def read(table: str) -> str:
            return f"read_csv({literal(raw / f'{raw_tables()[table].stem}.csv')}, all_varchar = true, header = true)"

        orders = read("orders")
        connection.execute(
            f"""CREATE TABLE chosen AS SELECT order_id, customer_id FROM {orders}
            WHERE left(order_purchase_timestamp, 10) = (
                SELECT max(left(order_purchase_timestamp, 10)) FROM {orders}
                WHERE try_cast(order_purchase_timestamp AS TIMESTAMP) IS NOT NULL)"""
        )
        for table in TABLES:
            spec = raw_tables()[table]
            key = "customer_id" if table == "customers" else "order_id"
            # a shop's files need not have every column that a shop may have
            found = connection.execute(f"DESCRIBE FROM {read(table)}").fetchall()
            columns = [f"{_later(name, spec.columns[name], day)} AS {name_of(name)}" for name, *_ in found]
            connection.execute(
                f"""COPY (SELECT {", ".join(columns)} FROM {read(table)} SEMI JOIN chosen USING ({key}))
                TO {literal(raw / f"{spec.stem}_day_{day:03}.csv")} (HEADER)"""
            )
        (orders_copied,) = connection.execute("SELECT count(*) FROM chosen").fetchall()[0]
    return int(orders_copied)


def _later(column: str, kind: str, day: int) -> str:
    name = name_of(column)
    if column in RENEWED:
        return f"md5({name} || ' {day}')"
    if column == "customer_unique_id":  # one in 33 is somebody who has been here before
        return f"CASE WHEN hash({name}) % 33 = 0 THEN {name} ELSE md5({name} || ' {day}') END"
    if kind == STAMP:
        return f"strftime(try_cast({name} AS TIMESTAMP) + INTERVAL {day} DAY, '%Y-%m-%d %H:%M:%S')"
    return name
