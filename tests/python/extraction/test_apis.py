"""A REST API into the raw folder: pages, access, waiting when told to, what changed since; against a real server."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pyarrow.parquet as pq
import pytest
from extracting import extract, extract_python

pytestmark = pytest.mark.long

WORD = "s3cr3t-of-the-api/+"
PAGE = 3


class Shop(ThreadingHTTPServer):
    """A shop's API: seven orders, three a page, and a moment of too many requests."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.orders: list[dict[str, Any]] = [
            {
                "id": number,
                "total": 10.5 + number,
                "paid": number % 2 == 0,
                "customer": {"id": f"c{number}", "address": {"city": "São Paulo"}},
                "lines": [{"sku": "A", "quantity": 1}],
                "updated_at": f"2024-01-{number:02}T10:00:00Z",
            }
            for number in range(1, 8)
        ]
        self.orders[2]["note"] = "only here"
        self.asked: list[dict[str, str]] = []
        self.refusals: list[float] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1/"


class Answers(BaseHTTPRequestHandler):
    """What the API says."""

    server: Shop

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        asked = {name: values[0] for name, values in parse_qs(address.query).items()}
        self.server.asked.append(asked)
        if self.headers.get("Authorization") != f"Bearer {WORD}":
            self._answer(401, {"error": f"not {self.headers.get('Authorization')}"})
            return
        page = int(asked.get("page", "1"))
        if page == 2 and not self.server.refusals:
            self.server.refusals.append(time.monotonic())
            self._answer(429, {}, {"Retry-After": "2"})
            return
        if self.server.refusals and page == 2:
            self.server.refusals.append(time.monotonic())
        if address.path != "/v1/orders":
            self._answer(200, {"result": []})
            return
        since = asked.get("updated_since", "")
        found = [order for order in self.server.orders if order["updated_at"] >= since]
        pages = -(-len(found) // PAGE)
        self._answer(200, {"result": {"orders": found[(page - 1) * PAGE : page * PAGE]}, "pages": pages})

    def _answer(self, status: int, body: object, headers: dict[str, str] | None = None) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


@pytest.fixture
def shop() -> Iterator[Shop]:
    """Run the API."""
    extract_python()
    with Shop() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def sources(shop: Shop, tables: str) -> str:
    return f"""
apis:
  shop:
    url: {shop.url}
    auth: {{type: bearer, token: "${{SHOP_TOKEN}}"}}
    paginator: {{type: page_number, base_page: 1, total_path: pages}}
    tables: {tables}
"""


ORDERS = "orders: {data: result.orders, key: id, cursor: updated_at, overlap: 2 days, since: updated_since}"


def test_pages_are_read_waited_for_and_brought_up_to_date(shop: Shop, tmp_path: Path) -> None:
    raw, file = tmp_path / "raw", tmp_path / "raw" / "orders.parquet"
    done = extract(raw, sources(shop, f"{{{ORDERS}}}"), SHOP_TOKEN=WORD)
    assert done.returncode == 0, done.stderr
    first, *_, last = pq.read_table(file).sort_by("id").to_pylist()
    assert first == {
        "id": "1",
        "total": "11.5",
        "paid": "false",
        "customer__id": "c1",
        "customer__address__city": "São Paulo",
        "lines": '[{"sku": "A", "quantity": 1}]',
        "updated_at": "2024-01-01T10:00:00Z",
        "note": None,
    }
    assert last["id"] == "7" and pq.read_table(file)["note"].null_count == 6
    refused, again = shop.refusals[:2]
    assert again - refused >= 2, "it did not wait as long as it was told to"

    # one changed, one new, and of the rest only what lies within the overlap is asked for
    shop.orders[1].update(total=99, updated_at="2024-01-09T10:00:00Z")
    shop.orders.append({"id": 8, "total": 1, "updated_at": "2024-01-10T10:00:00Z"})
    shop.asked.clear()
    done = extract(raw, SHOP_TOKEN=WORD)
    assert done.returncode == 0, done.stderr
    assert shop.asked[0]["updated_since"] == "2024-01-05T10:00:00Z"
    found = {row["id"]: row for row in pq.read_table(file).to_pylist()}
    assert sorted(found) == [str(number) for number in range(1, 9)]
    assert found["2"]["total"] == "99" and found["8"]["customer__id"] is None and found["3"]["note"] == "only here"
    before = file.stat().st_mtime_ns
    assert "nothing new" in extract(raw, SHOP_TOKEN=WORD).stderr and file.stat().st_mtime_ns == before


def test_what_does_not_answer_as_declared_is_refused_without_its_secret(shop: Shop, tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    tried = {
        "wrong token": extract(raw, sources(shop, f"{{{ORDERS}}}"), SHOP_TOKEN=WORD + "x"),
        "wrong paginator": extract(
            raw, sources(shop, "{orders: {data: result.orders, paginator: {type: pages}}}"), SHOP_TOKEN=WORD
        ),
        "wrong key": extract(raw, sources(shop, "{orders: {data: result.orders, key: number}}"), SHOP_TOKEN=WORD),
    }
    for name, done in tried.items():
        assert done.returncode == 3, f"{name}: {done.stderr}"
        assert "apis.shop.tables.orders" in done.stderr and "Traceback" not in done.stderr, f"{name}: {done.stderr}"
        assert WORD not in done.stderr + done.stdout
    assert "401" in tried["wrong token"].stderr
    assert "number is no column of what the source gives" in tried["wrong key"].stderr
    assert [file.name for file in raw.iterdir()] == ["sources.yml"]
    empty = extract(raw, sources(shop, "{none: {data: result, key: id}}"), SHOP_TOKEN=WORD)
    assert empty.returncode == 0, empty.stderr
    assert pq.read_table(raw / "none.parquet").num_rows == 0
