"""What can be wrong with raw files, and what becomes of it. Nothing is lost, and every message names the cure."""

from __future__ import annotations

import gzip
import os
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest
from input_folder import InputFolder, copied, small_shop

from pipeline.base.errors import InputError, PipelineError
from pipeline.landing import cells
from pipeline.landing.contract import raw_tables
from pipeline.landing.limits import check_quarantine
from pipeline.landing.load import load

Change = Callable[[InputFolder], None]
ORDER = "order-00001,of-order-00001,{},2024-01-10 12:00:00,,,,2030-01-01 00:00:00"


@pytest.fixture(scope="module")
def intact(tmp_path_factory: pytest.TempPathFactory) -> InputFolder:
    folder = tmp_path_factory.mktemp("intact")
    small_shop().write(folder / "raw")
    shop = InputFolder(folder / "raw", folder / "warehouse" / "landing")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("RAW_DIR", str(shop.raw))
        patched.setenv("WAREHOUSE_DIR", str(shop.landing.parent))
        shop.load()
    return shop


@pytest.fixture
def shop(intact: InputFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> InputFolder:
    copy = copied(intact, tmp_path)
    monkeypatch.setenv("RAW_DIR", str(copy.raw))
    monkeypatch.setenv("WAREHOUSE_DIR", str(copy.landing.parent))
    return copy


def test_the_shop_itself_is_without_fault(shop: InputFolder) -> None:
    assert all(book.raw_rows == book.landed_rows for book in shop.load().values())
    assert shop.quarantine() == []


def add(table: str, *rows: str) -> Change:
    return lambda shop: shop.append(table, *rows)


def swap(table: str, old: str, new: str) -> Change:
    def change(shop: InputFolder) -> None:
        def replaced(content: bytes) -> bytes:
            assert old.encode() in content
            return content.replace(old.encode(), new.encode(), 1)

        shop.change(table, replaced)

    return change


def stamp(written: str, reason: str = "") -> tuple[str, Change, int, str]:
    return (
        "orders",
        swap("orders", "2024-01-10 12:00:00", written),
        1,
        reason or f"cannot read {written} as a date and time",
    )


NEW_ITEM = "order-00001,{},product-0,seller-0,2024-01-12 00:00:00,{},0.00"
NEW_PAYMENT = "order-00001,{},boleto,1,{}"
NEW_REVIEW = "new-review,order-00001,{},,{},2024-01-11 00:00:00,2024-01-12 00:00:00"

# name: table, what is done, rows that go to quarantine beside those of the intact shop, what the reason says
ROW_FAULTS: dict[str, tuple[str, Change, int, str]] = {
    "unparsable money": ("order_payments", add("order_payments", NEW_PAYMENT.format(2, "ten")), 1, "cannot read ten"),
    "money in another locale": ("order_payments", add("order_payments", NEW_PAYMENT.format(2, '"10,50"')), 1, "10,50"),
    "money with a third decimal": ("order_payments", add("order_payments", NEW_PAYMENT.format(2, "1.005")), 1, "1.005"),
    "money beyond all bounds": ("order_payments", add("order_payments", NEW_PAYMENT.format(2, "1e15")), 1, "1e15"),
    "money that is no number": ("order_payments", add("order_payments", NEW_PAYMENT.format(2, "NaN")), 1, "NaN"),
    "negative price": ("order_items", add("order_items", NEW_ITEM.format(3, "-0.01")), 1, "price: -0.01 is below 0"),
    "missing price": ("order_items", add("order_items", NEW_ITEM.format(3, "")), 1, "price: missing"),
    "line number zero": ("order_items", add("order_items", NEW_ITEM.format(0, "1.00")), 1, "below 1"),
    "half a line number": ("order_items", add("order_items", NEW_ITEM.format(2.5, "1.00")), 1, "a whole number"),
    "score of six": ("order_reviews", add("order_reviews", NEW_REVIEW.format(6, "")), 1, "review_score: 6 is above 5"),
    "score of nought": ("order_reviews", add("order_reviews", NEW_REVIEW.format(0, "")), 1, "below 1"),
    "missing score": ("order_reviews", add("order_reviews", NEW_REVIEW.format("", "ok")), 1, "review_score: missing"),
    "a survey without an answer": ("order_reviews", add("order_reviews", NEW_REVIEW.format("", "")), 1, "no answer"),
    "date of 1970": ("orders", swap("orders", "2024-01-10 12:00:00", "1970-01-01 00:00:00"), 1, "below 1990-01-01"),
    "date of 9999": ("orders", swap("orders", "2024-01-10 15:00:00", "9999-12-31 00:00:00"), 1, "above 2099-12-31"),
    "date that is none": ("orders", swap("orders", "2024-01-10 12:00:00", "2024-02-30 12:00:00"), 1, "2024-02-30"),
    "order without a date": ("orders", swap("orders", "delivered,2024-01-10 12:00:00", "delivered,"), 1, "missing"),
    "order without a key": ("orders", swap("orders", "order-00001,", ","), 1, "order_id: missing"),
    "unknown status": ("orders", swap("orders", ",delivered,", ",teleported,"), 1, "teleported is none of created"),
    "status in capitals": ("orders", swap("orders", ",delivered,", ",DELIVERED,"), 1, "DELIVERED is none of created"),
    "latitude of 91": ("geolocation", add("geolocation", "01001,91,-46.63,sao paulo,SP"), 1, "above 90"),
    "longitude that is no number": ("geolocation", add("geolocation", "01001,-23.5,nan,sao paulo,SP"), 1, "nan"),
    "point without a zip prefix": ("geolocation", add("geolocation", ",-23.5,-46.6,sao paulo,SP"), 1, "missing"),
    "negative weight": ("products", swap("products", ",300,", ",-300,"), 1, "product_weight_g: -300 is below 0"),
    "too few cells": ("sellers", add("sellers", "seller-x,01001"), 1, "2 cells where the line of column names has 4"),
    "too many cells": ("sellers", add("sellers", "seller-x,01001,a,SP,more"), 1, "5 cells"),
    "money with an exponent": (
        "order_payments",
        add("order_payments", NEW_PAYMENT.format(2, "1e1")),
        1,
        "cannot read 1e1",
    ),
    "money with an underscore": ("order_payments", add("order_payments", NEW_PAYMENT.format(2, "1_0")), 1, "1_0"),
    "money in hexadecimal": ("order_payments", add("order_payments", NEW_PAYMENT.format(2, "0x10")), 1, "0x10"),
    "a whole number with an exponent": ("order_items", add("order_items", NEW_ITEM.format("3e0", "1.00")), 1, "3e0"),
    "a whole number in binary": ("order_items", add("order_items", NEW_ITEM.format("0b11", "1.00")), 1, "0b11"),
    "a degree with an underscore": ("geolocation", add("geolocation", "01001,-2_3.5,-46.6,sao paulo,SP"), 1, "-2_3.5"),
    "stamp of two clocks": stamp("2024-01-10 13:00:00 PM"),
    "stamp of a half day in another language": stamp("2024-01-10 01:00:00 odp."),
    "stamp with half an offset": stamp("2024-01-10 12:00:00+"),
    "stamp in an unknown zone": stamp("2024-01-10 12:00:00 BRT"),
    "stamp by the American order": stamp("01/10/2024 12:00:00"),
    "stamp without a century": stamp("24-01-10 12:00:00"),
    "stamp in seconds": stamp("1704888000"),
    "stamp by a word": stamp("epoch"),
    "stamp that is infinite": stamp("infinity"),
    "stamp of one digit": stamp("2024-1-10 12:00:00"),
    "person that a spreadsheet rounded": (
        "customers",
        swap("customers", "person-0", "1.23E+10"),
        1,
        "1.23E+10 is a number that a spreadsheet has rounded",
    ),
    "seller that a program rounded": ("sellers", add("sellers", "1E+5,01001,a,SP"), 1, "rounded"),
    "seller that a spreadsheet rounded": ("sellers", add("sellers", "7E+11,01001,a,SP"), 1, "rounded"),
    "the line of column names again": (
        "sellers",
        add("sellers", "seller_id,seller_zip_code_prefix,seller_city,seller_state"),
        1,
        "the line of column names again",
    ),
    "the line of column names again among orders": (
        "order_items",
        add("order_items", '"ORDER_ID","ORDER_ITEM_ID",product_id,seller_id,shipping_limit_date,price,freight_value'),
        1,
        "the line of column names again",
    ),
    "the line of column names again, after a byte order mark": (
        "sellers",
        add("sellers", "\ufeffseller_id,seller_zip_code_prefix,seller_city,seller_state"),
        1,
        "the line of column names again",
    ),
    "a line that is drawn": ("sellers", add("sellers", "---------,------,-----,--"), 1, "a line that is drawn"),
    "a remark of a tool": ("sellers", add("sellers", "(3 rows),,,"), 1, "a remark, no row"),
    "a remark of a person": ("products", add("products", "# checked by Ana,,,,,,,,"), 1, "a remark, no row"),
    "the end of a report": ("sellers", add("sellers", "Total geral, ,,"), 1, "a remark, no row"),
    "an empty line of a spreadsheet": ("order_items", add("order_items", ", ,,\u00a0,,,"), 1, "an empty line"),
    "a line of totals": ("sellers", add("sellers", "Total,,,"), 1, "a line of totals"),
    "an order of another age": (
        "orders",
        swap("orders", "2024-05-10 12:00:00", "2081-05-10 12:00:00"),
        1,
        "lies years from",
    ),
    "an order long before": (
        "orders",
        swap("orders", "2024-05-10 12:00:00", "1998-05-10 12:00:00"),
        1,
        "lies years from",
    ),
    "a delivery of another age": (
        "orders",
        swap("orders", "2024-05-10 15:00:00", "2042-05-10 15:00:00"),
        1,
        "years from",
    ),
    "a line of another kind": ("sellers", add("sellers", "-- 12 rows --"), 1, "1 cells"),
    "text after a closing quote": ("sellers", add("sellers", 'seller-x,01001,"a" b,SP'), 1, "quotes"),
    "NUL byte": ("sellers", add("sellers", "seller-x,01001,a\0b,SP"), 1, "NUL"),
    "quote opened at the last line": ("sellers", add("sellers", 'seller-x,01001,"a,SP'), 1, "a quote is opened"),
    "key twice with different values": (
        "order_payments",
        add("order_payments", NEW_PAYMENT.format(9, "1.00"), NEW_PAYMENT.format(9, "2.00")),
        2,
        "2 rows of this file have this key and disagree",
    ),
    "item of an unknown order": (
        "order_items",
        add("order_items", NEW_ITEM.format(1, "1.00").replace("order-00001", "nowhere")),
        1,
        "order_id: there is no such row in orders",
    ),
    "item of an unknown product": (
        "order_items",
        add("order_items", NEW_ITEM.format(3, "1.00").replace("product-0", "nothing")),
        1,
        "product_id: there is no such row in products",
    ),
    "item of an unknown seller": (
        "order_items",
        add("order_items", NEW_ITEM.format(3, "1.00").replace("seller-0", "nobody")),
        1,
        "seller_id: there is no such row in sellers",
    ),
    "payment of an unknown order": ("order_payments", add("order_payments", "nowhere,1,boleto,1,1.00"), 1, "orders"),
    "order of an unknown customer": (
        "orders",
        add("orders", ORDER.format("created").replace("00001", "99999")),
        1,
        "customer_id: there is no such row in customers",
    ),
}


@pytest.mark.parametrize("fault", ROW_FAULTS)
def test_a_bad_row_is_set_aside_with_its_place_and_reason(shop: InputFolder, intact: InputFolder, fault: str) -> None:
    table, change, rows, reason = ROW_FAULTS[fault]
    change(shop)
    books = shop.load()
    assert books[table].quarantined_rows == rows
    found = [row for row in shop.quarantine() if row[0] == table]
    text = shop.file(table).read_bytes().decode()
    for _, file, line, key, why, raw in found:
        assert file == shop.file(table).name
        assert reason in why
        assert key is not None
        assert line is not None
        # the raw row stands at that line of the file
        assert raw.replace("\\x00", "\0") in "\n".join(text.split("\n")[line - 1 :])
        assert text.split("\n")[line - 1].startswith(raw.split("\n")[0].replace("\\x00", "\0"))
    # every other row of the shop is where it was
    missing = {row for row in intact.rows(table) if row not in shop.rows(table)}
    assert len(missing) <= rows
    # a row whose parent is in quarantine is there too, and says so
    for child, _, _, _, why, _ in shop.quarantine():
        assert child == table or "there is no such row in" in why


def header(table: str, change: Callable[[list[str]], list[str]]) -> Change:
    def changed(shop: InputFolder) -> None:
        lines = shop.file(table).read_text().splitlines()
        rows = [",".join(change(line.split(","))) for line in lines]
        shop.file(table).write_text("\n".join(rows) + "\n")

    return changed


def rewrite(table: str, change: Callable[[bytes], bytes]) -> Change:
    return lambda shop: shop.change(table, change)


def rows_of(table: str, old: str, new: str) -> tuple[str, Change]:
    """Write something in another way wherever it stands in a table."""
    return table, rewrite(table, lambda data: data.replace(old.encode(), new.encode()))


def as_file(table: str, ending: str, content: Callable[[bytes], bytes]) -> Change:
    def changed(shop: InputFolder) -> None:
        data = shop.file(table).read_bytes()
        shop.file(table).unlink()
        shop.file(table, ending).write_bytes(content(data))

    return changed


def days_first(content: bytes) -> bytes:
    return content.replace(b"2024-", b"10/01/2024 ")


# name: what is done, what the message says beside the file's name
FILE_FAULTS: dict[str, tuple[str, Change, str]] = {
    "empty file": ("orders", rewrite("orders", lambda _: b""), "is empty.*Export it again"),
    "empty compressed file": ("orders", as_file("orders", ".csv.gz", lambda _: b""), "is empty"),
    "nothing but a line end": ("orders", rewrite("orders", lambda _: b"\n"), "is empty"),
    "cut compressed file": (
        "orders",
        as_file("orders", ".csv.gz", lambda data: gzip.compress(data * 50)[:-20]),
        "cut off or damaged.*Copy it again.*gzip -t",
    ),
    "damaged compressed file": (
        "orders",
        as_file("orders", ".csv.gz", lambda data: gzip.compress(data)[:60] + b"x" * 30 + gzip.compress(data)[90:]),
        "cut off or damaged|cannot be unpacked",
    ),
    "plain text called compressed": ("orders", as_file("orders", ".csv.gz", lambda data: data), "name it .csv"),
    "compressed file called plain": ("orders", rewrite("orders", gzip.compress), "name it .csv.gz"),
    "semicolons": ("orders", rewrite("orders", lambda data: data.replace(b",", b";")), "semicolons.*with commas"),
    "tabs": ("orders", rewrite("orders", lambda data: data.replace(b",", b"\t")), "tabs.*with commas"),
    "missing column": ("customers", header("customers", lambda cells: cells[1:]), "lacks the column customer_id"),
    "misspelt column": ("sellers", rewrite("sellers", lambda data: data.replace(b"_state", b"_stat", 1)), "Rename it"),
    "column named twice": ("sellers", header("sellers", lambda cells: [*cells, cells[-1]]), "seller_state more than"),
    "a title above the column names": (
        "sellers",
        rewrite("sellers", lambda data: b"Sellers of 2024,,,\n,,,\n" + data),
        "column names in line 3, below 'Sellers of 2024'. Remove the lines above",
    ),
    "a separator that is no comma": (
        "orders",
        rewrite("orders", lambda data: b"sep=;\n" + data.replace(b",", b";")),
        "semicolons.*with commas",
    ),
    "no line of column names": (
        "sellers",
        rewrite("sellers", lambda data: data.split(b"\n", 1)[1]),
        "lacks the column seller_id",
    ),
    "dates of another form": ("orders", rewrite("orders", days_first), "not one of the 12 values .*YYYY-MM-DD"),
    "CSV called Parquet": ("sellers", as_file("sellers", ".parquet", lambda data: data), "not a Parquet file"),
    "cut Parquet": ("sellers", as_file("sellers", ".parquet", lambda data: b"PAR1" + data), "not a Parquet file"),
    "Parquet called CSV": ("sellers", rewrite("sellers", lambda data: b"PAR1" + data), "name it .parquet"),
    "spreadsheet called CSV": ("sellers", rewrite("sellers", lambda data: b"PK\x03\x04" + data), "save the sheet"),
    "table there twice": (
        "sellers",
        lambda shop: shop.file("sellers", ".csv.gz").touch(),
        "keep one of them",
    ),
    "table missing": ("orders", lambda shop: shop.file("orders").unlink(), "lacks olist_orders_dataset"),
    "table gone": (
        "sellers",
        lambda shop: shop.file("sellers").unlink(),
        "no longer has olist_sellers_dataset.*3 rows",
    ),
}


@pytest.mark.parametrize("fault", FILE_FAULTS)
def test_a_file_that_cannot_be_used_is_refused_by_name_with_the_cure(
    shop: InputFolder, intact: InputFolder, fault: str
) -> None:
    table, change, message = FILE_FAULTS[fault]
    change(shop)
    stem = raw_tables()[table].stem
    with pytest.raises(InputError, match=message) as refusal:
        shop.load()
    assert stem in str(refusal.value)
    assert len(str(refusal.value).splitlines()) == 1
    # what was landed before is still there
    assert shop.rows(table) == intact.rows(table)


def mark(data: bytes) -> bytes:
    return b"\xef\xbb\xbf" + data


def zips(data: bytes, form: bytes) -> bytes:
    return re.sub(rb",(01[0-9]{3})(?=,)", lambda found: b"," + form.replace(b"{}", found[1]), data)


def into_folder(table: str, folder: str) -> Change:
    def changed(shop: InputFolder) -> None:
        aside = shop.file(table).rename(shop.raw / "aside")
        (shop.raw / folder).mkdir()
        aside.rename(shop.raw / folder / shop.file(table).name)

    return changed


def quoted(data: bytes) -> bytes:
    rows = [line.split(b",") for line in data.splitlines()]
    return b"".join(b",".join(b'"' + cell + b'"' for cell in row) + b"\n" for row in rows)


# name: what is done; the landing must be that of the intact shop
HARMLESS: dict[str, tuple[str, Change]] = {
    "byte order mark": ("order_reviews", rewrite("order_reviews", mark)),
    "CRLF": ("sellers", rewrite("sellers", lambda data: data.replace(b"\n", b"\r\n"))),
    "line ends of both kinds": ("sellers", rewrite("sellers", lambda data: data.replace(b"\n", b"\r\n", 2))),
    "carriage returns alone": ("sellers", rewrite("sellers", lambda data: data.replace(b"\n", b"\r"))),
    "blank lines": ("sellers", rewrite("sellers", lambda data: data.replace(b"\n", b"\n\n") + b"\n\n")),
    "a line above that names the separator": ("sellers", rewrite("sellers", lambda data: b"sep=,\n" + data)),
    "such a line as another spreadsheet writes it": (
        "order_items",
        rewrite("order_items", lambda data: b'\xef\xbb\xbf"sep=,",,\r\n' + data.replace(b"\n", b"\r\n")),
    ),
    "a blank line above the column names": ("sellers", rewrite("sellers", lambda data: b"\n" + data)),
    "blank lines above with other line ends": ("order_items", rewrite("order_items", lambda d: b"\r\n\r\n" + d)),
    "two empty columns to the right": ("sellers", rewrite("sellers", lambda data: data.replace(b"\n", b",,\n"))),
    "empty cells to the right of some lines": (
        "order_reviews",
        rewrite("order_reviews", lambda data: data.replace(b" 18:00:00\n", b" 18:00:00,,\n", 3)),
    ),
    "a folder called like the file that it holds": ("orders", into_folder("orders", "olist_orders_dataset.csv")),
    "a folder of the bare name": ("orders", into_folder("orders", "olist_orders_dataset")),
    "an ending in capitals": ("orders", as_file("orders", ".CSV", lambda data: data)),
    "words for an empty comment": (
        "order_reviews",
        rewrite("order_reviews", lambda data: data.replace(b",,", b",NULL,")),
    ),
    "blanks around ids": (
        "order_items",
        rewrite("order_items", lambda data: data.replace(b"seller-0,", b" seller-0 ,")),
    ),
    "hard blanks around ids": (
        "order_items",
        rewrite("order_items", lambda data: data.replace(b"seller-0,", "\u00a0seller-0\ufeff,".encode())),
    ),
    "zip prefixes as numbers": ("customers", rewrite("customers", lambda data: data.replace(b",01", b",1"))),
    "zip prefixes as numbers with a point": ("customers", rewrite("customers", lambda data: zips(data, b"{}.0"))),
    "zip codes in full": ("customers", rewrite("customers", lambda data: zips(data, b"{}-123"))),
    "zip codes in full as numbers": (
        "customers",
        rewrite("customers", lambda data: zips(data, b"{}123").replace(b",0", b",")),
    ),
    "zip prefixes kept by a formula": ("sellers", rewrite("sellers", lambda data: zips(data, b'"=""{}"""'))),
    "states in small letters": ("customers", rewrite("customers", lambda data: data.replace(b",SP\n", b",sp \n"))),
    "states by their names": rows_of("customers", ",SP\n", ",São Paulo\n"),
    "states by their names in capitals without accents": rows_of("sellers", ",SP\n", ",SAO  PAULO \n"),
    "states by their names with accents put together": rows_of("geolocation", ",SP\n", ",sa\u0303o paulo\n"),
    "states by their ISO code": ("sellers", rewrite("sellers", lambda data: data.replace(b",SP\n", b",BR-SP\n"))),
    "stamps with a T": ("orders", rewrite("orders", lambda data: data.replace(b" 12:00:00", b"T12:00:00"))),
    "stamps by a clock of twelve hours": rows_of("orders", " 12:00:00,", " 12:00:00 PM,"),
    "stamps after noon": rows_of("orders", " 15:00:00,", " 3:00 pm,"),
    "stamps with fractions": (
        "orders",
        rewrite("orders", lambda data: data.replace(b" 12:00:00", b" 12:00:00.000000")),
    ),
    "people in capitals in some rows": (
        "customers",
        rewrite("customers", lambda data: data.replace(b"order-00009,person-0", b"order-00009,PERSON-0")),
    ),
    "no line end at the end": ("order_reviews", rewrite("order_reviews", lambda data: data.rstrip(b"\n"))),
    "every cell quoted": ("sellers", rewrite("sellers", quoted)),
    "columns in another order": ("sellers", header("sellers", lambda cells: cells[::-1])),
    "a column more": ("sellers", header("sellers", lambda cells: ["extra", *cells])),
    "spaces in the line of column names": (
        "sellers",
        rewrite("sellers", lambda data: data.replace(b"seller_city", b" seller_city ", 1)),
    ),
    "compressed": ("order_reviews", as_file("order_reviews", ".csv.gz", gzip.compress)),
    "Latin-1": ("order_reviews", rewrite("order_reviews", lambda data: data.decode().encode("latin-1"))),
    "UTF-16": ("order_reviews", rewrite("order_reviews", lambda data: data.decode().encode("utf-16"))),
    "whole numbers written as 5.0": ("order_reviews", rewrite("order_reviews", lambda d: d.replace(b",5,", b",5.0,"))),
    "money with float noise": (
        "order_payments",
        rewrite("order_payments", lambda data: data.replace(b"15.50", b"15.500000000000002", 1)),
    ),
}


@pytest.mark.parametrize("form", HARMLESS)
def test_another_form_of_the_same_file_lands_the_same(shop: InputFolder, intact: InputFolder, form: str) -> None:
    table, change = HARMLESS[form]
    change(shop)
    books = shop.load()
    assert shop.rows(table) == intact.rows(table)
    assert books[table].quarantined_rows == 0


def test_latin_1_is_said(shop: InputFolder, capsys: pytest.CaptureFixture[str]) -> None:
    shop.change("order_reviews", lambda data: data.decode().encode("latin-1"))
    shop.load()
    assert "Latin-1" in capsys.readouterr().err
    assert "São João, ótimo" in {row[4] for row in shop.rows("order_reviews")}


def test_damaged_bytes_in_utf_8_cost_their_row_only(shop: InputFolder) -> None:
    shop.change(
        "order_reviews", lambda data: data + NEW_REVIEW.format(1, "b\0d").encode().replace(b"\0", b"\xe9") + b"\n"
    )
    books = shop.load()
    assert books["order_reviews"].quarantined_rows == 1
    [(*_, reason, raw)] = shop.quarantine()
    assert "not UTF-8" in reason and "b\\xe9d" in raw


def test_an_unclosed_quote_swallows_no_row(shop: InputFolder, intact: InputFolder) -> None:
    # after line 1 of the data, long before the next quote of the file
    shop.change(
        "order_reviews",
        lambda data: b"\n".join(
            [*data.split(b"\n")[:2], NEW_REVIEW.format(5, '"never closed').encode(), *data.split(b"\n")[2:]]
        ),
    )
    books = shop.load()
    assert books["order_reviews"].quarantined_rows == 1
    assert shop.rows("order_reviews") == intact.rows("order_reviews")
    [(_, _, line, key, reason, _)] = shop.quarantine()
    assert (line, key) == (3, "new-review / order-00001") and "a quote is opened" in reason


def test_a_very_long_line_costs_itself_only(shop: InputFolder, intact: InputFolder) -> None:
    shop.append("order_reviews", NEW_REVIEW.format(5, "x" * 3_000_000), NEW_REVIEW.format(9, "after"))
    books = shop.load()
    assert books["order_reviews"].quarantined_rows == 2
    assert shop.rows("order_reviews") == intact.rows("order_reviews")
    assert {reason.split(" ")[0] for *_, reason, _ in shop.quarantine()} == {"longer", "review_score:"}
    assert max(len(raw) for *_, raw in shop.quarantine()) <= 10_000


def test_exact_repeats_are_dropped_and_counted_but_observations_stay(shop: InputFolder, intact: InputFolder) -> None:
    shop.change("order_items", lambda data: data + data.split(b"\n", 1)[1])
    shop.change("geolocation", lambda data: data + data.split(b"\n", 1)[1])
    books = shop.load()
    assert books["order_items"].repeated_rows == books["order_items"].landed_rows == 24
    assert shop.rows("order_items") == intact.rows("order_items")
    assert books["geolocation"].landed_rows == 2 * len(intact.rows("geolocation"))


def test_rows_of_one_key_that_disagree_are_all_set_aside_equal_ones_among_them_too(shop: InputFolder) -> None:
    rows = [NEW_PAYMENT.format(9, value) for value in ("1.00", "1.00", "2.00")]
    shop.append("order_payments", *rows)
    assert shop.load()["order_payments"].quarantined_rows == 3


@pytest.mark.parametrize("column", ["price", "shipping_limit_date", "order_item_id"])
def test_a_parquet_column_of_another_type_is_read_or_refused_like_text(
    shop: InputFolder, intact: InputFolder, column: str
) -> None:
    file = shop.file("order_items")
    with duckdb.connect() as connection:
        connection.execute(
            f"""COPY (
                SELECT * REPLACE (CASE WHEN order_id = 'order-00003' THEN 'junk' ELSE "{column}" END AS "{column}")
            FROM read_csv('{file}', all_varchar = true)) TO '{shop.file("order_items", ".parquet")}'"""
        )
    file.unlink()
    books = shop.load()
    assert books["order_items"].quarantined_rows == 2
    assert shop.rows("order_items") == [row for row in intact.rows("order_items") if row[0] != "order-00003"]
    assert {line for _, _, line, *_ in shop.quarantine()} == {5, 6}


def test_the_kind_of_problem_is_told_in_fixed_words(shop: InputFolder) -> None:
    shop.append("order_payments", "order-00001,2,boleto,1,ten", "order-00001,3,boleto,-5,1", "nowhere,1,boleto,1,1.00")
    shop.append("order_payments", "order-00001,,boleto,1,ten", "order-00001,9,boleto")
    shop.load()
    with duckdb.connect() as connection:
        found = connection.execute(
            f"SELECT raw_row, problem FROM '{shop.landing}/quarantine/order_payments.parquet' ORDER BY 1"
        ).fetchall()
    assert dict(found) == {
        "nowhere,1,boleto,1,1.00": cells.NO_PARENT,
        "order-00001,,boleto,1,ten": cells.MISSING,
        "order-00001,2,boleto,1,ten": cells.UNREADABLE,
        "order-00001,3,boleto,-5,1": cells.OUT_OF_RANGE,
        "order-00001,9,boleto": cells.BROKEN,
    }


@pytest.mark.parametrize("lines_between", ["", "\n", "\n\n"])
@pytest.mark.parametrize("end", ["", "\n", "\n\n\n"])
def test_lines_are_found_behind_cells_of_several_lines_and_blank_lines(
    shop: InputFolder, lines_between: str, end: str
) -> None:
    rows = [NEW_REVIEW.format(5, '"one\ntwo\nthree"').replace("new-review", f"long-{number}") for number in range(3)]
    rows += [NEW_REVIEW.format("five", '"four\nfive"'), NEW_REVIEW.format(5, "x").replace("order-00001", "nowhere")]
    text = "".join(f"{row}\n{lines_between}" for row in rows).rstrip("\n") + end
    shop.change("order_reviews", lambda content: content + text.encode())
    assert shop.load()["order_reviews"].quarantined_rows == 2
    lines = shop.file("order_reviews").read_text().split("\n")
    for _, _, line, _, _, raw in shop.quarantine():
        assert "\n".join(lines[line - 1 :]).startswith(raw)
        assert raw in rows


@pytest.mark.parametrize(
    "table",
    ["order_items", "order_payments", "order_reviews", "products", "sellers", "geolocation", "category_translation"],
)
def test_a_shop_may_lack_an_optional_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], table: str
) -> None:
    shop = InputFolder(small_shop().write(tmp_path / "raw"), tmp_path / "warehouse" / "landing")
    monkeypatch.setenv("RAW_DIR", str(shop.raw))
    monkeypatch.setenv("WAREHOUSE_DIR", str(tmp_path / "warehouse"))
    shop.file(table).unlink()
    books = shop.load()
    assert shop.rows(table) == [] and shop.quarantine() == []
    assert books["orders"].landed_rows == 12
    assert f"no {table}: {raw_tables()[table].stays_empty_without} stay empty" in (capsys.readouterr().err)


