"""One table of transactions to the raw tables: totals to the cent, whatever dialect the table is written in."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import lookalikes
import pandas as pd
import pytest
import yaml
from own_shop import THREE_COLUMNS, Shop

from pipeline.base.errors import InputError
from pipeline.landing.load import load
from pipeline.mapping.suggest import suggest


@pytest.fixture(scope="module")
def lines() -> pd.DataFrame:
    return lookalikes.wholesaler()


def cents(values: pd.Series[float]) -> Decimal:
    return Decimal(int((values * 100).round().sum())) / 100


def test_a_wholesalers_year_adds_up_to_the_cent(own_shop: Shop, lines: pd.DataFrame) -> None:
    lookalikes.write_wholesaler(own_shop.raw, lines)
    books = load()
    value = lines.Quantity * lines.UnitPrice
    landed = own_shop.sum("order_payments", "payment_value")
    unmatched = sum(
        Decimal(reason.split(" of which ")[-1].removeprefix("a return of ").split()[0])
        for *_, reason in own_shop.quarantined()
    )
    assert landed - unmatched == cents(value)
    assert own_shop.sum("order_items", "price + freight_value") == landed
    # what was given back stands beside what was paid
    given_back = own_shop.sum("order_payments", "least(payment_value, 0)")
    assert landed - given_back == cents(value[value > 0])
    assert all(table.balance() for table in books.values())
    # every invoice that is none of a cancellation is an order, and only those
    assert len(own_shop.rows("orders", "order_id")) == lines.InvoiceNo[~lines.InvoiceNo.str.startswith("C")].nunique()
    # fees are no products, and their money is in what the order cost
    assert {"POST", "M", "DOT"}.isdisjoint(product for (product,) in own_shop.rows("products", "product_id"))


def test_each_persons_money_is_net_of_what_they_gave_back(own_shop: Shop, lines: pd.DataFrame) -> None:
    lookalikes.write_wholesaler(own_shop.raw, lines)
    load()
    found: dict[str, Decimal] = {}
    for person, _, value in own_shop.bought():
        found[person] = found.get(person, Decimal(0)) + Decimal(value)
    nobody = lines.CustomerID == ""
    known = lines[~nobody].assign(value=lines.Quantity * lines.UnitPrice)
    expected = {str(name).removesuffix(".0"): cents(of.value) for name, of in known.groupby("CustomerID")}
    # who only gave back has bought nothing here
    assert {name: value for name, value in expected.items() if value > 0} == {
        name: value for name, value in found.items() if name is not None and value > 0
    }
    # a quarter of the orders is nobody's, and in the shop's totals
    orders = lines[~lines.InvoiceNo.str.startswith("C")].groupby("InvoiceNo").CustomerID.first()
    assert sum(person is None for person, *_ in own_shop.bought()) == (orders == "").sum() > 50


def test_a_return_goes_to_the_latest_purchase_of_that_product(own_shop: Shop) -> None:
    own_shop.write(
        "t.csv",
        "who,when,what,worth\n"
        "a,2024-01-01,tea,10\na,2024-02-01,tea,10\na,2024-03-01,jam,10\na,2024-04-01,tea,-4\na,2024-05-01,tea,10\n"
        "b,2024-01-01,tea,-3\nb,2024-02-01,tea,10\n",
        "preset: transactions\nfrom: t.csv\ncolumns: {customer: who, date: when, product: what, amount: worth}\n",
    )
    load()
    assert [value for person, _, value in own_shop.bought() if person == "a"] == ["10.00", "6.00", "10.00", "10.00"]
    # what came back before anything was bought takes nothing off
    assert [value for person, _, value in own_shop.bought() if person == "b"] == ["10.00"]
    assert own_shop.quarantined() == [
        ("t.csv", 7, "a return without its purchase", "a return of 3.00 finds no earlier purchase to be taken off")
    ]


def test_three_columns_are_enough(own_shop: Shop) -> None:
    own_shop.write("t.csv", "customer,date,amount\n7,2024-01-31,5.5\n7,2024-02-01 10:00:00,4\nb,2024-01-31,1\n")
    load()
    assert own_shop.bought() == [
        ("7", "2024-01-31 00:00:00", "5.50"),
        ("7", "2024-02-01 10:00:00", "4.00"),
        ("b", "2024-01-31 00:00:00", "1.00"),
    ]


PLAIN = [("Zoë", "31/01/2024", "1234.50"), ("Zoë", "01/02/2024", "2.25"), ("Åsa", "13/02/2024", "3.00")]


def comma(rows: list[tuple[str, str, str]], delimiter: str = ";") -> str:
    lines = [delimiter.join(("customer", "date", "amount"))]
    for customer, date, amount in rows:
        shown = f"{Decimal(amount):,.2f}".translate(str.maketrans(",.", ".,"))
        lines.append(delimiter.join((customer, date, shown)))
    return "\r\n".join(lines) + "\r\n"


def workbook(rows: list[tuple[str, str, str]]) -> Callable[[Path], None]:
    def write(file: Path) -> None:
        frame = pd.DataFrame(rows, columns=["customer", "date", "amount"])
        frame["date"] = pd.to_datetime(frame.date, dayfirst=True)
        frame["amount"] = frame.amount.astype(float)
        frame.to_excel(file, index=False)

    return write


def zipped(file: Path) -> None:
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("inside/sales.csv", comma(PLAIN))


def parquet(file: Path) -> None:
    frame = pd.DataFrame(PLAIN, columns=["customer", "date", "amount"])
    frame["date"] = pd.to_datetime(frame.date, dayfirst=True)
    frame["amount"] = frame.amount.astype(float)
    frame.to_parquet(file)


def json_lines(file: Path) -> None:
    frame = pd.DataFrame(PLAIN, columns=["customer", "date", "amount"])
    frame.to_json(file, orient="records", lines=True)


DIALECTS: dict[str, tuple[str, bytes | Callable[[Path], None]]] = {
    "semicolons, decimal comma, thousands": ("t.csv", comma(PLAIN).encode()),
    "byte order mark": ("t.csv", b"\xef\xbb\xbf" + comma(PLAIN).encode()),
    "a line that names the separator": ("t.csv", b"sep=;\r\n" + comma(PLAIN).encode()),
    "a blank line above": ("t.csv", b"\r\n" + comma(PLAIN).encode()),
    "UTF-16": ("t.txt", comma(PLAIN, "\t").encode("utf-16")),
    "Latin-1": ("t.csv", comma(PLAIN).encode("latin-1")),
    "old line ends": ("t.csv", comma(PLAIN).replace("\r\n", "\r").encode()),
    "workbook": ("t.xlsx", workbook(PLAIN)),
    "archive": ("t.zip", zipped),
    "Parquet": ("t.parquet", parquet),
    "JSON lines": ("t.jsonl", json_lines),
    "signs of money": (
        "t.csv",
        "customer|date|amount\nZoë|31.1.2024|€ 1,234.50\nZoë|1.2.2024|2.25 EUR\nÅsa|13.2.2024|3\n".encode(),
    ),
}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_dialect_says_the_same(own_shop: Shop, dialect: str) -> None:
    name, content = DIALECTS[dialect]
    if callable(content):
        content(own_shop.raw / name)
        own_shop.says(THREE_COLUMNS.format(file=name))
    else:
        own_shop.write(name, content)
    load()
    assert own_shop.bought() == [
        ("Zoë", "2024-01-31 00:00:00", "1234.50"),
        ("Zoë", "2024-02-01 00:00:00", "2.25"),
        ("Åsa", "2024-02-13 00:00:00", "3.00"),
    ]


def test_columns_under_one_another_without_names(own_shop: Shop) -> None:
    own_shop.write(
        "sales.txt",
        " 00001 19970101  1   11.77\n 00002 19970112  1   12.00\n 00002 19970112  5   77.00\n",
        "preset: transactions\nfrom: sales.txt\nheader: [id, day, units, paid]\n"
        "columns: {customer: id, date: day, quantity: units, amount: paid}\n",
    )
    load()
    assert own_shop.bought() == [("00001", "1997-01-01 00:00:00", "11.77"), ("00002", "1997-01-12 00:00:00", "89.00")]


def test_headers_that_are_spelt_in_two_ways_are_one_column(own_shop: Shop) -> None:
    own_shop.raw.joinpath("sales_2023.csv").write_text("Invoice,Customer ID,Date,Price\n1,7.0,2023-01-01,5\n")
    own_shop.write(
        "sales_2024.csv",
        "InvoiceNo,CustomerID,Date,UnitPrice\n2,7,2024-01-01,6\n",
        "preset: transactions\nfrom: sales_*.csv\n"
        "columns: {customer: customer_id, order: [Invoice, InvoiceNo], date: Date, amount: [Price, UnitPrice]}\n",
    )
    load()
    assert own_shop.bought() == [("7", "2023-01-01 00:00:00", "5.00"), ("7", "2024-01-01 00:00:00", "6.00")]


def two_sheets(file: Path) -> None:
    """Write a workbook whose two years spell and order their columns differently, behind a sheet of remarks."""
    with pd.ExcelWriter(file) as book:
        pd.DataFrame([["of nobody"]], columns=["Remarks"]).to_excel(book, sheet_name="About", index=False)
        first = [["1", "7", "2023-01-01", 2, 2.5]]
        pd.DataFrame(first, columns=["Invoice", "Customer ID", "Date", "Quantity", "Price"]).to_excel(
            book, sheet_name="2023", index=False
        )
        second = [[6.0, "2024-01-01", "7", 1, "2"]]
        pd.DataFrame(second, columns=["UnitPrice", "Date", "CustomerID", "Quantity", "InvoiceNo"]).to_excel(
            book, sheet_name="2024", index=False
        )


def test_sheets_of_a_workbook_may_spell_and_order_their_columns_differently(own_shop: Shop) -> None:
    two_sheets(own_shop.raw / "sales.xlsx")
    suggested = suggest(own_shop.raw / "sales.xlsx")
    assert "sheet 'About' has hardly a column with the others, and is not read" in suggested
    says = yaml.safe_load(suggested)["columns"]
    assert sorted(says["order"]) == ["Invoice", "InvoiceNo"]
    assert sorted(says["price"]) == ["Price", "UnitPrice"]
    own_shop.says(suggested.replace("currency: ???", "currency: EUR"))
    load()
    assert own_shop.bought() == [("7", "2023-01-01 00:00:00", "5.00"), ("7", "2024-01-01 00:00:00", "6.00")]


def test_an_address_does_not_become_a_persons_number(own_shop: Shop) -> None:
    own_shop.write(
        "t.csv",
        "mail,date,amount\nAnn@Shop.example,2024-01-01,5\nann@shop.example,2024-01-02,6\n,2024-01-03,7\n",
        "preset: transactions\nfrom: t.csv\ncolumns: {email: mail, date: date, amount: amount}\n",
    )
    load()
    people = {person for person, *_ in own_shop.bought()}
    assert len(people) == 2
    assert not any("@" in person for person in people if person)


def test_a_row_that_cannot_be_read_is_named_by_the_shops_own_file_and_line(own_shop: Shop) -> None:
    good = "".join(f"p{n},2024-03-{n:02d},2.50\n" for n in range(1, 29))
    own_shop.write(
        "t.csv",
        "customer,date,amount\n"
        + good
        + 'x,2024-02-30,1\ny,2024-02-01,"two"\nz,2024-02-02,1,2\n1.23E+10,2024-02-02,1\n'
        "Total,,73.00\ncustomer,date,amount\n",
    )
    books = load()
    assert own_shop.quarantined() == [
        ("t.csv", 30, "a cell cannot be read", "date: cannot read 2024-02-30"),
        ("t.csv", 31, "a cell cannot be read", "amount: cannot read two"),
        ("t.csv", 32, "the line is broken", "4 cells where the line of column names has 3"),
        (
            "t.csv",
            33,
            "an id was rounded by a spreadsheet",
            "customer: 1.23E+10 is a number that a spreadsheet has rounded; export the column as text",
        ),
        ("t.csv", 34, "the line is no row", "a line of totals"),
        ("t.csv", 35, "the line is no row", "the line of column names again"),
    ]
    assert all(table.balance() for table in books.values())
    assert books["order_items"].quarantined_rows == 6


REFUSED: dict[str, tuple[str | bytes, str]] = {
    "day or month": ("customer,date,amount\na,01/02/2024,5\nb,03/04/2024,6\n", "may have the day or the month first"),
    "thousands or decimals": ("customer;date;amount\na;2024-01-01;1,234\n", "may be a thousand and something"),
    "points and commas": ("customer;date;amount\na;2024-01-01;1,5\nb;2024-01-01;1.5\n", "Some numbers have a decimal"),
    "spreadsheet days": ("customer,date,amount\na,45292,5\n", "dates: excel serial"),
    "no names between blanks": ("  7   20240101  5\n  8   20240102  6\n", "its first line is '  7   20240101  5'"),
    "no names": ("7,2024-01-01,5\n8,2024-01-02,6\n", "has no line of column names"),
    "lost zeros": ("customer,date,amount\n0071,2024-01-01,5\n71,2024-01-02,6\n", "width: {customer: 4}"),
    "other letters": ("customer,date,amount\nЖанна,2024-01-01,5\n".encode("cp1251"), "encoding: cp1251"),
    "no such column": ("Kunde,date,amount\na,2024-01-01,5\n", "columns.customer is customer, and there is no such"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_can_be_read_in_two_ways_is_refused_with_the_choice(own_shop: Shop, case: str) -> None:
    text, told = REFUSED[case]
    own_shop.write("t.csv", text)
    with pytest.raises(InputError) as refusal:
        load()
    assert told in str(refusal.value)


def test_what_is_declared_is_read_so(own_shop: Shop) -> None:
    says = THREE_COLUMNS.format(file="t.csv")
    own_shop.write("t.csv", "customer;date;amount\n0071;01/02/2024;1,234\nЖ;03/04/2024;5\n".encode("cp1251"))
    own_shop.says(
        says + "dates: mm/dd/yyyy\nmoney: {decimal: point}\nencoding: cp1251\nwidth: {customer: as written}\n"
    )
    load()
    assert own_shop.bought() == [("0071", "2024-01-02 00:00:00", "1234.00"), ("Ж", "2024-03-04 00:00:00", "5.00")]


def test_statuses_that_nobody_mapped_are_named_with_their_counts(own_shop: Shop) -> None:
    rows = "".join(f"a,2024-01-{n:02d},5,{'Completed' if n < 20 else 'on-hold'}\n" for n in range(1, 29))
    says = "preset: transactions\nfrom: t.csv\ncolumns: {customer: c, date: d, amount: v, status: s}\n"
    own_shop.write("t.csv", "c,d,v,s\n" + rows, says)
    with pytest.raises(InputError, match=r"completed \(19 lines\), on-hold \(9 lines\)"):
        load()
    own_shop.says(says + "statuses: {completed: delivered, on-hold: created}\n")
    load()
    assert {status for (status,) in own_shop.rows("orders", "DISTINCT order_status")} == {"delivered", "created"}


@pytest.mark.parametrize(
    ("says", "told"),
    [
        ("curency: EUR", "Did you mean currency"),
        ("currency: euros", "three capitals"),
        ("time_zone: London", "Europe/London"),
        ("columns: {custmer: x}", "Did you mean customer"),
        ("from: [", "is no YAML"),
        ("preset: amazon", "must be one of transactions"),
    ],
)
def test_a_mistake_in_the_shops_file_is_named(own_shop: Shop, says: str, told: str) -> None:
    own_shop.write("t.csv", "customer,date,amount\na,2024-01-01,5\n", says)
    with pytest.raises(InputError, match=told):
        load()


def test_unchanged_files_are_not_mapped_again(own_shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    own_shop.write("t.csv", "customer,date,amount\na,2024-01-01,5\n")
    load()
    capsys.readouterr()
    load()
    assert "map shop.yml" not in capsys.readouterr().err
    own_shop.write("t.csv", "customer,date,amount\na,2024-01-01,5\na,2024-01-02,6\n")
    load()
    assert "map shop.yml" in capsys.readouterr().err
    assert len(own_shop.bought()) == 2
