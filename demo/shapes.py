"""The demo shop as other shops' systems export it: the same people and purchases, another country's shop around them.

Columns are those of the vendors' documents, which the presets in ``mappings/`` name; rows are ours.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import duckdb

from demo.shop import Shop, generate
from demo.tables import CUSTOMERS, ITEMS, ORDERS, PAYMENTS, PRODUCTS, TABLES, TRANSLATION
from pipeline.base.console import step
from pipeline.base.errors import PipelineError
from pipeline.base.files import write_whole
from pipeline.base.sql import file_literal, literal

Shape = Literal["transactions", "shopify", "woocommerce", "magento"]

# Where the demo shop goes that lies in a database, and its tables on their way there.
DATABASE_VARIABLE = "DEMO_DATABASE_URL"
TABLES_FOLDER = ".tables"

# Towns of the shop's country: name, postcode, subdivision as that system writes it.
TOWNS = {
    "US": (
        *(("New York", "10001", "NY"), ("Los Angeles", "90001", "CA"), ("Chicago", "60601", "IL")),
        *(("Houston", "77001", "TX"), ("Boston", "02108", "MA"), ("Philadelphia", "19019", "PA")),
        *(("Mobile", "36602", "AL"), ("Charleston", "29401", "SC"), ("Jackson", "39201", "MS")),
    ),
    "AU": (
        *(("Sydney", "2000", "NSW"), ("Melbourne", "3000", "VIC"), ("Brisbane", "4000", "QLD")),
        *(("Perth", "6000", "WA"), ("Adelaide", "5000", "SA"), ("Hobart", "7000", "TAS"), ("Darwin", "0800", "NT")),
    ),
    "DE": (
        *(("Berlin", "10115", "Berlin"), ("Hamburg", "20095", "Hamburg"), ("München", "80331", "Bayern")),
        *(
            ("Köln", "50667", "Nordrhein-Westfalen"),
            ("Dresden", "01067", "Sachsen"),
            ("Ulm", "89073", "Baden-Württemberg"),
        ),
    ),
}


class ShapeError(PipelineError, ValueError):
    """The shop cannot be written in that shape."""

    exit_code = 2


def generate_shape(out: Path, shape: Shape, orders: int, *, seed: int = 7, shop: Shop = "default") -> None:
    """Write the demo shop as another system exports it, with its ``shop.yml``.

    Parameters
    ----------
    out : Path
        Folder of the shop; an earlier shop of this kind in it is replaced.
    shape : {"transactions", "shopify", "woocommerce", "magento"}
    orders : int
        How many orders.
    seed : int
    shop : {"default", "loyal"}

    Raises
    ------
    ShapeError
        The folder holds something else.
    """
    with (
        _replaced(out, "shop.yml", orders, seed, shop) as (olist, made),
        step(f"demo shop as {shape}"),
        duckdb.connect() as connection,
    ):
        connection.execute("SET TimeZone = 'UTC'")
        _read(connection, olist)
        write_whole(made / "shop.yml", WRITERS[shape](connection, made))


def generate_for_database(out: Path, orders: int, *, seed: int = 7, shop: Shop = "default") -> None:
    """Write the demo shop's tables for ``extraction.demo`` to put into a database, and the ``sources.yml`` for there.

    Parameters
    ----------
    out : Path
        Folder of the shop; an earlier shop of this kind in it is replaced, with what was extracted since.
    orders : int
    seed : int
    shop : {"default", "loyal"}

    Raises
    ------
    ShapeError
        No database is named, or the folder holds something else.
    """
    if not os.environ.get(DATABASE_VARIABLE):
        raise ShapeError(
            f"This shop is written into a PostgreSQL that is running: set {DATABASE_VARIABLE} to its address, such as "
            "postgresql://user:password@localhost/postgres, and run again."
        )
    with _replaced(out, "sources.yml", orders, seed, shop) as (olist, made):
        (made / TABLES_FOLDER).mkdir()
        for stem in TABLES:
            (olist / f"{stem}.parquet").replace(made / TABLES_FOLDER / f"{stem}.parquet")
        write_whole(made / "sources.yml", _sources())


@contextmanager
def _replaced(out: Path, mark: str, orders: int, seed: int, shop: Shop) -> Iterator[tuple[Path, Path]]:
    """Give the generated shop and an empty folder, which replaces a shop of its kind once it is filled."""
    if out.exists() and any(out.iterdir()) and not (out / mark).exists():
        raise ShapeError(f"{out} holds files that are no demo shop of this kind. Name another folder with --out.")
    out.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    try:
        generate(work / "olist", orders, seed=seed, shop=shop, file_format="parquet")
        made = work / "made"
        made.mkdir()
        yield work / "olist", made
        shutil.rmtree(out, ignore_errors=True)
        made.replace(out)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _sources() -> str:
    listed = "\n".join(f"      {stem}: {{from: demo_shop.{stem}}}" for stem in TABLES)
    return f"""\
