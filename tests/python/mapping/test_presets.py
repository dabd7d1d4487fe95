"""Each vendor's export to the raw tables, held against sums that pandas makes of the files themselves."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import duckdb
import pandas as pd
import pytest
from own_shop import Shop

from demo.shapes import Shape, generate_shape
from pipeline.landing.contract import raw_tables
from pipeline.landing.load import load

ORDERS = 700


def cents(values: pd.Series[float]) -> Decimal:
    return Decimal(int((values * 100).round().sum())) / 100


def transactions(raw: Path) -> tuple[Decimal, int, int]:
    lines = pd.read_csv(raw / "invoices.csv", dtype={"Customer ID": str})
    sold = lines[~lines.Invoice.str.startswith("C")]
    return cents(lines.Quantity * lines.Price), sold.Invoice.nunique(), sold["Customer ID"].nunique()


def shopify(raw: Path) -> tuple[Decimal, int, int]:
    orders = pd.read_csv(raw / "orders_export_1.csv").dropna(subset="Total")
    return cents(orders.Total - orders["Refunded Amount"]), len(orders), orders.Email.nunique()


def woocommerce(raw: Path) -> tuple[Decimal, int, int]:
    rows = pd.read_csv(raw / "wp_wc_orders.csv")
    orders = rows[rows.type == "shop_order"]
    guests = orders[orders.customer_id == 0]
    people = orders.customer_id[orders.customer_id > 0].nunique() + guests.billing_email.nunique()
    return cents(rows.total_amount), len(orders), people


def magento(raw: Path) -> tuple[Decimal, int, int]:
    orders = pd.read_csv(raw / "sales_order.csv")
    guests = orders[orders.customer_id.isna()]
    people = orders.customer_id.nunique() + guests.customer_email.nunique()
    return cents(orders.base_grand_total - orders.base_total_refunded.fillna(0)), len(orders), people


SUMS: dict[Shape, Callable[[Path], tuple[Decimal, int, int]]] = {
    "transactions": transactions,
    "shopify": shopify,
    "woocommerce": woocommerce,
    "magento": magento,
}


@pytest.mark.parametrize("shape", SUMS)
def test_money_orders_and_people_are_those_of_the_export(own_shop: Shop, shape: Shape) -> None:
    own_shop.raw.rmdir()
    generate_shape(own_shop.raw, shape, ORDERS)
    books = load()
    money, orders, people = SUMS[shape](own_shop.raw)
    assert own_shop.sum("order_payments", "payment_value") == money
    assert own_shop.sum("order_items", "price + freight_value") == money
    assert len(own_shop.rows("orders")) == orders
    known = {person for (person,) in own_shop.rows("customers", "customer_unique_id") if person}
    assert len(known) == people
    assert not any("@" in person for person in known)
    assert all(table.balance() and not table.quarantined_rows for table in books.values())


def test_times_are_those_of_the_shops_clock(own_shop: Shop) -> None:
    own_shop.raw.rmdir()
    generate_shape(own_shop.raw, "woocommerce", 200)
    load()
    orders = pd.read_csv(own_shop.raw / "wp_wc_orders.csv", parse_dates=["date_created_gmt"])
    sydney = (
        orders[orders.type == "shop_order"].date_created_gmt.dt.tz_localize("UTC").dt.tz_convert("Australia/Sydney")
    )
    landed = [stamp for (stamp,) in own_shop.rows("orders", "order_purchase_timestamp")]
    assert sorted(landed) == sorted(sydney.dt.tz_localize(None))
    # postcodes of four digits stay as they are
    assert {"3000", "0800"} <= {code for (code,) in own_shop.rows("customers", "customer_zip_code_prefix")}


def test_amounts_in_another_currency_are_set_aside(own_shop: Shop) -> None:
    own_shop.raw.rmdir()
    generate_shape(own_shop.raw, "shopify", 200)
    file = own_shop.raw / "orders_export_1.csv"
    rows = pd.read_csv(file)
    name = rows["Name"][rows.Total.notna()].iloc[5]
    rows.loc[(rows["Name"] == name) & rows.Total.notna(), "Currency"] = "EUR"
    rows.to_csv(file, index=False)
    load()
    found = own_shop.quarantined()
    assert {problem for _, _, problem, _ in found} == {"a value outside the list"}
    assert found[0][3] == "currency: an amount in EUR, and the shop counts in USD"
    assert name not in {order for (order,) in own_shop.rows("orders", "order_id")}


def test_what_was_taken_out_of_an_export_stays_empty(own_shop: Shop) -> None:
    own_shop.raw.rmdir()
    generate_shape(own_shop.raw, "shopify", 100)
    file = own_shop.raw / "orders_export_1.csv"
    rows = pd.read_csv(file)
    tests = rows["Name"][rows.Total.notna()].iloc[:3]
    kept = rows.drop(columns=["Shipping City", "Shipping Zip"]).assign(Tags=None)
    kept.loc[kept["Name"].isin(tests) & kept.Total.notna(), "Tags"] = "vip, test"
    kept.to_csv(file, index=False)
    own_shop.says((own_shop.raw / "shop.yml").read_text() + "test_order: \"tags ilike '%test%'\"\n")
    load()
    landed = {order for (order,) in own_shop.rows("orders", "order_id")}
    assert landed == set(rows["Name"]) - set(tests)


def test_a_bulk_operation_of_shopify_is_read_as_it_comes(own_shop: Shop) -> None:
    def shop_money(amount: str) -> dict[str, dict[str, str]]:
        return {"shopMoney": {"amount": amount, "currencyCode": "CAD"}}

    def order(number: int, total: str, **more: object) -> dict[str, object]:
        return {
            "id": f"gid://shopify/Order/{number}",
            "name": f"#{number}",
            "createdAt": "2025-01-31T23:30:00Z",
            "displayFinancialStatus": "PAID",
            "displayFulfillmentStatus": "FULFILLED",
            "totalPriceSet": shop_money(total),
            "totalShippingPriceSet": shop_money("2.50"),
            "customer": {"id": "gid://shopify/Customer/77"},
            "shippingAddress": {"city": "Toronto", "provinceCode": "ON", "countryCodeV2": "CA"},
            **more,
        }

    def item(number: int, of: int, sku: str, quantity: int, total: str) -> dict[str, object]:
        return {
            "id": f"gid://shopify/LineItem/{number}",
            "sku": sku,
            "name": f"Mug {sku}",
            "quantity": quantity,
            "discountedTotalSet": shop_money(total),
            "__parentId": f"gid://shopify/Order/{of}",
        }

    rows = [
        *(order(1, "22.50"), item(11, 1, "A", 2, "12.00"), item(12, 1, "B", 1, "8.00")),
        *(order(2, "7.50", totalRefundedSet=shop_money("1.25")), item(21, 2, "A", 1, "5.00")),
        *(order(3, "9.00", test=True), item(31, 3, "A", 1, "9.00")),
        *(order(4, "6.50", cancelledAt="2025-02-01T00:00:00Z"), item(41, 4, "A", 1, "4.00")),
    ]
    says = "preset: shopify_bulk\ncurrency: CAD\ncountry: CA\ntime_zone: America/Toronto\n"
    own_shop.write("orders.jsonl", "\n".join(map(json.dumps, rows)), says)
    load()
    assert own_shop.bought() == [
        ("77", "2025-01-31 18:30:00", "22.50"),
        ("77", "2025-01-31 18:30:00", "6.25"),
        ("77", "2025-01-31 18:30:00", "6.50"),
    ]
    assert own_shop.rows("orders", "order_id, order_status") == [
        *(("#1", "delivered"), ("#2", "delivered"), ("#4", "canceled")),
    ]
    assert own_shop.rows("order_items", "order_id, product_id, quantity")[:2] == [("#1", "A", 2), ("#1", "B", 1)]


@pytest.mark.long
@pytest.mark.real
def test_olist_through_its_mapping_lands_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, olist_raw: Path
) -> None:
    for name in ("straight", "mapped"):
        raw = tmp_path / f"raw-{name}"
        raw.mkdir()
        for file in olist_raw.glob("*.csv"):
            (raw / file.name).symlink_to(file)
        if name == "mapped":
            (raw / "shop.yml").write_text("preset: olist\n")
        monkeypatch.setenv("RAW_DIR", str(raw))
        monkeypatch.setenv("WAREHOUSE_DIR", str(tmp_path / name))
        load()
    with duckdb.connect() as connection:
        for table in raw_tables():
            straight, mapped = (f"FROM '{tmp_path}/{way}/landing/{table}/*.parquet'" for way in ("straight", "mapped"))
            for one, other in ((straight, mapped), (mapped, straight)):
                assert connection.execute(f"SELECT count(*) FROM ({one} EXCEPT ALL {other})").fetchall() == [(0,)], (
                    table
                )
        one, other = (
            f"""SELECT source_table, source_file, line, problem, reason
            FROM '{tmp_path}/{way}/landing/quarantine/*.parquet'"""
            for way in ("straight", "mapped")
        )
        assert connection.execute(f"({one} EXCEPT ALL {other}) UNION ALL ({other} EXCEPT ALL {one})").fetchall() == []