@pytest.mark.parametrize("word", ["", "NULL", " nan ", "None", "\\N", "#N/A"])
def test_a_customer_who_is_nobody_is_a_guest(shop: InputFolder, word: str) -> None:
    swap("customers", "person-0", word)(shop)
    assert shop.load()["customers"].quarantined_rows == 0
    assert [row[1] for row in shop.rows("customers")].count(None) == 1


ASIDE = "set aside"
# kind: the cell, its table and key, and what it is read as, however it is written
WRITTEN: dict[str, tuple[str, str, str, dict[str, str | None]]] = {
    "stamp": (
        *("orders", "order_purchase_timestamp", "order_id"),
        {
            **dict.fromkeys(
                ("2024-01-10T10:00", " 2024-01-10 10:00:00 ", "2024-01-10 10:00\u00a0"), "2024-01-10 10:00:00"
            ),
            **dict.fromkeys(("2024-01-10 12:00:00 AM", "2024-01-09 24:00:00", "2024-01-10"), "2024-01-10 00:00:00"),
            **dict.fromkeys(("2024-01-11 00:00:00+14:00", "2024-01-10T10:00:00.000Z "), "2024-01-10 10:00:00"),
            **dict.fromkeys(
                ("2024-01-10 10:00:00+15:00", "2024-01-10 10:00:00+99:99", "2024-01-10 10:00+01:60"), ASIDE
            ),
            **dict.fromkeys(("2023-02-29", "2024-01-10 25:00:00", "45301.5", "20240110", "2024-W02-3", "now"), ASIDE),
        },
    ),
    "money": (
        *("order_payments", "payment_value", "order_id"),
        {
            **dict.fromkeys(("5", "+5", "5.", " 5 ", "\t5.00", "5\u00a0", "5.000000000000001"), "5.00"),
            **dict.fromkeys(
                ("1.234,56", "1,234.56", "R$ 10", "1 000", "\u0663", "\u22125", "(5)", "5-", "-", "inf"), ASIDE
            ),
        },
    ),
    "zip": (
        *("customers", "customer_zip_code_prefix", "customer_id"),
        {
            **dict.fromkeys(
                ("1001", "1001.0", "1001,00", "1,001", "01.001-000", "01001 000", "1001000", "\uff11001"), "01001"
            ),
            **dict.fromkeys(("1", "1.0", "1,00"), "00001"),
            **dict.fromkeys(("1.000", "1,000"), "01000"),
            # a wrong place is worse than none
            **{text: text for text in ("1001.5", "-1001", "1.001E3", "123456", "01001-0")},
        },
    ),
    "state": (
        *("customers", "customer_state", "customer_id"),
        {
            **dict.fromkeys(("sp", "S.P.", "Sao-Paulo", "BR SP", "br_sp", "Estado de São Paulo", "\uff33\uff30"), "SP"),
            **dict.fromkeys(("S\u200bP", "sp\u00ad"), "SP"),
            **dict.fromkeys(("\\N", "--", "NA", "(blank)", "unknown"), None),
        },
    ),
    "person": (
        *("customers", "customer_unique_id", "customer_id"),
        {
            **dict.fromkeys(("17850", "17850.0", "17850.00", "\uff117850", "17\u200b850"), "17850"),
            **dict.fromkeys(
                ("-", "--", "\u2014", "?", "(blank)", "unknown", "guest", "#N/A N/A", "-NaN", "#SPILL!"), None
            ),
            "00000000-0000-0000-0000-000000000000": None,
            "9007199254740993.0": ASIDE,
        },
    ),
    "payment type": (
        *("order_payments", "payment_type", "order_id"),
        {
            **dict.fromkeys(
                ("Credit_Card", "CREDIT CARD", " credit-card\u00a0", "cr\u00e9dit_card", "credit\u200b_card"),
                "credit_card",
            ),
            **dict.fromkeys(("", "NULL", "-", "#N/A"), "not_defined"),
            "debit_card": "debit_card",
        },
    ),
    "city": (
        *("customers", "customer_city", "customer_id"),
        {**dict.fromkeys((" NULL ", "\u00a0", "-", "unknown"), None), " lages ": " lages "},
    ),
}