# What to take from where. Each table becomes the file of its name; here these are the names of the raw tables.
databases:
  shop:
    url: ${{{DATABASE_VARIABLE}}}   # the environment variable of that name: no password stands in a file
    tables:
{listed}
"""


def _read(connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """Create what every shape is written from: ``purchases`` and their ``lines``."""
    for name, stem in (
        ("raw_orders", ORDERS),
        ("raw_customers", CUSTOMERS),
        ("raw_items", ITEMS),
        ("raw_payments", PAYMENTS),
        ("raw_products", PRODUCTS),
        ("raw_names", TRANSLATION),
    ):
        connection.execute(f"CREATE VIEW {name} AS FROM {file_literal(folder / (stem + '.parquet'))}")
    connection.execute(
        """CREATE TABLE lines AS
        WITH units AS (
            SELECT order_id, product_id, price, count(*) AS quantity, sum(freight_value) AS freight
            FROM (SELECT DISTINCT * FROM raw_items) GROUP BY ALL)
        SELECT units.*, replace(coalesce(names.product_category_name_english, 'other'), '_', ' ') AS category,
            'SKU-' || upper(left(units.product_id, 8)) AS sku,
            row_number() OVER (PARTITION BY order_id ORDER BY product_id, price) AS number
        FROM units LEFT JOIN (SELECT DISTINCT ON (product_id) * FROM raw_products) AS products USING (product_id)
        LEFT JOIN raw_names AS names USING (product_category_name)"""
    )
    connection.execute(
        """CREATE TABLE purchases AS
        SELECT orders.order_id, customers.customer_unique_id AS person,
            orders.order_purchase_timestamp::TIMESTAMP AS bought_at, orders.order_status AS status,
            row_number() OVER (ORDER BY orders.order_purchase_timestamp, orders.order_id) AS number,
            dense_rank() OVER (ORDER BY customers.customer_unique_id) AS person_number,
            totals.goods, totals.freight,
            hash('guest:' || orders.order_id) % 100 AS draw
        FROM (SELECT DISTINCT ON (order_id) * FROM raw_orders) AS orders
        JOIN (SELECT DISTINCT ON (customer_id) * FROM raw_customers) AS customers USING (customer_id)
        JOIN (SELECT order_id, sum(price * quantity) AS goods, sum(freight) AS freight FROM lines GROUP BY 1) AS totals
            USING (order_id)"""
    )


def _write(connection: duckdb.DuckDBPyConnection, select: str, file: Path, **options: str) -> None:
    said = "".join(f", {name.upper()} {literal(value)}" for name, value in options.items())
    connection.execute(f"COPY ({select}) TO {literal(file)} (FORMAT csv, HEADER true{said})")


def _town(country: str) -> str:
    """Write the SQL of a person's town."""
    listed = ", ".join(
        f"{{'city': {literal(city)}, 'zip': {literal(code)}, 'state': {literal(state)}}}"
        for city, code, state in TOWNS[country]
    )
    return f"([{listed}])[1 + (hash('town:' || person) % {len(TOWNS[country])})::INTEGER]"


