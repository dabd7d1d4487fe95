"""Raw files to landing Parquet: what is read, what is set aside, what is refused."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipeline.base.errors import InputError
from pipeline.landing import parsing
from pipeline.landing.contract import raw_tables
from pipeline.landing.load import load

REVIEW = "r1,o1,5,,{message},2018-01-02 00:00:00,2018-01-03 10:00:00"


def query(sql: str) -> list[tuple[Any, ...]]:
    with duckdb.connect() as connection:
        return connection.execute(sql).fetchall()


class Shop:
    """A raw folder of nine header-only files, and the landing made of it."""

    def __init__(self, folder: Path) -> None:
        self.raw = folder / "raw"
        self.landing = folder / "warehouse" / "landing"
        self.raw.mkdir()
        for table in raw_tables().values():
            self.write(table.name, "")

    def file(self, table: str, ending: str = ".csv") -> Path:
        return self.raw / (raw_tables()[table].stem + ending)

    def write(self, table: str, rows: str) -> Path:
        file = self.file(table)
        file.write_text(",".join(raw_tables()[table].published) + "\n" + rows, newline="")
        return file

    def with_orders(self, *orders: str) -> None:
        """Give items, payments and reviews the orders they belong to."""
        self.write("customers", "".join(f"c{order},p{order},01037,campinas,SP\n" for order in orders))
        stamps = "2018-01-01 10:00:00,,,,2018-02-01 00:00:00"
        self.write("orders", "".join(f"{order},c{order},created,{stamps}\n" for order in orders))

    def landed(self, table: str) -> list[tuple[Any, ...]]:
        columns = ", ".join(raw_tables()[table].published)
        return query(f"SELECT {columns} FROM '{self.landing / table}/*.parquet' ORDER BY ALL")

    def quarantined(self) -> list[tuple[Any, ...]]:
        return query(
            f"""SELECT source_table, source_file, line, row_key, reason, raw_row
            FROM '{self.landing}/quarantine/*.parquet' ORDER BY ALL"""
        )


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    empty = Shop(tmp_path)
    monkeypatch.setenv("RAW_DIR", str(empty.raw))
    monkeypatch.setenv("WAREHOUSE_DIR", str(tmp_path / "warehouse"))
    yield empty


def test_headers_alone_are_an_empty_shop(shop: Shop) -> None:
    counts = load()
    assert set(counts) == set(raw_tables())
    assert all(table.raw_rows == table.landed_rows == table.quarantined_rows == 0 for table in counts.values())
    assert shop.landed("orders") == []


def test_types_are_those_of_the_table_whatever_the_values(shop: Shop) -> None:
    shop.with_orders("o1")
    shop.write("customers", "co1,p1,01037,são paulo,SP\n")
    shop.write("order_payments", "o1,1,credit_card,8,99.30\n")
    load()
    assert shop.landed("customers") == [("co1", "p1", "01037", "são paulo", "SP")]
    assert shop.landed("order_payments") == [("o1", 1, "credit_card", 8, Decimal("99.30"))]
    described = query(f"DESCRIBE FROM '{shop.landing}/order_payments/*.parquet'")
    assert {name: kind for name, kind, *_ in described} == raw_tables()["order_payments"].columns


@pytest.mark.parametrize(
    ("cell", "message"),
    [('"two\nlines, ""quoted"""', 'two\nlines, "quoted"'), ('"two\r\nlines"', "two\r\nlines"), ("", None)],
)
def test_review_texts_survive(shop: Shop, cell: str, message: str | None) -> None:
    shop.with_orders("o1")
    shop.write("order_reviews", REVIEW.format(message=cell) + "\n")
    load()
    assert [row[4] for row in shop.landed("order_reviews")] == [message]


def test_a_bad_row_is_quarantined_with_its_line_and_reason_and_the_good_ones_land(shop: Shop) -> None:
    shop.with_orders("o1", "o2", "o3")
    shop.write(
        "order_reviews",
        REVIEW.format(message='"spans\ntwo lines"') + "\n"
        "r2,o2,five,,,2018-01-02 00:00:00,2018-01-03 10:00:00\n"  # line 4 of the file, row 2
        "r3,o3,4,,,2018-01-02 00:00:00,2018-01-03 10:00:00\n",
    )
    counts = load()["order_reviews"]
    assert (counts.raw_rows, counts.landed_rows, counts.quarantined_rows) == (3, 2, 1)
    assert [row[0] for row in shop.landed("order_reviews")] == ["r1", "r3"]
    [(table, file, line, key, reason, raw)] = shop.quarantined()
    assert (table, file, line, key) == ("order_reviews", shop.file("order_reviews").name, 4, "r2 / o2")
    assert "review_score" in reason and "five" in reason
    assert raw == "r2,o2,five,,,2018-01-02 00:00:00,2018-01-03 10:00:00"


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_lines_are_those_of_an_editor(shop: Shop, line_end: str, mark: str) -> None:
    shop.with_orders("o1", "o2", "o3", "o4", "o5")
    file = shop.write("order_payments", "")
    rows = ["o1,1,boleto,1,10.00", "o2,1,boleto,1,ten", "o3,1,boleto", "o4,1,boleto,1,10.00,more", "o5,1,boleto,1,5.00"]
    text = mark + line_end.join([",".join(raw_tables()["order_payments"].columns), *rows]) + line_end
    file.write_bytes(text.encode())
    load()
    assert [row[0] for row in shop.landed("order_payments")] == ["o1", "o5"]
    assert sorted({(line, key) for _, _, line, key, _, _ in shop.quarantined()}) == [
        (3, "o2 / 1"),
        (4, "o3 / 1"),
        (5, "o4 / 1"),
    ]


