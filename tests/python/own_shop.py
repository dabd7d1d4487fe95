"""A raw folder with a shop.yml, and what lands of it."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from textwrap import dedent
from typing import Any

import duckdb
import pytest

THREE_COLUMNS = "preset: transactions\nfrom: {file}\ncolumns: {{customer: customer, date: date, amount: amount}}\n"


class Shop:
    """A raw folder, its shop.yml and what lands of it."""

    def __init__(self, folder: Path) -> None:
        self.raw = folder / "raw"
        self.raw.mkdir()
        self.landing = folder / "warehouse" / "landing"

    def write(self, name: str, text: str | bytes, says: str = "") -> None:
        self.raw.joinpath(name).write_bytes(text if isinstance(text, bytes) else text.encode())
        self.says(says or THREE_COLUMNS.format(file=name))

    def says(self, text: str) -> None:
        """Write shop.yml; where a test is not about money, the currency goes without saying."""
        text = dedent(text)
        if not re.search("^currency:", text, re.MULTILINE):
            text = "currency: EUR\n" + text
        self.raw.joinpath("shop.yml").write_text(text)

    def rows(self, table: str, columns: str = "*") -> list[tuple[Any, ...]]:
        with duckdb.connect() as connection:
            return connection.execute(
                f"SELECT {columns} FROM '{self.landing / table}/*.parquet' ORDER BY ALL"
            ).fetchall()

    def sum(self, table: str, column: str) -> Decimal:
        return Decimal(self.rows(table, f"sum({column})")[0][0] or 0)

    def bought(self) -> list[tuple[str, str, str]]:
        """List what landed as the shop would say it: person, day, value."""
        with duckdb.connect() as connection:
            return connection.execute(
                f"""SELECT any_value(customer_unique_id), any_value(order_purchase_timestamp)::VARCHAR,
                    sum(payment_value)::VARCHAR
                FROM '{self.landing}/orders/*.parquet' JOIN '{self.landing}/customers/*.parquet' USING (customer_id)
                JOIN '{self.landing}/order_payments/*.parquet' USING (order_id)
                GROUP BY order_id ORDER BY 1, 2, 3"""
            ).fetchall()

    def quarantined(self) -> list[tuple[Any, ...]]:
        return self.rows("quarantine", "source_file, line, problem, reason")


@pytest.fixture
def own_shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """Give an empty raw folder, its shop.yml still to be written."""
    empty = Shop(tmp_path)
    monkeypatch.setenv("RAW_DIR", str(empty.raw))
    monkeypatch.setenv("WAREHOUSE_DIR", str(tmp_path / "warehouse"))
    monkeypatch.delenv("SHOP_FILE", raising=False)
    return empty
