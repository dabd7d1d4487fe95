"""A small shop as raw files that a test may damage, and the landing made of them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
from shops import Shop

from pipeline.base.sql import parquet
from pipeline.landing.contract import raw_tables
from pipeline.landing.load import load
from pipeline.landing.settle import Landed

ORDERS = 12


def small_shop() -> Shop:
    """Twelve orders of eight people over a year, with items, payments and reviews, one of them over several lines."""
    shop = Shop()
    for number in range(ORDERS):
        day = f"2024-{number + 1:02}-10"
        shop.order(
            f"person-{number % 8}",
            f"{day} 12:00:00",
            items=[(f"product-{number % 4}", f"seller-{number % 3}", 10.0 + number), ("product-9", "seller-0", 5.5)],
            reviews=[(f"review-{number}", 1 + number % 5, f"{day} 00:00:00", f"{day} 18:00:00")],
            approved=f"{day} 13:00:00",
            shipped=f"{day} 14:00:00",
            delivered=f"{day} 15:00:00",
        )
    shop.rows["reviews"][3]["review_comment_message"] = 'two lines,\nand a "quoted" word'
    shop.rows["reviews"][4]["review_comment_message"] = "São João, ótimo"
    return shop


@dataclass
class InputFolder:
    """Raw files and what they land as."""

    raw: Path
    landing: Path

    def file(self, table: str, ending: str = ".csv", piece: str = "") -> Path:
        """Return the path of a table's file, or of a further piece of it."""
        return self.raw / (raw_tables()[table].stem + (f"_{piece}" if piece else "") + ending)

    def change(self, table: str, change: Callable[[bytes], bytes]) -> None:
        """Rewrite the bytes of a table's file."""
        file = self.file(table)
        file.write_bytes(change(file.read_bytes()))

    def append(self, table: str, *rows: str) -> None:
        """Add rows at the end of a table's file."""
        self.change(table, lambda content: content + "".join(f"{row}\n" for row in rows).encode())

    def piece(self, table: str, name: str, *rows: str) -> None:
        """Write a further file of a table."""
        text = ",".join(raw_tables()[table].published) + "\n" + "".join(f"{row}\n" for row in rows)
        self.file(table, piece=name).write_text(text)

    def lines(self, table: str) -> list[str]:
        """Return the data lines of a table's file; only for tables without quoted line ends."""
        return self.file(table).read_text().splitlines()[1:]

    def rows(self, table: str) -> list[tuple[Any, ...]]:
        """Return what landed."""
        with duckdb.connect() as connection:
            return connection.execute(f"FROM {self._landed(table)} ORDER BY ALL").fetchall()

    def quarantine(self) -> list[tuple[Any, ...]]:
        """Return table, file, line, key, reason and raw row of every quarantined row."""
        with duckdb.connect() as connection:
            return connection.execute(
                f"""SELECT source_table, source_file, line, row_key, reason, raw_row
                FROM {self._landed("quarantine")} ORDER BY ALL"""
            ).fetchall()

    def _landed(self, folder: str) -> str:
        return parquet(sorted((self.landing / folder).glob("*.parquet")))

    def load(self) -> dict[str, Landed]:
        """Load, and check that the books balance with what actually lies there."""
        books = load()
        quarantined = [table for table, *_ in self.quarantine()]
        for table in raw_tables().values():
            book = books[table.name]
            assert book.balance(), (table.name, book)
            assert book.landed_rows == len(self.rows(table.name)), table.name
            assert book.quarantined_rows == quarantined.count(table.name), table.name
        return books


def copied(source: InputFolder, folder: Path) -> InputFolder:
    """Copy a shop and its landing, so that only what a test changes is read again."""
    shutil.copytree(source.raw, folder / "raw")
    shutil.copytree(source.landing, folder / "warehouse" / "landing")
    return InputFolder(folder / "raw", folder / "warehouse" / "landing")
