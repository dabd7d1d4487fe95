"""The dashboards as docs/production.md sets them up: metadata on PostgreSQL, caches in Redis, nginx with TLS in front.

Debian's own binaries, started on loopback in temporary folders by an ordinary user; skipped where one is missing.
"""

from __future__ import annotations

import socket
import ssl
import subprocess
import time
from pathlib import Path

import pytest
import requests
from services import find, nginx, postgresql, redis_server
from superset_process import DASHBOARDS, Person, Server, free_port, run_in_superset, server_for, superset_python

pytestmark = [pytest.mark.superset, pytest.mark.long, pytest.mark.rows_only]

WORKERS = 3


def drip(port: int, count: int, start: bytes, tls: bool) -> list[socket.socket]:
    """Open connections that have sent the beginning of a request, and go on sending nothing."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    opened = []
    for _ in range(count):
        line: socket.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        if tls:
            line = context.wrap_socket(line)
        line.sendall(start)
        opened.append(line)
    return opened


# Half of a header; a header whose body never comes.
SLOW = [
    b"GET /login/ HTTP/1.1\r\nHost: localhost\r\nX-Slow: ",
    b"POST /login/ HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    b"Content-Length: 1000\r\n\r\nusername=",
]


@pytest.mark.parametrize("start", SLOW, ids=["header", "body"])
def test_slow_connections_stop_nobody_behind_the_proxy(served_warehouse: Path, start: bytes) -> None:
    server = server_for(served_warehouse)
    threads = 2 * 8
    with nginx(server.port) as (address, certificate):
        slow = drip(int(address.rsplit(":", 1)[1]), 5 * threads, start, tls=True)
        try:
            asked = time.monotonic()
            answer = requests.get(f"{address}/login/", verify=str(certificate), timeout=30)
            assert answer.status_code == 200
            assert time.monotonic() - asked < 9, "it waited until the slow ones were given up"
        finally:
            for line in slow:
                line.close()


def test_the_proxy_refuses_what_is_too_large(served_warehouse: Path) -> None:
    server = server_for(served_warehouse)
    with nginx(server.port) as (address, certificate):
        body = requests.post(f"{address}/login/", data=b"x" * 11_000_000, verify=str(certificate), timeout=30)
        assert body.status_code == 413
        for letters, code in ((8_000, 200), (8_300, 414), (20_000, 414)):
            answer = requests.get(f"{address}/login/?x={'y' * letters}", verify=str(certificate), timeout=30)
            assert answer.status_code == code
            assert ("nginx" in answer.text) == (code == 414), "refused by the dashboards themselves"


def test_the_production_setup_works_as_it_is_described(
    published_warehouse: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    has_driver = subprocess.run([superset_python(), "-c", "import psycopg2"], capture_output=True, check=False)
    if has_driver.returncode:
        pytest.skip("Superset's environment is older than its lock: it lacks psycopg2-binary")
    for program in ("initdb", "postgres", "redis-server", "nginx", "openssl"):
        find(program)
    server = Server(published_warehouse, tmp_path / "home", free_port())
    with postgresql() as metadata, redis_server() as cache, nginx(server.port) as (address, certificate):
        monkeypatch.setenv("SUPERSET_METADATA_URI", metadata)
        monkeypatch.setenv("SUPERSET_REDIS_URL", cache)
        monkeypatch.setenv("SUPERSET_HTTPS", "1")
        monkeypatch.setenv("SUPERSET_WORKERS", str(WORKERS))
        try:
            started = server.command("start")
            assert started.returncode == 0, started.stdout[-3000:] + started.stderr[-6000:]
            check(server, address, certificate, metadata, cache)
            again = server.command("start")
            assert "already running" in again.stderr, again.stderr[-2000:]
        finally:
            server.command("stop")


def check(server: Server, address: str, certificate: Path, metadata: str, cache: str) -> None:
    """Come in through the proxy, look at a chart twice, and see where everything is kept."""
    # Metadata: in PostgreSQL, and no file beside it.
    count = f"""
import json, sqlalchemy
with sqlalchemy.create_engine({metadata!r}).connect() as connection:
    print(json.dumps(connection.execute(sqlalchemy.text("select count(*) from dashboards")).scalar()))
"""
    assert run_in_superset(count, server.warehouse, server.home) == DASHBOARDS
    assert not (server.home / "metadata.db").exists()

    # Proxy: TLS in front, a secure cookie, and a session that may change things although the server itself speaks http.
    session = requests.Session()
    session.trust_env = False  # a machine's own list of authorities would replace ours
    session.verify = str(certificate)
    page = session.get(f"{address}/login/", timeout=60)
    assert page.headers["Strict-Transport-Security"]
    assert "Secure" in page.headers["Set-Cookie"]
    word = (server.home / "admin_password").read_text().strip()
    admin = Person(address, "admin", word, session)
    made = admin.post("/api/v1/dashboard/", json={"dashboard_title": "Mine"})
    assert made.status_code == 201, made.text[:300]

    # Cache: the second answer is Redis's, under the build it was read from.
    charts = [chart for chart in admin.listed("chart") if chart["slice_name"] == "Customers"]
    asked = f"/api/v1/chart/{charts[0]['id']}/data/"
    first, second = (admin.get(asked).json()["result"][0] for _ in range(2))
    assert first["data"] == second["data"] and second["is_cached"]
    keys = f"""
import json, redis
print(json.dumps([key.decode() for key in redis.Redis.from_url({cache!r}).scan_iter()]))
"""
    kept = run_in_superset(keys, server.warehouse, server.home)
    build = (server.warehouse / "current").resolve().name
    assert [key for key in kept if key.startswith(f"retention_data_{build}|")], kept
    assert [key for key in kept if "LIMIT" in key], "attempts to log in are counted for all workers together"
    assert not (server.home / "cache" / "data").exists()

    # Workers: as many as were asked for, and the master.
    master = int((server.home / "gunicorn.pid").read_text())
    children = Path(f"/proc/{master}/task/{master}/children")
    if children.exists():
        assert len(children.read_text().split()) == WORKERS
