"""Limits that hold, whatever a query does: time, memory, and a share of the running queries for each person.

DuckDB looks at an interrupt only between two vectors of rows, and its memory limit does not count single strings. So
the last word is the system's: a worker may hold so much memory and no more, and a query that does not stop when it is
told to costs its worker, not the server: gunicorn starts another.

gunicorn reads this file as its configuration too, for `post_fork`.
"""

from __future__ import annotations

import atexit
import os
import re
import resource
import signal
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import duckdb


def number(name: str, default: int) -> int:
    """Return a setting that is a whole number, at least 1; end the process with a sentence where it is none."""
    given = os.environ.get(name) or str(default)
    if not re.fullmatch(r"0*[1-9]\d{0,5}", given.strip()):
        sys.exit(f"error: {name} is {given!r}; write a whole number of at least 1, such as {default}")
    return int(given)


QUERY_SECONDS = float(number("SUPERSET_QUERY_SECONDS", 60))
GRACE_SECONDS = 10.0  # for a query that was told to stop, until its worker is ended
WATCH_SECONDS = 0.25  # how often running queries are looked at
# Running queries of one person in one worker: less than its threads, so that others find one that is free.
QUERIES_PER_PERSON = max(1, number("SUPERSET_THREADS", 8) * 3 // 4)
# Somebody whose queries are all this old is told so at once; quick ones, such as a dashboard's, take their turn.
PATIENCE_SECONDS = 5.0
FULL = 0.85  # share of its memory from which a worker is replaced: what its allocator keeps does not come back

UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


class BusyError(duckdb.OperationalError):
    """Too many of the person's queries are running."""


def memory_bytes(text: str) -> int:
    """Return a size such as ``4GB`` in bytes."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?)i?B?\s*", text, re.IGNORECASE)
    if not match:
        raise ValueError(f"{text!r} is no size: write it like 4GB")
    return int(float(match[1]) * UNITS[match[2].upper()])


def limit_memory() -> None:
    """Let this process hold so much memory (SUPERSET_WORKER_MEMORY) and no more: an allocation beyond it fails."""
    most = memory_bytes(os.environ.get("SUPERSET_WORKER_MEMORY") or "4GB")
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (most, hard))


def post_fork(_server: Any, _worker: Any) -> None:
    """Limit a worker's memory as it starts; gunicorn calls this by its name."""
    limit_memory()


def memory_share() -> float:
    """Return how much of what this process may hold is taken, 0 to 1; 0 where there is no limit or no way to tell."""
    most, _ = resource.getrlimit(resource.RLIMIT_DATA)
    if most == resource.RLIM_INFINITY:
        return 0.0
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[5])
    except (OSError, IndexError):
        return 0.0
    return pages * resource.getpagesize() / most


def end_worker(reason: str) -> None:
    """End this process at once, with whatever it is doing."""
    with suppress(OSError):
        print(f"worker {os.getpid()} is ended: {reason}", file=sys.stderr, flush=True)
    os._exit(1)


class Watchdog:
    """Interrupts queries that run too long. Superset's own time limits are signals, which never fire in threads.

    One thread looks after all queries of a process: a timer per query is a thread per query, and starting one waits
    for its turn among the busy ones, two or three times for each chart.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._ended = threading.Event()
        self._is_leaving = False
        atexit.register(self._end)
        self._running: dict[object, tuple[float, duckdb.DuckDBPyConnection]] = {}

    @contextmanager
    def limit(self, connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
        """Interrupt what the connection does in here when it takes longer than QUERY_SECONDS."""
        query = object()
        with self._lock:
            self._running[query] = (time.monotonic() + QUERY_SECONDS, connection)
            if self._thread is None or not self._thread.is_alive():  # after a fork it is not
                self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)
                self._thread.start()
        try:
            yield
        finally:
            with self._lock:
                del self._running[query]
            if memory_share() > FULL and not self._is_leaving:
                self._leave()

    def _watch(self) -> None:
        while not self._ended.wait(WATCH_SECONDS):
            self._look()

    def _look(self) -> None:
        # a function of its own: between two looks the thread holds no connection
        with self._lock:  # a query that ends now waits, so that the connection's next one is not hit
            now = time.monotonic()
            for deadline, connection in self._running.values():
                if now > deadline + GRACE_SECONDS:
                    end_worker(f"a query still runs {GRACE_SECONDS:.0f} s after it was told to stop")
                if now > deadline:
                    with suppress(duckdb.Error):  # nothing may end the watch
                        connection.interrupt()

    def _leave(self) -> None:
        """Finish what is asked, take nothing more: gunicorn's way to replace a worker."""
        self._is_leaving = True
        print(f"worker {os.getpid()} leaves: its memory is nearly used up", file=sys.stderr, flush=True)
        os.kill(os.getpid(), signal.SIGTERM)

    def _end(self) -> None:
        # A thread that Python stops half way leaves DuckDB's objects behind, and DuckDB complains at length.
        self._ended.set()
        if self._thread is not None and self._thread.is_alive():
            self._thread.join()


class Shares:
    """Gives each person a number of running queries, so that nobody's stop the others'."""

    def __init__(self, most: int = QUERIES_PER_PERSON, patience: float = PATIENCE_SECONDS) -> None:
        self._most, self._patience = most, patience
        self._turn = threading.Condition()
        self._started: defaultdict[str, list[float]] = defaultdict(list)

    @contextmanager
    def share_of(self, person: str) -> Iterator[None]:
        """Run a query of a person in here; wait while others of theirs may soon end.

        Raises
        ------
        BusyError
            When the person has so many running queries, the oldest of which has been running for some seconds.
        """
        with self._turn:
            while len(self._started[person]) >= self._most:
                wait = min(self._started[person]) + self._patience - time.monotonic()
                if wait <= 0 or not self._turn.wait(wait):
                    raise BusyError(f"Busy: {self._most} queries of yours are running. Try again when one has ended.")
            started = time.monotonic()
            self._started[person].append(started)
        try:
            yield
        finally:
            with self._turn:
                self._started[person].remove(started)
                if not self._started[person]:
                    del self._started[person]
                self._turn.notify_all()


def person() -> str:
    """Return who asks: an account, or a visitor's address; empty outside of a request."""
    from flask import g, has_app_context, has_request_context, request

    if not has_app_context():
        return ""
    with suppress(Exception):  # whoever asks is a visitor, or the account's row is not at hand
        return f"account {int(g.user.id)}"
    return f"address {request.remote_addr}" if has_request_context() else ""


watchdog = Watchdog()
shares = Shares()
