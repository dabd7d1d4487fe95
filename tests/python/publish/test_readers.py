"""While refreshes publish, those who click dashboards and those who write SQL notice nothing but new numbers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from itertools import pairwise
from pathlib import Path

import pytest
import requests
from builds import build_warehouse, published_file, run
from input_folder import InputFolder, small_shop
from superset_process import Server, server_for

pytestmark = [pytest.mark.superset, pytest.mark.long, pytest.mark.rows_only]

# Two in the normal run; the soak is REFRESHES=10.
REFRESHES = int(os.environ.get("REFRESHES", "2"))
CLICKERS = 8
# From the swap to the first answer that has to be new, in seconds.
SEEN_WITHIN = 2.0

# An analyst at a prompt: opens the published file again and again, asks it several things, and keeps it open meanwhile.
ANALYST = """
import json, sys, time
import duckdb
while True:
    with duckdb.connect(sys.argv[1], read_only=True) as connection:
        asked_at = time.time()
        answers = []
        for sql in (
            "select raw_orders from marts.build_info",
            "select count(*) from marts.fct_orders",
            "select count(*) from marts.fct_orders join marts.customer_360 using (customer_id)",
            "select sum(orders)::bigint from marts.daily_sales",
        ):
            answers.append(connection.execute(sql).fetchone()[0])
            time.sleep(0.1)
    print(json.dumps([asked_at, answers]), flush=True)
"""
MIXED_SQL = """
select
    (select raw_orders from marts.build_info) as read,
    (select count(*) from marts.fct_orders) as kept,
    (select count(*) from marts.fct_orders inner join marts.customer_360 using (customer_id)) as joined,
    (select cast(sum(orders) as bigint) from marts.daily_sales) as sold
"""


@pytest.fixture
def shop(tmp_path: Path) -> InputFolder:
    return InputFolder(small_shop().write(tmp_path / "raw"), tmp_path / "warehouse" / "landing")


@pytest.fixture
def server(shop: InputFolder) -> Server:
    return server_for(build_warehouse(shop.raw, shop.landing.parent, score=False))


def send_an_order(shop: InputFolder, number: int) -> None:
    """Send one more order as further pieces of four files."""
    order, day = f"next-{number:03}", "2024-12-10"
    shop.piece(
        "orders",
        order,
        f"{order},of-{order},delivered,{day} 13:00:00,{day} 13:10:00,{day} 14:00:00,{day} 15:00:00,2025-01-01 00:00:00",
    )
    shop.piece("customers", order, f"of-{order},person-{number % 8},01000,sao paulo,SP")
    shop.piece("order_items", order, f"{order},1,product-1,seller-1,{day} 20:00:00,10.00,0.00")
    shop.piece("order_payments", order, f"{order},1,boleto,1,10.00")


def test_readers_of_several_refreshes_notice_nothing_but_new_numbers(shop: InputFolder, server: Server) -> None:
    admin, database = server.person("Admin"), server.database()
    charts = [chart["id"] for chart in admin.listed("chart")]
    failures: list[str] = []
    seen: list[tuple[float, list[int]]] = []
    asked: list[int] = []
    done = threading.Event()

    def click(turn: int) -> None:
        while not done.is_set():
            turn += CLICKERS
            try:
                if turn % 3:
                    answer = admin.get(f"/api/v1/chart/{charts[turn % len(charts)]}/data/?force=true")
                    asked.append(turn)
                else:
                    asked_at = time.time()
                    answer = admin.sql(MIXED_SQL, database)
                    if answer.status_code == 200:
                        seen.append((asked_at, list(answer.json()["data"][0].values())))
                if answer.status_code != 200:
                    failures.append(answer.text[:500])
            except requests.RequestException as error:
                failures.append(str(error))

    clickers = [threading.Thread(target=click, args=(offset,)) for offset in range(CLICKERS)]
    analysts = [
        subprocess.Popen(
            [sys.executable, "-c", ANALYST, str(published_file(server.warehouse))], stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    swaps = [(0.0, 12)]
    try:
        for clicker in clickers:
            clicker.start()
        for number in range(REFRESHES):
            send_an_order(shop, number)
            outcome = run(shop.raw, server.warehouse, "refresh", "--no-score", "--vars", "{unusual_build: warn}")
            assert outcome.returncode == 0, outcome.stderr
            swaps.append(((server.warehouse / "current").lstat().st_mtime, 13 + number))
            print(f"  refresh {number}: {len(asked)} charts, {len(seen)} statements", file=sys.stderr, flush=True)
        time.sleep(2 * SEEN_WITHIN)
    finally:
        done.set()
        for clicker in clickers:
            clicker.join()
        assert all(analyst.poll() is None for analyst in analysts)
        for analyst in analysts:
            analyst.terminate()
    assert failures == []
    read = [json.loads(line) for analyst in analysts for line in analyst.communicate()[0].splitlines()]
    assert len(read) > 2 * REFRESHES and len(seen) > 2 * REFRESHES and len(asked) > 10 * REFRESHES
    for asked_at, answers in seen + read:
        assert len(set(answers)) == 1, "one answer from two builds"
        since = [orders for swapped_at, orders in swaps if swapped_at + SEEN_WITHIN < asked_at]
        assert answers[0] >= since[-1], f"an old build, {asked_at - swaps[since[-1] - 12][0]:.1f} s after its end"
    # every build was seen by somebody
    assert {answers[0] for _, answers in seen + read} == {orders for _, orders in swaps}
    assert all(earlier < later for (earlier, _), (later, _) in pairwise(swaps))