@pytest.mark.parametrize("kind", WRITTEN)
def test_a_cell_is_read_as_it_is_meant_or_set_aside(shop: InputFolder, kind: str) -> None:
    table, column, key, forms = WRITTEN[kind]
    for number, written in enumerate(forms):
        cells_of = {"order_id": f"x{number}", "customer_id": f"of-x{number}", column: f'"{written}"'}
        usual = {
            "order_status": "created",
            "order_purchase_timestamp": "2024-06-01 12:00:00",
            "payment_sequential": "1",
        }
        usual |= {"customer_unique_id": f"new-{number}", "payment_type": "boleto", "payment_value": "1.00"}
        for name in ("orders", "customers", "order_payments"):
            shop.append(name, ",".join({**usual, **cells_of}.get(cell, "") for cell in raw_tables()[name].published))
    load("{max_quarantined_share: 1}")
    columns = list(raw_tables()[table].columns)
    landed = {row[columns.index(key)]: row[columns.index(column)] for row in shop.rows(table)}
    prefix = "of-x" if key == "customer_id" else "x"
    found = {
        written: ASIDE
        if f"{prefix}{number}" not in landed
        else None
        if (value := landed[f"{prefix}{number}"]) is None
        else str(value)
        for number, written in enumerate(forms)
    }
    assert found == forms


