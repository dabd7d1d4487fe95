"""A real Superset on a free port, started as a user starts it, and people who talk to it."""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
import requests
from builds import ROOT

SERVE = ROOT / "superset" / "serve.py"
# each page in English and in Russian
DASHBOARDS = 2 * len(list((SERVE.parent / "assets").glob("*/dashboard.yaml")))


def whole(text: str | list[dict[str, Any]]) -> str:
    """Return a text of a dashboard as a shop that has everything reads it."""
    return text if isinstance(text, str) else " ".join(one["text"] for one in text if "without" not in one)


def superset_python() -> str:
    """Return the Python of Superset's environment: SUPERSET_PYTHON, else the one `make superset` sets up."""
    found = os.environ.get("SUPERSET_PYTHON") or str(ROOT / ".venv-superset" / "bin" / "python")
    if not Path(found).exists():
        pytest.skip("Superset's environment is not set up: make superset, or set SUPERSET_PYTHON")
    return found


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def run_in_superset(code: str, warehouse: Path, home: Path) -> Any:
    """Run Python code in Superset's environment, beside its modules, and return the JSON it prints last."""
    environment = {**os.environ, "WAREHOUSE_DIR": str(warehouse), "SUPERSET_HOME": str(home)}
    done = subprocess.run(
        [superset_python(), "-c", code],
        cwd=SERVE.parent,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return json.loads(done.stdout.strip().splitlines()[-1])


def serve(*words: str, warehouse: Path, home: Path | None = None, port: int = 0) -> subprocess.Popen[str]:
    """Run serve.py as a person would, without a home of its own unless one is named."""
    environment = {**os.environ, "WAREHOUSE_DIR": str(warehouse), "SUPERSET_PORT": str(port or free_port())}
    environment.pop("SUPERSET_HOME", None)
    if home:
        environment["SUPERSET_HOME"] = str(home)
    return subprocess.Popen(
        [superset_python(), str(SERVE), *words],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Wait for a command; return its code, what it printed, and what it said."""
    printed, said = process.communicate(timeout=900)
    return process.returncode, printed, said


def has_whole_metadata(home: Path, dashboards: int = DASHBOARDS) -> bool:
    """Whether the metadata is there and complete."""
    file = home / "metadata.db"
    if not file.exists():
        return False
    with contextlib.closing(sqlite3.connect(file)) as connection:
        assert connection.execute("pragma quick_check").fetchone() == ("ok",)
        (boards,) = connection.execute("select count(*) from dashboards where is_managed_externally").fetchone()
        (admins,) = connection.execute("select count(*) from ab_user where username = 'admin'").fetchone()
    return bool(boards == dashboards and admins == 1)


def kill_after(process: subprocess.Popen[str], seconds: float, with_server: bool) -> str | None:
    """Kill a command's process group some seconds after now, and where wanted the server that it has started.

    Returns
    -------
    str or None
        What it had said; None when it ended before that.
    """
    try:
        process.wait(seconds)
        return None
    except subprocess.TimeoutExpired:
        pass
    # the server leads a group of its own
    started = descendants(process.pid) if with_server else []
    for one in [process.pid, *started]:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(os.getpgid(one), signal.SIGKILL)
    return process.communicate()[1]


def spread(count: int, seed: int) -> list[float]:
    """Return moments between 0 and 1, in any order: one from each of as many equal parts."""
    dice = random.Random(seed)  # noqa: S311
    return dice.sample([(part + dice.random()) / count for part in range(count)], count)


def last_line(said: str) -> str:
    """Return the beginning of the last line that a command said."""
    return said.splitlines()[-1].strip()[:60] if said else "nothing"


def descendants(process: int) -> list[int]:
    """Return the processes that a process has started, and what these have started."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            number, parent = int(stat.parent.name), int(stat.read_text().rsplit(")", 1)[1].split()[1])
            if parent == process:
                found += [number, *descendants(number)]
    return found


@dataclass
class Person:
    """Somebody's browser session without a browser."""

    base: str
    name: str = ""
    password: str = ""
    session: requests.Session = field(default_factory=requests.Session)

    def __post_init__(self) -> None:
        """Log in, unless it is a visitor."""
        self.session.headers["Referer"] = self.base
        if not self.name:
            return
        form = self.session.get(f"{self.base}/login/", timeout=60).text
        # Superset 6 draws the form in the browser; the token is in the page's data either way.
        token = re.search(r'csrf_token(?:"|&#34;)[^A-Za-z0-9]*(?:value="|:\s*(?:"|&#34;))([^"&]+)', form)
        data = {"username": self.name, "password": self.password, "csrf_token": token.group(1) if token else ""}
        self.session.post(f"{self.base}/login/", data=data, timeout=60)
        assert self.get("/api/v1/me/").status_code == 200, f"{self.name} could not log in"
        answer = self.get("/api/v1/security/csrf_token/")
        if answer.status_code == 200:
            self.session.headers["X-CSRFToken"] = answer.json()["result"]

    def get(self, path: str, **more: Any) -> requests.Response:
        """Ask for an address."""
        return self.session.get(self.base + path, timeout=120, **more)

    def post(self, path: str, **more: Any) -> requests.Response:
        """Send something to an address."""
        return self.session.post(self.base + path, timeout=120, **more)

    def listed(self, kind: str) -> list[dict[str, Any]]:
        """Return all charts, dashboards or datasets the person may list."""
        found: list[dict[str, Any]] = []
        for page in range(100):
            answer = self.get(f"/api/v1/{kind}/?q=(page:{page},page_size:100)")
            if answer.status_code != 200:
                return found
            rows = answer.json()["result"]
            found += rows
            if len(rows) < 100:
                return found
        return found

    def sql(self, statement: str, database: int) -> requests.Response:
        """Run a statement in SQL Lab."""
        request = {"database_id": database, "sql": statement, "client_id": os.urandom(5).hex(), "queryLimit": 1000}
        return self.post("/api/v1/sqllab/execute/", json={**request, "runAsync": False, "schema": "marts"})


@dataclass
class Server:
    """A running Superset."""

    warehouse: Path
    home: Path
    port: int
    people: dict[str, Person] = field(default_factory=dict)
    passwords: dict[str, str] = field(default_factory=dict)

    @property
    def base(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """What its commands are told."""
        return {
            **os.environ,
            "WAREHOUSE_DIR": str(self.warehouse),
            "SUPERSET_HOME": str(self.home),
            "SUPERSET_PORT": str(self.port),
            # Tests log in more often than people do; an hour, so that a slow machine still reaches the limit.
            "SUPERSET_LOGIN_LIMIT": "60 per hour",
            # Long enough for what is asked here, and some wait for the end.
            "SUPERSET_QUERY_SECONDS": "20",
        }

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run serve.py for this server."""
        return subprocess.run(
            [superset_python(), str(SERVE), *words],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=900,
        )

    def person(self, role: str) -> Person:
        """Return somebody of a role, logged in; an empty role is a visitor."""
        if role not in self.people:
            if not role:
                self.people[role] = Person(self.base)
            elif role == "Admin":
                self.passwords[role] = (self.home / "admin_password").read_text().strip()
                self.people[role] = Person(self.base, "admin", self.passwords[role])
            else:
                done = self.command("add-user", role.lower(), "--role", role)
                assert done.returncode == 0, done.stderr[-3000:]
                word = re.search(r"Password\s+(\S+)", done.stdout)
                assert word, done.stdout
                self.passwords[role] = word.group(1)
                self.people[role] = Person(self.base, role.lower(), word.group(1))
        return self.people[role]

    def database(self) -> int:
        """Superset's number of the whole warehouse, the analysts' database."""
        listed = self.person("Admin").listed("database")
        return next(int(one["id"]) for one in listed if one["database_name"] == "Warehouse")


_started: list[Server] = []


def stop_servers() -> None:
    """Stop every server that was started here, and remove its folder."""
    while _started:
        server = _started.pop()
        with contextlib.suppress(Exception):
            server.command("stop")
        shutil.rmtree(server.home, ignore_errors=True)


@lru_cache
def server_for(warehouse: Path) -> Server:
    """Return the running Superset on a published warehouse; one per warehouse for all test files."""
    superset_python()
    home = Path(tempfile.mkdtemp(prefix="superset-test-"))
    server = Server(warehouse, home, free_port())
    _started.append(server)
    started = server.command("start")
    assert started.returncode == 0, started.stdout[-3000:] + started.stderr[-6000:]
    # a connection that is still held when Python ends makes DuckDB print a hundred lines below the password
    assert "leaked" not in started.stderr, started.stderr[-3000:]
    return server