def _transactions(connection: duckdb.DuckDBPyConnection, folder: Path) -> str:
    """One table of invoice lines: a fifth without a customer, some taken back on an invoice that begins with C."""
    invoice = "(500000 + purchases.number)"
    customer = "CASE WHEN purchases.draw < 20 THEN NULL ELSE (10000 + purchases.person_number)::VARCHAR END"
    country = "list_extract(['United Kingdom', 'United Kingdom', 'France', 'Ireland'], 1 + (hash(person) % 4)::INTEGER)"
    _write(
        connection,
        f"""SELECT "Invoice", "StockCode", "Description", "Quantity",
            strftime(sold_at, '%d/%m/%Y %H:%M') AS "InvoiceDate", "Price", "Customer ID", "Country" FROM (
            SELECT {invoice}::VARCHAR AS "Invoice", sku AS "StockCode", category AS "Description",
                quantity AS "Quantity", bought_at AS sold_at, price AS "Price", {customer} AS "Customer ID",
                {country} AS "Country", lines.number AS line FROM purchases JOIN lines USING (order_id)
            UNION ALL
            SELECT {invoice}::VARCHAR, 'POST', 'Postage', 1, bought_at, freight, {customer}, {country}, 1000
            FROM purchases WHERE freight > 0
            UNION ALL
            SELECT 'C' || {invoice}, sku, category, -quantity, bought_at + INTERVAL 9 DAY, price, {customer},
                {country}, lines.number FROM purchases JOIN lines USING (order_id)
            WHERE purchases.draw >= 20 AND hash('back:' || order_id) % 100 < 4)
        ORDER BY sold_at, "Invoice", line""",
        folder / "invoices.csv",
    )
    return """\
preset: transactions
currency: GBP
country: GB
time_zone: Europe/London
from: invoices.csv
columns:
  customer: Customer ID
  order: Invoice
  date: InvoiceDate
  amount: Quantity * Price
  quantity: Quantity
  product: StockCode
  name: Description
  category: Description
  country: Country
dates: dd/mm/yyyy
not_products: [POST]
"""


def _shopify(connection: duckdb.DuckDBPyConnection, folder: Path) -> str:
    """One row per line item, the columns of the order on the first of its rows."""
    first = "CASE WHEN lines.number = 1 THEN {} END"
    paid = "(goods + purchases.freight)"
    refunded = f"CASE WHEN hash('back:' || order_id) % 100 < 5 THEN round({paid} / 2, 2) ELSE 0 END"
    on_first = {
        "Email": "'person' || person_number || '@example.com'",
        "Financial Status": f"CASE WHEN {refunded} > 0 THEN 'partially_refunded' ELSE 'paid' END",
        "Paid at": "strftime(bought_at, '%Y-%m-%d %H:%M:%S') || ' -0500'",
        "Fulfillment Status": "CASE WHEN status = 'delivered' THEN 'fulfilled' ELSE 'unfulfilled' END",
        "Currency": "'USD'",
        "Subtotal": "goods",
        "Shipping": "purchases.freight",
        "Taxes": "0.00",
        "Total": paid,
        "Discount Code": "NULL",
        "Discount Amount": "0.00",
        "Created at": "strftime(bought_at, '%Y-%m-%d %H:%M:%S') || ' -0500'",
    }
    of_line = {
        "Lineitem quantity": "quantity",
        "Lineitem name": "category || ' ' || sku",
        "Lineitem price": "price",
        "Lineitem sku": "sku",
    }
    on_first_too = {
        "Shipping City": f"{_town('US')}.city",
        "Shipping Zip": f"{_town('US')}.zip",
        "Shipping Province": f"{_town('US')}.state",
        "Shipping Country": "'US'",
        "Cancelled at": "CASE WHEN status = 'canceled' THEN strftime(bought_at + INTERVAL 1 DAY, '%Y-%m-%d %H:%M:%S') "
        "|| ' -0500' END",
        "Payment Method": "'Shopify Payments'",
        "Refunded Amount": refunded,
        "Id": "4000000000 + purchases.number",
    }
    listed = [f'{first.format(sql)} AS "{name}"' for name, sql in on_first.items()]
    listed += [f'{sql} AS "{name}"' for name, sql in of_line.items()]
    listed += [f'{first.format(sql)} AS "{name}"' for name, sql in on_first_too.items()]
    _write(
        connection,
        f"""SELECT '#' || (1000 + purchases.number) AS "Name", {", ".join(listed)}
        FROM purchases JOIN lines USING (order_id) ORDER BY purchases.number DESC, lines.number""",
        folder / "orders_export_1.csv",
    )
    return "preset: shopify\ncurrency: USD\ncountry: US\ntime_zone: America/New_York\n"


