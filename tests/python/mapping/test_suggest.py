"""A first ``shop.yml`` for the exports that shops have: who, when, how much, and in which order."""

from __future__ import annotations

import duckdb
import openpyxl
import pyarrow as pa
import pytest
import yaml
from own_shop import Shop

from pipeline.__main__ import main
from pipeline.base.errors import InputError
from pipeline.mapping.suggest import suggest
from pipeline.mapping.values import dates_of

# name of the file, its text, what is expected of its columns, and other keys
EXPORTS: dict[str, tuple[str, str, dict[str, str], dict[str, object]]] = {
    "russian": (
        "Выгрузка.csv",
        "Номер заказа;Дата заказа;ID клиента;Сумма заказа;Статус заказа;Способ оплаты\n"
        "17;31.01.2025 10:00;К-7;1 534,20 руб.;Выполнен;Карта\n18;02.02.2025 11:30;К-8;99,00 руб.;Отменён;СБП\n",
        {
            "customer": "ID клиента",
            "order": "Номер заказа",
            "date": "Дата заказа",
            "amount": "Сумма заказа",
            "payment": "Способ оплаты",
            "status": "Статус заказа",
        },
        {
            "currency": "RUB",
            "money": {"decimal": "comma"},
            "statuses": {"выполнен": "delivered", "отменён": "canceled"},
            "encoding": "cp1251",
        },
    ),
    "german": (
        "bestellungen.csv",
        "Bestellnr.;Kundennr.;Bestelldatum;Gesamtbetrag;Artikelnr.;Menge\n1;7;31.01.2025;1.234,50 €;A;1\n"
        "2;8;02.02.2025;7,00 €;B;2\n",
        {"customer": "Kundennr.", "order": "Bestellnr.", "date": "Bestelldatum", "amount": "Gesamtbetrag"},
        {"currency": "EUR", "money": {"decimal": "comma"}},
    ),
    "japanese": (
        "受注.csv",
        "受注番号,受注日時,会員ID,商品コード,数量,小計\n1,2025/01/31 10:00,7,A1,1,￥1200\n"
        "2,2025/02/01 10:00,8,A2,1,￥980\n",
        {"customer": "会員ID", "order": "受注番号", "date": "受注日時", "amount": "小計", "quantity": "数量"},
        {"currency": "JPY", "encoding": "cp932"},
    ),
    "spanish": (
        "pedidos.csv",
        "ID Pedido,ID Cliente,Fecha Pedido,Importe Total,Estado\n1,7,31/01/2025,12.50,Entregado\n"
        "2,8,01/02/2025,9.90,Cancelado\n",
        {"customer": "ID Cliente", "order": "ID Pedido", "date": "Fecha Pedido", "amount": "Importe Total"},
        {"dates": "dd/mm/yyyy"},
    ),
    "years of two digits": (
        "orders.csv",
        "Order ID,Order Date,Ship Date,Customer ID,Sales\n1,1/31/25,2/1/25,7,$5.00\n2,2/1/25,2/2/25,8,$6.00\n",
        {"customer": "Customer ID", "order": "Order ID", "date": "Order Date", "amount": "Sales"},
        {"dates": "mm/dd/yy", "currency": "???"},
    ),
    "log of events": (
        "events.csv",
        "event_time,event_type,product_id,price,user_id,user_session\n2025-01-31 10:00:00 UTC,view,A,5,7,s1\n"
        "2025-01-31 10:01:00 UTC,purchase,A,5,7,s1\n2025-02-01 10:01:00 UTC,purchase,B,6,8,s2\n",
        {"customer": "user_id", "date": "event_time", "amount": "price", "product": "product_id"},
        {"from": "select * from lines where \"event_type\" = 'purchase'"},
    ),
    "totals of orders, and guests": (
        "flat.csv",
        "Order ID,Customer ID,Order Date,Order Total,Product SKU,Order Currency\n1,0,2025-01-31,9,A,GBP\n"
        "1,0,2025-01-31,9,B,GBP\n2,7,2025-02-01,5,A,GBP\n3,0,2025-02-01,4,A,GBP\n",
        {"customer": "Customer ID", "order": "Order ID", "date": "Order Date", "total": "Order Total"},
        {"guest": ["0"], "currency": "GBP"},
    ),
}


@pytest.mark.parametrize("case", EXPORTS)
def test_who_when_how_much_and_which_order_are_found(own_shop: Shop, case: str) -> None:
    name, text, columns, others = EXPORTS[case]
    own_shop.write(name, text.encode(str(others.get("encoding", "utf-8"))))
    says = yaml.safe_load(suggest(own_shop.raw / name))
    assert {field: says["columns"].get(field) for field in columns} == columns
    assert {key: says.get(key) for key in others} == others
    if says["currency"] != "???":
        own_shop.says(yaml.safe_dump(says, allow_unicode=True))
        assert main(["map", "--check"]) == 0


