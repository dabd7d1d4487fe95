"""Time the dashboards beside the same SQL run directly: ``python superset/bench.py``, while they run.

For every chart: the median of several requests of its numbers, from the cache and past it, and of its SQL run on the
published file by DuckDB alone in the same configuration. The figures are this machine's, with what else it was doing.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import time
import urllib.parse
import urllib.request
from http.cookiejar import CookieJar
from typing import Any

import bootstrap
import duckdb
import settings
import warehouse

BASE = f"http://127.0.0.1:{settings.port()}"


class Visitor:
    """The administrator's session."""

    def __init__(self) -> None:
        """Log in."""
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
        self.opener.addheaders = [("Referer", BASE)]
        page = self.opener.open(f"{BASE}/login/").read().decode()
        token = re.search(r'csrf_token(?:"|&#34;)[^A-Za-z0-9]*(?:value="|:\s*(?:"|&#34;))([^"&]+)', page)
        word = (settings.home() / bootstrap.PASSWORD_FILE).read_text().strip()
        form = {"username": bootstrap.ADMIN_USER, "password": word, "csrf_token": token.group(1) if token else ""}
        self.opener.open(f"{BASE}/login/", urllib.parse.urlencode(form).encode())

    def get(self, path: str) -> Any:
        """Ask for an address; return the JSON."""
        return json.loads(self.opener.open(BASE + path).read())


def milliseconds(call: Any, runs: int) -> float:
    """Return the median duration of a call."""
    taken = []
    for _ in range(runs):
        started = time.perf_counter()
        call()
        taken.append((time.perf_counter() - started) * 1000)
    return statistics.median(taken)


def main() -> None:
    """Print one line per chart and the summary."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    runs = parser.parse_args().runs
    visitor = Visitor()
    charts = [
        one for page in range(10) for one in visitor.get(f"/api/v1/chart/?q=(page:{page},page_size:100)")["result"]
    ]
    connection = duckdb.connect(str(warehouse.build_file()), read_only=True, config=warehouse.configuration())
    rows = []
    for chart in charts:
        address = f"/api/v1/chart/{chart['id']}/data/"
        results = visitor.get(address)["result"]
        queries = [result["query"] for result in results]

        def directly(queries: list[str] = queries) -> None:
            for query in queries:
                connection.cursor().execute(query).fetchall()

        direct = milliseconds(directly, runs)
        cold = milliseconds(lambda address=address: visitor.get(f"{address}?force=true"), runs)
        warm = milliseconds(lambda address=address: visitor.get(address), runs)
        rows.append((cold - 3 * direct, direct, cold, warm, chart["slice_name"]))
    for excess, direct, cold, warm, title in sorted(rows, reverse=True)[:12]:
        print(f"{direct:8.0f} {cold:8.0f} {warm:8.0f} {excess:8.0f}  {title}")
    direct, cold, warm = (statistics.median(row[column] for row in rows) for column in (1, 2, 3))
    within = sum(row[2] <= 3 * row[1] + 100 for row in rows)
    print(f"{len(rows)} charts, medians in ms: SQL directly {direct:.0f}, past the cache {cold:.0f}, cached {warm:.0f}")
    print(f"{within} of {len(rows)} charts within 3 x direct + 100 ms")


if __name__ == "__main__":
    main()
