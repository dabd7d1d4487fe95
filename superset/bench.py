"""Time the dashboards: ``python superset/bench.py``; writes ``docs/dashboard-timings.md``.

For every chart the SQL that Superset sends, run on the published file by DuckDB alone in the same configuration,
beside the request for its numbers past the cache and from it; the three take turns. For every dashboard the first tab
in Chromium, cold and warm. Starts and stops the dashboards of SUPERSET_HOME and empties their caches.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from http.cookiejar import CookieJar
from importlib.metadata import version
from itertools import count
from typing import Any

import bootstrap
import bundle
import catalogue
import duckdb
import serve
import settings
import warehouse

BASE = f"http://127.0.0.1:{settings.port()}"
PAGE = settings.PROJECT / "docs/dashboard-timings.md"
# Playwright is in the environment of the tests.
BROWSER_PYTHON = settings.PROJECT / ".venv/bin/python"
WARM_VISITS = 3
FACTOR, ALLOWANCE = 3, 100
PREFACE = f"""# Dashboard timings

Written by `make bench-dashboards`; do not edit. One reader on loopback, nobody else; what else the machine did shows in
its load. Milliseconds as *median / 95th percentile*, of a chart's runs, or in the first table of its charts' medians;
the three ways of asking take turns.

- **SQL**: the statements Superset sends for the chart, run on the published file by DuckDB alone, in the same
  configuration, all rows fetched.
- **Past the cache**, **cached**: the request for the chart's numbers, until the last byte (`/api/v1/chart/ID/data/`,
  with and without `force=true`).
- **First tab**: seconds in Chromium from the address until every chart of the first tab, the part below the window
  included, is drawn. *Cold*: the server has just started, its caches are empty, the browser is new. *Warm*: the median
  of the next {WARM_VISITS} visits.
- **Within**: charts whose median past the cache is at most {FACTOR} x SQL + {ALLOWANCE} ms.
"""


class Visitor:
    """The administrator's session."""

    def __init__(self) -> None:
        """Log in."""
        self.cookies = CookieJar()
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.cookies))
        self.opener.addheaders = [("Referer", BASE)]
        page = self.read("/login/").decode()
        token = re.search(r'csrf_token(?:"|&#34;)[^A-Za-z0-9]*(?:value="|:\s*(?:"|&#34;))([^"&]+)', page)
        word = (settings.home() / bootstrap.PASSWORD_FILE).read_text().strip()
        form = {"username": bootstrap.ADMIN_USER, "password": word, "csrf_token": token.group(1) if token else ""}
        self.opener.open(f"{BASE}/login/", urllib.parse.urlencode(form).encode())

    def read(self, path: str) -> bytes:
        """Ask for an address; return what it answers."""
        return bytes(self.opener.open(BASE + path).read())

    def get(self, path: str) -> Any:
        """Ask for an address; return the JSON."""
        return json.loads(self.read(path))


@dataclass
class Timings:
    """Milliseconds of one chart, or of all charts of a dashboard."""

    title: str
    sql: list[float] = field(default_factory=list)
    uncached: list[float] = field(default_factory=list)
    cached: list[float] = field(default_factory=list)

    @property
    def within(self) -> bool:
        """Whether the request past the cache takes no longer than it may."""
        return statistics.median(self.uncached) <= FACTOR * statistics.median(self.sql) + ALLOWANCE

    def cells(self) -> str:
        """Return the three columns of a table."""
        return " | ".join(
            f"{statistics.median(one):.0f} / {percentile_95(one):.0f}" for one in (self.sql, self.uncached, self.cached)
        )


def percentile_95(values: list[float]) -> float:
    """Return the 95th percentile, between the two nearest values."""
    return statistics.quantiles(values, n=20, method="inclusive")[-1] if len(values) > 1 else values[0]


def milliseconds(call: Callable[[], Any]) -> float:
    """Return how long a call takes."""
    started = time.perf_counter()
    call()
    return (time.perf_counter() - started) * 1000


def time_chart(visitor: Visitor, connection: duckdb.DuckDBPyConnection, chart: dict[str, Any], runs: int) -> Timings:
    """Time a chart's SQL and the two kinds of requests, in turn."""
    address = f"/api/v1/chart/{chart['id']}/data/"
    queries = [result["query"] for result in visitor.get(address)["result"]]

    def directly() -> None:
        for query in queries:
            connection.cursor().execute(query).fetchall()

    timings = Timings(chart["slice_name"])
    for _ in range(runs):
        timings.sql.append(milliseconds(directly))
        timings.uncached.append(milliseconds(lambda: visitor.read(f"{address}?force=true")))
        timings.cached.append(milliseconds(lambda: visitor.read(address)))
    return timings


