"""The dry run: a wrong mapping is told in words, a right one adds up, and nothing is left behind."""

from __future__ import annotations

import re

import lookalikes
import pandas as pd
import pytest
import yaml
from own_shop import Shop

from pipeline.__main__ import main
from pipeline.base import paths
from pipeline.mapping.suggest import suggest

HEADER = "customer;date;amount;status\n"
SAYS = "preset: transactions\nfrom: t.csv\ncolumns: {customer: customer, date: date, amount: amount, status: status}\n"


def dry_run(capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    code = main(["map", "--check"])
    return code, capsys.readouterr().out


def test_all_that_is_wrong_is_told_at_once(own_shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    rows = "".join(f"p{n};{n:02d}/03/2024;{n},50;paid in full\n" for n in range(1, 29))
    own_shop.write("t.csv", HEADER + rows, SAYS + "dates: mm/dd/yyyy\nmoney: {decimal: point}\n")
    code, told = dry_run(capsys)
    assert code == 3
    assert re.search(r"16 of 28 dates cannot be read as `dates` says, for example '13/03/2024'", told)
    assert re.search(r"not one of the 28 values of amount can be read, for example '1,50'", told)
    assert "money: {decimal: comma}" in told


def test_a_status_that_nobody_mapped_is_told_with_its_count(own_shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    rows = "".join(f"p{n};2024-03-{n:02d};{n},50;paid in full\n" for n in range(1, 29))
    own_shop.write("t.csv", HEADER + rows, SAYS)
    code, told = dry_run(capsys)
    assert code == 3
    assert "paid in full (28 lines)" in told


def test_shares_values_and_books_are_told(own_shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    rows = "".join(f"p{n};2024-03-{n:02d};{n},50;delivered\n" for n in range(1, 27))
    bad = "x;2024-02-30;1,00;delivered\n;2024-02-03;,;delivered\n"
    own_shop.write("t.csv", HEADER + rows + bad, SAYS)
    code, told = dry_run(capsys)
    assert code == 0
    assert re.search(r"date +date +100.0% +96.4%  '2024-02-30'", told)
    assert re.search(r"amount +amount +100.0% +96.4%  ','", told)
    assert re.search(r"customer +customer +96.4% +100.0%", told)
    assert re.search(r"order_items +28 = +26 \+ +2 \+ +0 \+ 0", told)
    assert "t.csv line 28: date: cannot read 2024-02-30" in told
    # nothing is kept
    assert not list(paths.warehouse_dir().parent.glob(".map-*"))


def test_a_suggestion_is_a_mapping_that_can_be_checked(own_shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    lines = lookalikes.wholesaler(800)
    file = lookalikes.write_wholesaler(own_shop.raw, lines)
    suggested = suggest(file)
    says = yaml.safe_load(suggested)
    assert says["columns"] == {
        "customer": "CustomerID",
        "order": "InvoiceNo",
        "date": "InvoiceDate",
        "price": "UnitPrice",
        "quantity": "Quantity",
        "product": "StockCode",
        "name": "Description",
        "country": "Country",
    }
    assert set(says["not_products"]) == set(lookalikes.FEES)
    assert says["dates"] == "mm/dd/yyyy"
    own_shop.says(suggested)
    code, told = dry_run(capsys)
    assert code == 0, told


def test_a_suggestion_asks_where_it_cannot_tell(own_shop: Shop) -> None:
    frame = pd.DataFrame(
        {"who": ["a"], "Order Date": ["01/02/2024"], "State": ["x"], "Order Status": ["Shipped - Lost"]}
    )
    frame.to_csv(own_shop.raw / "t.csv", index=False)
    suggested = suggest(own_shop.raw / "t.csv")
    assert "customer: ???" in suggested
    assert "amount: ???" in suggested
    assert "dates: ???" in suggested
    assert "shipped - lost: shipped   # 1 lines" in suggested
