"""Whatever stands in a raw text cell arrives as that text: never as SQL, Jinja, a path or a formula."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
from builds import build_warehouse, published_file, query
from input_folder import small_shop
from recompute.raw import write_raw

HOSTILE = (
    "'; drop table marts.fct_orders; --",
    "\" or 1=1; attach '/etc/passwd' as x; --",
    "{{ env_var('HOME') }}{% do run_query('drop table x') %}",
    "../../../../etc/passwd",
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    '=HYPERLINK("http://example.invalid","x")',
    "$(touch hostile) `touch hostile` ; touch hostile",
    "%s %(x)s {0} \\x00 \\n",
    'line one\nline two,"quoted"',
    "\u202eright to left\u202c and \U0001f600",
    "x" * 5_000,
)


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    raw = small_shop().raw()
    for number, text in enumerate(HOSTILE):
        raw.reviews.loc[number, ["review_comment_title", "review_comment_message"]] = [text, text]
        raw.customers.loc[number, "customer_city"] = text
        raw.payments.loc[number, "payment_type"] = text
        raw.geolocation.loc[number % len(raw.geolocation), "geolocation_city"] = text
    # keys and what hangs on them
    everywhere = dict(zip(("person-1", "product-1", "seller-1"), HOSTILE, strict=False))
    everywhere |= {"order-00002": HOSTILE[2], "of-order-00003": HOSTILE[3], "review-4": HOSTILE[4]}
    everywhere |= {"perfumaria": HOSTILE[0], "perfumery": HOSTILE[4]}
    renamed = raw.map(lambda _, table: table.replace(everywhere))
    folder = tmp_path_factory.mktemp("hostile")
    return build_warehouse(write_raw(renamed, folder / "raw"), folder / "warehouse", score=False)


def test_every_text_arrives_as_it_was_written(warehouse: Path) -> None:
    messages = set(query(warehouse, "select comment_message from marts.fct_reviews")["comment_message"].dropna())
    assert set(HOSTILE) <= messages
    payments = set(query(warehouse, "select payment_type from marts.fct_payments")["payment_type"])
    assert set(HOSTILE) <= payments
    assert HOSTILE[2] in set(query(warehouse, "select order_id from marts.fct_orders")["order_id"])
    assert HOSTILE[0] in set(query(warehouse, "select customer_id from marts.dim_customers")["customer_id"])
    assert HOSTILE[1] in set(query(warehouse, "select product_id from marts.dim_products")["product_id"])
    categories = query(warehouse, "select distinct product_category from marts.fct_order_items")["product_category"]
    assert HOSTILE[4] in set(categories)


def test_nothing_was_run(warehouse: Path) -> None:
    assert not list(warehouse.rglob("hostile*"))
    with duckdb.connect(str(published_file(warehouse).resolve()), read_only=True) as connection:
        schemas = connection.execute("SELECT DISTINCT schema_name FROM duckdb_tables() ORDER BY 1").fetchall()
    assert schemas == [("marts",), ("quality",), ("scores",)]


def test_text_in_quarantine_is_text_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from input_folder import InputFolder

    shop = InputFolder(small_shop().write(tmp_path / "raw"), tmp_path / "warehouse" / "landing")
    monkeypatch.setenv("RAW_DIR", str(shop.raw))
    monkeypatch.setenv("WAREHOUSE_DIR", str(tmp_path / "warehouse"))
    rows = [f'"{text.replace(chr(34), chr(34) * 2)}",9,boleto,1,-1' for text in HOSTILE]
    shop.append("order_payments", *rows)
    shop.load()
    quarantined = [row for row in shop.quarantine() if row[0] == "order_payments"]
    assert sorted(raw[:10_000] for *_, raw in quarantined) == sorted(row[:10_000] for row in rows)
    assert {key for _, _, _, key, _, _ in quarantined} == {f"{text} / 9"[:200] for text in HOSTILE}