@pytest.mark.parametrize(
    ("days", "form"),
    [
        ([f"{day}/01/25" for day in range(1, 32)], "dd/mm/yy"),
        (["05/03/98", "15/03/99"], "dd/mm/yy"),
        (["1/31/25", "2/1/25"], "mm/dd/yy"),
        # the year may come first as well
        (["21/03/05", "22/03/05", "23/04/05"], ""),
        ([f"25/01/{day:02}" for day in range(1, 32)], ""),
    ],
)
def test_years_of_two_digits_are_read_where_one_way_is_left(days: list[str], form: str) -> None:
    with duckdb.connect() as connection:
        connection.register("lines", pa.table({"day": days}))
        if form:
            assert dates_of(connection, "lines", "date", "day") == form
        else:
            with pytest.raises(InputError, match="%y/%m/%d"):
                dates_of(connection, "lines", "date", "day")


def test_the_export_of_a_vendor_is_known_by_its_columns(own_shop: Shop) -> None:
    header = "Name,Email,Financial Status,Currency,Total,Created at,Lineitem quantity,Lineitem price,Shipping Country"
    own_shop.write("december.csv", f"{header}\n#1,a@example.com,paid,AUD,5,2025-01-31 10:00:00 +1100,1,5,AU\n")
    says = yaml.safe_load(suggest(own_shop.raw / "december.csv"))
    assert says == {"preset": "shopify", "currency": "AUD", "country": "AU", "files": {"orders": "december.csv"}}


def test_the_sheet_of_orders_is_found_beside_a_wider_one(own_shop: Shop) -> None:
    book = openpyxl.Workbook()
    people, orders = book.worksheets[0], book.create_sheet("Bestellungen")
    people.title = "Kunden"
    people.append(["Kundennummer", "Name", "Straße", "Ort", "PLZ", "Telefon", "Geburtsdatum"])
    people.append(["7", "A", "Weg 1", "Köln", "50667", "-", "01.02.1980"])
    orders.append(["Bestellnr.", "Kundennr.", "Bestelldatum", "Betrag"])
    orders.append(["1", "7", "31.01.2025", "12,50"])
    book.save(own_shop.raw / "shop.xlsx")
    suggested = suggest(own_shop.raw / "shop.xlsx")
    assert yaml.safe_load(suggested)["sheet"] == "Bestellungen"
    own_shop.says(suggested.replace("currency: ???", "currency: EUR"))
    assert main(["map", "--check"]) == 0


def test_a_currency_that_nobody_has_said_is_asked_for(own_shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    own_shop.write("t.csv", "customer,date,amount\n7,2025-01-31,5\n")
    (own_shop.raw / "shop.yml").write_text(suggest(own_shop.raw / "t.csv"))
    assert main(["map", "--check"]) == 3
    assert "currency is '???'; it must be three capitals" in capsys.readouterr().err
    (own_shop.raw / "shop.yml").write_text("preset: transactions\nfrom: t.csv\ncolumns: {}\n")
    assert main(["map", "--check"]) == 3
    assert "currency is missing" in capsys.readouterr().err


DOUBTS = {
    "a crowd": (
        [f"{'0' if n % 2 else n + 1},2025-01-{n % 28 + 1:02d},{n}.5,{n}" for n in range(120)],
        "customer 0 has 60 orders, 50% of all",
    ),
    "whole orders": (
        [f"{n},2025-01-31,9.5,{n}" for n in range(60) for _ in range(2)],
        "amount is the same on every line of 60 orders",
    ),
    "parts of a cent": ([f"{n},2025-01-31,1.004,{n}" for n in range(9)], "come to 9.00, and to 9.04"),
}


@pytest.mark.parametrize("case", DOUBTS)
def test_what_is_rarely_meant_so_is_noted(own_shop: Shop, case: str, capsys: pytest.CaptureFixture[str]) -> None:
    rows, told = DOUBTS[case]
    own_shop.write("t.csv", "\n".join(["customer,date,amount,order", *rows]))
    columns = "columns: {customer: customer, date: date, amount: amount, order: order}"
    own_shop.says(f"preset: transactions\nfrom: t.csv\nmoney: {{decimal: point}}\n{columns}\n")
    assert main(["map", "--check"]) == 0
    assert told in capsys.readouterr().out


def test_columns_that_change_what_counts_are_noted_where_nobody_mapped_them(
    own_shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = "1,2025-01-31,5,Done,EUR\n2,2025-01-31,5,Cancelled,USD\n"
    own_shop.write("t.csv", f"customer,date,amount,Order Status,Currency\n{rows}")
    assert main(["map", "--check"]) == 0
    told = capsys.readouterr().out
    assert "column Order Status (cancelled ...) is not mapped: those orders count as the others do" in told
    assert "is not mapped: amounts are added up whatever it says, unless you say `currency: Currency`" in told


def test_a_join_that_makes_lines_of_its_own_is_noted(own_shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    (own_shop.raw / "products.csv").write_text("sku,kind\nA,x\nA,y\nB,x\n")
    own_shop.write(
        "t.csv",
        "customer,date,amount,sku\n1,2025-01-31,5,A\n2,2025-01-31,5,B\n3,2025-02-01,5,A\n",
        "preset: transactions\nfiles: {lines: t.csv, products: products.csv}\n"
        "from: select * from lines left join products using (sku)\n"
        "columns: {customer: customer, date: date, amount: amount, product: sku, category: kind}\n",
    )
    assert main(["map", "--check"]) == 0
    assert "`from` gives 5 lines, and the longest of its tables has 3 rows" in capsys.readouterr().out