def time_charts(runs: int) -> dict[str, list[Timings]]:
    """Time every chart of ours; return them by the dashboard they are on."""
    visitor = Visitor()
    listed: list[dict[str, Any]] = []
    for page in count():
        found_now = visitor.get(f"/api/v1/chart/?q=(page:{page},page_size:100)")["result"]
        listed += found_now
        if len(found_now) < 100:
            break
    for chart in listed:  # Superset's code and the file's pages are warm before anything is timed
        visitor.read(f"/api/v1/chart/{chart['id']}/data/?force=true")
    found: dict[str, list[Timings]] = {}
    with duckdb.connect(str(warehouse.build_file()), read_only=True, config=warehouse.configuration()) as connection:
        for chart in listed:
            timings = time_chart(visitor, connection, chart, runs)
            for dashboard in chart["dashboards"]:
                found.setdefault(dashboard["dashboard_title"], []).append(timings)
    return found


def restart() -> None:
    """Start the dashboards afresh, with empty caches."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()) as said:
        serve.stop()
        for name in ("data", "meta"):
            shutil.rmtree(settings.home() / "cache" / name, ignore_errors=True)
        if serve.start():
            raise SystemExit(said.getvalue())


def time_first_tab(slug: str) -> list[float]:
    """Return the seconds until a dashboard's first tab is drawn: the cold visit, then the warm ones."""
    restart()
    cookies = [{"name": one.name, "value": one.value, "url": BASE} for one in Visitor().cookies]
    request = {"address": f"{BASE}/superset/dashboard/{slug}/", "cookies": cookies, "visits": 1 + WARM_VISITS}
    done = subprocess.run(
        [str(BROWSER_PYTHON), str(settings.ROOM / "first_tab.py")],
        input=json.dumps(request),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return list(json.loads(done.stdout))


def section(charts: dict[str, list[Timings]], tabs: dict[str, list[list[float]]], runs: int) -> str:
    """Return the tables of one warehouse."""
    minute, _, quarter = os.getloadavg()
    lines = [
        f"Runs per chart: {runs}; cold starts per dashboard: {max(map(len, tabs.values()), default=0)}. "
        f"{os.cpu_count()} cores, {platform.system()}; apache-superset {version('apache-superset')}, "
        f"duckdb {duckdb.__version__}. Load average at the end {minute:.1f} (1 min), {quarter:.1f} (15 min).\n",
        "| dashboard | charts | SQL | past the cache | cached | within | first tab cold | warm |",
        "|---|---|---|---|---|---|---|---|",
    ]

    def row(name: str, timings: list[Timings], visits: list[list[float]]) -> str:
        # Medians of the charts' medians: a chart is what a reader waits for.
        total = Timings(
            name,
            [statistics.median(one.sql) for one in timings],
            [statistics.median(one.uncached) for one in timings],
            [statistics.median(one.cached) for one in timings],
        )
        within = f"{sum(one.within for one in timings)} of {len(timings)}"
        cold = f"{statistics.median(visit[0] for visit in visits):.1f} s" if visits else "-"
        warm = f"{statistics.median(one for visit in visits for one in visit[1:]):.1f} s" if visits else "-"
        return f"| {name} | {len(timings)} | {total.cells()} | {within} | {cold} | {warm} |"

    lines += [row(name, timings, tabs.get(name, [])) for name, timings in charts.items()]
    everything = [one for timings in charts.values() for one in timings]
    lines.append(row("**all**", everything, [visit for visits in tabs.values() for visit in visits]))
    lines += ["\n<details><summary>Every chart</summary>\n", "| dashboard | chart | SQL | past the cache | cached |"]
    lines.append("|---|---|---|---|---|")
    lines += [f"| {name} | {one.title} | {one.cells()} |" for name, timings in charts.items() for one in timings]
    return "\n".join([*lines, "\n</details>\n"])


def write(title: str, text: str) -> None:
    """Put a section into the page, in place of one with the same title."""
    _, *old = re.split(r"^## ", PAGE.read_text() if PAGE.exists() else "", flags=re.MULTILINE)
    sections = dict(one.split("\n", 1) for one in old) | {title: f"\n{text}"}
    by_size = sorted(sections.items(), key=lambda one: int(re.sub(r"\D", "", one[0]) or 0))
    PAGE.write_text("\n".join([PREFACE, *(f"## {name}\n{body.rstrip()}\n" for name, body in by_size)]))


def main() -> None:
    """Time everything and write it down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=11, help="requests of each kind per chart")
    parser.add_argument("--starts", type=int, default=1, help="cold starts per dashboard; 0 leaves the browser out")
    given = parser.parse_args()
    restart()
    charts = time_charts(given.runs)
    boards = [board for board in bundle.fitted(catalogue.read()) if board.spec["title"] in charts]
    tabs = {board.spec["title"]: [time_first_tab(board.spec["slug"]) for _ in range(given.starts)] for board in boards}
    with duckdb.connect(str(warehouse.build_file()), read_only=True, config=warehouse.configuration()) as connection:
        (orders,) = connection.execute("select raw_orders from marts.build_info").fetchone() or (0,)
    ordered = {board.spec["title"]: charts[board.spec["title"]] for board in boards}
    text = section(ordered, {name: visits for name, visits in tabs.items() if visits}, given.runs)
    write(f"{orders:,} orders", text)
    print(text.split("<details>")[0])


if __name__ == "__main__":
    main()