def _woocommerce(connection: duckdb.DuckDBPyConnection, folder: Path) -> str:
    """Tables of the shop's database: guests are customer 0, refunds are orders below zero that name their parent."""
    known = "CASE WHEN draw < 15 THEN 0 ELSE person_number END"
    mail = "'person' || person_number || '@example.com'"
    status = """CASE status WHEN 'delivered' THEN 'wc-completed' WHEN 'canceled' THEN 'wc-cancelled'
        WHEN 'unavailable' THEN 'wc-failed' WHEN 'created' THEN 'wc-on-hold' ELSE 'wc-processing' END"""
    stamp = "strftime({}, '%Y-%m-%d %H:%M:%S')"
    _write(
        connection,
        f"""SELECT number AS id, {status} AS status, 'AUD' AS currency, 'shop_order' AS type, 0.00 AS tax_amount,
            goods + freight AS total_amount, {known} AS customer_id, {mail} AS billing_email,
            {stamp.format("bought_at")} AS date_created_gmt, 0 AS parent_order_id, 'stripe' AS payment_method
        FROM purchases UNION ALL
        SELECT 10000000 + number, 'wc-completed', 'AUD', 'shop_order_refund', 0.00, -round(goods / 2, 2), 0, NULL,
            {stamp.format("bought_at + INTERVAL 12 DAY")}, number, NULL
        FROM purchases WHERE status = 'delivered' AND hash('back:' || order_id) % 100 < 5 ORDER BY id""",
        folder / "wp_wc_orders.csv",
    )
    _write(
        connection,
        """SELECT row_number() OVER (ORDER BY purchases.number, lines.number) AS order_item_id,
            purchases.number AS order_id, (100 + dense_rank() OVER (ORDER BY product_id)) AS product_id,
            0 AS variation_id, person_number AS customer_id, quantity AS product_qty,
            price * quantity AS product_net_revenue, price * quantity AS product_gross_revenue
        FROM purchases JOIN lines USING (order_id) ORDER BY 1""",
        folder / "wp_wc_order_product_lookup.csv",
    )
    _write(
        connection,
        f"""SELECT number AS id, number AS order_id, 'billing' AS address_type, {_town("AU")}.city AS city,
            {_town("AU")}.state AS state, {_town("AU")}.zip AS postcode, 'AU' AS country FROM purchases ORDER BY 1""",
        folder / "wp_wc_order_addresses.csv",
    )
    return "preset: woocommerce\ncurrency: AUD\ncountry: AU\ntime_zone: Australia/Sydney\n"


def _magento(connection: duckdb.DuckDBPyConnection, folder: Path) -> str:
    """Tables of the shop's database: a product that can be chosen in sizes is two lines, of which one has the price."""
    status = """CASE status WHEN 'delivered' THEN 'complete' WHEN 'canceled' THEN 'canceled'
        WHEN 'unavailable' THEN 'closed' WHEN 'created' THEN 'pending' ELSE 'processing' END"""
    _write(
        connection,
        f"""SELECT number AS entity_id, {status} AS status, 1 AS store_id,
            CASE WHEN draw < 30 THEN NULL ELSE person_number END AS customer_id,
            'person' || person_number || '@example.com' AS customer_email,
            lpad(number::VARCHAR, 9, '0') AS increment_id,
            'EUR' AS base_currency_code, goods + freight AS base_grand_total, freight AS base_shipping_amount,
            0.00 AS base_tax_amount,
            CASE WHEN hash('back:' || order_id) % 100 < 5 THEN round(goods / 2, 2) END AS base_total_refunded,
            strftime(bought_at, '%Y-%m-%d %H:%M:%S') AS created_at
        FROM purchases ORDER BY 1""",
        folder / "sales_order.csv",
    )
    _write(
        connection,
        """WITH priced AS (
            SELECT 2 * row_number() OVER (ORDER BY purchases.number, lines.number) AS item_id,
                purchases.number AS order_id, NULL AS parent_item_id, sku, category AS name, quantity AS qty_ordered,
                price * quantity AS base_row_total
            FROM purchases JOIN lines USING (order_id))
        SELECT * FROM priced UNION ALL
        SELECT item_id + 1, order_id, item_id, sku, name, qty_ordered, 0.00 FROM priced WHERE item_id % 3 = 0
        ORDER BY item_id""",
        folder / "sales_order_item.csv",
    )
    _write(
        connection,
        f"""SELECT number AS entity_id, number AS parent_id, 'shipping' AS address_type, {_town("DE")}.city AS city,
            {_town("DE")}.state AS region, {_town("DE")}.zip AS postcode, 'DE' AS country_id
        FROM purchases ORDER BY 1""",
        folder / "sales_order_address.csv",
    )
    return "preset: magento\ncurrency: EUR\ncountry: DE\ntime_zone: Europe/Berlin\n"


WRITERS: dict[Shape, Callable[[duckdb.DuckDBPyConnection, Path], str]] = {
    "transactions": _transactions,
    "shopify": _shopify,
    "woocommerce": _woocommerce,
    "magento": _magento,
}