def test_columns_may_stand_in_any_order_and_be_more_than_needed(shop: Shop) -> None:
    shop.file("sellers").write_text(
        "note,seller_state,seller_id,seller_city,seller_zip_code_prefix\nx,SP,s1,santos,01100\n"
    )
    load()
    assert shop.landed("sellers") == [("s1", "01100", "santos", "SP")]


def test_compressed_and_parquet_files_give_the_same_as_csv(shop: Shop) -> None:
    rows = "c1,p1,01037,campinas,SP\nc2,p2,99999,manaus,AM\n"
    file = shop.write("customers", rows)
    load()
    from_csv = shop.landed("customers")
    content = file.read_bytes()
    file.unlink()
    shop.file("customers", ".csv.gz").write_bytes(gzip.compress(content))
    load()
    assert shop.landed("customers") == from_csv
    shop.file("customers", ".csv.gz").unlink()
    # a tool that guessed types has written the prefix as a number, without its leading zero
    duckdb.execute(
        f"""COPY (SELECT 'c1' AS customer_id, 'p1' AS customer_unique_id, 1037 AS customer_zip_code_prefix,
            'campinas' AS customer_city, 'SP' AS customer_state UNION ALL SELECT 'c2', 'p2', 99999, 'manaus', 'AM')
        TO '{shop.file("customers", ".parquet")}'"""
    )
    load()
    assert shop.landed("customers") == from_csv


def test_parquet_cells_that_cannot_be_read_are_quarantined(shop: Shop) -> None:
    shop.with_orders("o1", "o2")
    shop.file("order_payments").unlink()
    duckdb.execute(
        f"""COPY (SELECT * FROM (VALUES ('o1', 1, 'boleto', 1, '10.00'), ('o2', 1, 'boleto', 1, 'ten'))
            AS payments({", ".join(raw_tables()["order_payments"].columns)}))
        TO '{shop.file("order_payments", ".parquet")}'"""
    )
    counts = load()["order_payments"]
    assert (counts.raw_rows, counts.landed_rows, counts.quarantined_rows) == (2, 1, 1)
    [(_, _, line, key, reason, raw)] = shop.quarantined()
    assert (line, key) == (2, "o2 / 1")
    assert reason == "payment_value: cannot read ten as an amount of money with two decimals"
    assert '"payment_value":"ten"' in raw


def test_an_unchanged_file_is_not_read_again_and_a_changed_one_is(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.write("sellers", "s1,01100,santos,SP\n")
    load()
    [part] = (shop.landing / "sellers").iterdir()
    before = part.stat().st_mtime_ns
    with monkeypatch.context() as patched:
        patched.setattr(parsing, "_read", pytest.fail)
        load()
    assert part.stat().st_mtime_ns == before
    shop.write("sellers", "s1,01100,santos,SP\ns2,01200,santos,SP\n")
    load()
    assert [row[0] for row in shop.landed("sellers")] == ["s1", "s2"]


def test_a_missing_file_is_named_and_what_was_found_is_listed(shop: Shop) -> None:
    shop.file("orders").unlink()
    with pytest.raises(InputError, match=r"lacks olist_orders_dataset .*olist_sellers_dataset\.csv"):
        load()


def test_a_missing_column_is_named_and_what_was_found_is_listed(shop: Shop) -> None:
    shop.file("customers").write_text("customer_id,customer_city,customer_state\n")
    with pytest.raises(InputError, match=r"customers_dataset\.csv lacks the column customer_unique_id.*customer_city"):
        load()


def test_a_missing_folder_says_what_to_do(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAW_DIR", str(shop.raw / "nowhere"))
    with pytest.raises(InputError, match=r"no folder .*nowhere.*RAW_DIR.*make demo"):
        load()


def test_a_table_that_is_there_twice_is_refused(shop: Shop) -> None:
    shop.file("sellers", ".csv.gz").write_bytes(gzip.compress(shop.file("sellers").read_bytes()))
    with pytest.raises(InputError, match="keep one of them"):
        load()


@pytest.mark.parametrize("content", [b"", b"\x1f\x8b\x08\x00broken"])
def test_a_file_that_is_no_table_is_named(shop: Shop, content: bytes) -> None:
    file = shop.file("sellers", ".csv.gz" if content else ".csv")
    shop.file("sellers").unlink()
    file.write_bytes(content)
    with pytest.raises(InputError, match=file.name):
        load()


def test_a_file_that_cannot_be_read_leaves_what_was_landed(shop: Shop) -> None:
    shop.write("sellers", "s1,01100,santos,SP\n")
    load()
    shop.file("sellers").write_text("seller\ns2\n")
    with pytest.raises(InputError):
        load()
    assert shop.landed("sellers") == [("s1", "01100", "santos", "SP")]