def test_a_survey_that_nobody_answered_stops_nothing(shop: InputFolder) -> None:
    shop.append("order_reviews", NEW_REVIEW.format("", ""))
    check_quarantine(shop.load())
    shop.append("order_reviews", NEW_REVIEW.format("", "never came").replace("new-review", "with-words"))
    with pytest.raises(InputError, match=r"order_reviews: 1 of 14 rows .*review_score: missing"):
        check_quarantine(shop.load())


def test_a_category_is_one_however_it_is_spelt(shop: InputFolder, capsys: pytest.CaptureFixture[str]) -> None:
    for spelt in ("Perfumaria", "PERFUMARIA ", "perfum\u00e1ria"):
        swap("products", ",perfumaria,", f",{spelt},")(shop)
    shop.load()
    assert {row[1] for row in shop.rows("products")} == {"perfumaria"}
    assert "products: 3 spellings of product_category_name differ" in capsys.readouterr().err
    # the table that names them says which is usual, or they would have no English name
    swap("category_translation", "perfumaria", "Perfumaria")(shop)
    shop.load()
    assert {row[1] for row in shop.rows("products")} == {"Perfumaria"}


def test_columns_that_may_be_absent_are_empty_or_taken_for_something(
    shop: InputFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    header("orders", lambda line: [*line[:2], line[3]])(shop)
    header("order_items", lambda line: [*line[:2], line[5]])(shop)
    books = shop.load()
    assert books["orders"].landed_rows == 12 and books["order_items"].landed_rows == 24
    assert {row[2:3] + row[4:] for row in shop.rows("orders")} == {("created", None, None, None, None)}
    assert {row[2:5] + row[6:7] for row in shop.rows("order_items")} == {(None, None, None, 0)}
    said = capsys.readouterr().err
    assert "no column order_status: taken to be created" in said and "no column seller_id: it stays empty" in said


def test_stamps_of_other_zones_are_converted_to_the_shops(
    shop: InputFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    written = ("2024-01-10T15:00:00Z", "2024-01-10 12:00:00-0300", "2024-01-10 10:00:00 -0500", "2024-01-10 12:00:00")
    for number, stamp_written in enumerate(written, start=1):
        swap("orders", f"2024-{number:02}-10 12:00:00", stamp_written)(shop)
    shop.load()
    found = {str(row[3]) for row in shop.rows("orders") if row[0] <= "order-00003"}
    assert found == {"2024-01-10 15:00:00"}
    assert "3 rows have stamps that name a time zone; they are converted to UTC" in capsys.readouterr().err
    load("{shop_time_zone: America/Sao_Paulo}")
    found = {str(row[3]) for row in shop.rows("orders") if row[0] <= "order-00004"}
    assert found == {"2024-01-10 12:00:00"} and len(shop.rows("orders")) == 12
    with pytest.raises(PipelineError, match="must be a name such as America/Sao_Paulo"):
        load("{shop_time_zone: Sao Paulo}")


@pytest.mark.parametrize("zone", ["UTC", "America/Sao_Paulo", "Asia/Tokyo"])
def test_parquet_stamps_are_read_alike_on_every_machine(
    shop: InputFolder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], zone: str
) -> None:
    file = shop.file("orders")
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(
            f"""COPY (SELECT * REPLACE (order_purchase_timestamp::TIMESTAMPTZ AS order_purchase_timestamp)
            FROM read_csv('{file}', all_varchar = true)) TO '{shop.file("orders", ".parquet")}'"""
        )
    file.unlink()
    monkeypatch.setenv("TZ", zone)
    shop.load()
    assert str(shop.rows("orders")[0][3]) == "2024-01-10 12:00:00"
    assert "WARNING: olist_orders_dataset.parquet: 12 rows have stamps that name a time zone" in capsys.readouterr().err
    load("{shop_time_zone: America/Sao_Paulo}")
    assert str(shop.rows("orders")[0][3]) == "2024-01-10 09:00:00"


# what is written in place of it, and what is said of it
DOUBTFUL: dict[str, tuple[str, str, str, str]] = {
    **{
        f"order of {day}": ("orders", "2024-05-10 12:00:00", f"{day} 12:00:00", f"purchase_timestamp {day}, {said}")
        for day, said in {
            "2025-05-10": "151 days after all others (2024-12-10)",
            "2026-03-01": "446 days after all others (2024-12-10)",
            "2027-11-30": "1,085 days after all others (2024-12-10)",
            "2023-05-10": "245 days before all others (2024-01-10)",
            "2022-11-30": "406 days before all others (2024-01-10)",
        }.items()
    },
    "delivery": ("orders", "2024-05-10 15:00:00", "2025-05-10 15:00:00", "delivered_customer_date 2025-05-10, 151"),
    "answer": ("order_reviews", "2024-05-10 18:00:00", "2023-05-10 18:00:00", "answer_timestamp 2023-05-10, 245"),
    "promise": ("orders", "2030-01-01", "2081-01-01", "estimated_delivery_date 2081-01-01, 18,628 days after"),
}


@pytest.mark.parametrize("case", DOUBTFUL)
def test_a_date_that_stands_alone_and_may_be_meant_is_said(
    shop: InputFolder, capsys: pytest.CaptureFixture[str], case: str
) -> None:
    table, old, new, told = DOUBTFUL[case]
    swap(table, old, new)(shop)
    shop.load()
    assert shop.quarantine() == []
    said = [line for line in capsys.readouterr().err.splitlines() if "slip of the keyboard" in line]
    assert len(said) == 1
    assert told in said[0]


def test_two_slips_in_a_small_shop_are_said_too(shop: InputFolder, capsys: pytest.CaptureFixture[str]) -> None:
    for month in ("05", "07"):
        swap("orders", f"2024-{month}-10 12:00:00", f"2034-{month}-10 12:00:00")(shop)
    shop.load()
    assert "2 rows have order_purchase_timestamp 2034-05-10 or later" in capsys.readouterr().err


def test_an_order_after_its_file_was_written_is_said(shop: InputFolder, capsys: pytest.CaptureFixture[str]) -> None:
    for written, is_said in (("2024-11-30", True), ("2024-12-11", False), ("2020-01-01", False)):
        moment = datetime.fromisoformat(written).replace(tzinfo=UTC).timestamp()
        shop.change("orders", lambda content: content + b"\n")
        os.utime(shop.file("orders"), (moment, moment))
        shop.load()
        told = f"1 row has order_purchase_timestamp after the file itself was written ({written}), up to 2024-12-10"
        assert (told in capsys.readouterr().err) is is_said


def test_a_pause_of_a_year_with_many_orders_on_both_sides_is_no_slip(
    shop: InputFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    for month in range(7, 13):
        swap("orders", f"2024-{month:02}-10 12:00:00", f"2025-{month:02}-10 12:00:00")(shop)
    shop.load()
    assert "slip of the keyboard" not in capsys.readouterr().err


def test_a_file_that_replaces_another_wholly_is_named(shop: InputFolder, capsys: pytest.CaptureFixture[str]) -> None:
    shop.piece("sellers", "backup", *(line.replace("sao paulo", "elsewhere") for line in shop.lines("sellers")))
    shop.load()
    said = capsys.readouterr().err
    assert "WARNING: olist_sellers_dataset_backup.csv replaces every row of olist_sellers_dataset.csv (3)" in said
    shop.piece("sellers", "backup", shop.lines("sellers")[0])
    shop.load()
    assert "replaces every row" not in capsys.readouterr().err


def test_rows_of_one_status_that_are_lost_are_an_alarm(shop: InputFolder, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(100):
        status = "canceled" if number % 8 == 0 else "delivered"
        day = "soon" if status == "canceled" else "2024-06-01 12:00:00"
        shop.append("orders", f"more-{number},of-order-00001,{status},2024-06-01 12:00:00,{day},,,")
    shop.load()
    said = capsys.readouterr().err
    assert "not lost by chance: 13 of the 13 rows with order_status canceled are in quarantine" in said


def test_people_are_merged_by_case_only_where_a_tool_has_changed_it(shop: InputFolder) -> None:
    for old, new in (
        ("order-00009,person-0", "order-00009,PERSON-0"),
        ("order-00010,person-1", "order-00010,Person-1"),
    ):
        swap("customers", old, new)(shop)
    shop.load()
    assert len({row[1] for row in shop.rows("customers")}) == 9
    load("{merge_person_spellings: false}")
    assert len({row[1] for row in shop.rows("customers")}) == 10


def test_faults_are_many() -> None:
    """Forty kinds of fault at the least."""
    assert len(ROW_FAULTS) + len(FILE_FAULTS) + len(HARMLESS) >= 40
