"""Superset's only way to the warehouse: read-only, locked, and always the build that is published now.

A DuckDB user who may type SQL may by default read every file of the host and write where the process may. Four
things close that: the file is opened read-only, external access is off and the configuration is locked, only
statements that read are let through, and functions that open files are refused by name (DuckDB keeps the database
file itself on its list of allowed paths, so reading and overwriting *that* file is not covered by its own lock).
"""

from __future__ import annotations

import atexit
import os
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import settings
from duckdb_engine import ConnectionWrapper, CursorWrapper, Dialect, DuckDBIdentifierPreparer
from flask_caching.backends.filesystemcache import FileSystemCache
from flask_caching.backends.rediscache import RedisCache
from sqlalchemy.dialects import registry

QUERY_SECONDS = float(os.environ.get("SUPERSET_QUERY_SECONDS") or 60)
WATCH_SECONDS = 0.25  # how often running queries are looked at

# Statements that only read. DESCRIBE, SHOW, SUMMARIZE and FROM-first queries parse as SELECT.
READING = {"SELECT"}

# Functions that open files or run text as SQL. External access is off as well; this also covers the served file.
FILE_FUNCTIONS = {
    "glob",
    "json_execute_serialized_sql",
    "parquet_bloom_probe",
    "parquet_file_metadata",
    "parquet_full_metadata",
    "parquet_kv_metadata",
    "parquet_metadata",
    "parquet_scan",
    "parquet_schema",
    "query",
    "query_table",
    "read_blob",
    "read_csv",
    "read_csv_auto",
    "read_duckdb",
    "read_json",
    "read_json_auto",
    "read_json_objects",
    "read_json_objects_auto",
    "read_ndjson",
    "read_ndjson_auto",
    "read_ndjson_objects",
    "read_parquet",
    "read_text",
    "sniff_csv",
    "getenv",
    "which_secret",
    "duckdb_secrets",
}

LEADING_COMMENT = re.compile(r"\A\s*(?:--[^\n]*(?:\n|\Z)|/\*.*?\*/)\s*", re.DOTALL)
EXPLAIN = re.compile(r"\A\s*explain\s+(?:analyze\s+)?(?:\([^)]*\)\s*)?", re.IGNORECASE)
NAME = re.compile(r'\A"?([A-Za-z_][A-Za-z0-9_]*)"?')
PIVOT = re.compile(r"\A\s*(?:pivot|unpivot|with|from|select)\b", re.IGNORECASE)


class RefusedStatementError(duckdb.PermissionException):
    """The statement could do more than read the warehouse's tables."""


def build_file() -> Path:
    """Return the published file, symlink resolved.

    DuckDB keeps one instance per path: asked for the symlink's own path it would go on answering from the old build
    for as long as any connection is open.
    """
    return (settings.warehouse_dir() / "current" / "warehouse.duckdb").resolve()


def build_id() -> str:
    """Name of the published build."""
    return build_file().parent.name


def configuration() -> dict[str, Any]:
    """DuckDB's settings for the served file. Every connection of a process must have the same."""
    spill = settings.home() / "spill"
    spill.mkdir(exist_ok=True)
    return {
        "enable_external_access": False,
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "allow_community_extensions": False,
        "allow_persistent_secrets": False,
        # Beside the warehouse by default, which must not be writable for Superset.
        "temp_directory": str(spill),
        "max_temp_directory_size": os.environ.get("SUPERSET_SPILL_LIMIT") or "10GB",
        # Per worker process. Two workers on DuckDB's default of 80 % each would take the machine down.
        "memory_limit": os.environ.get("SUPERSET_MEMORY_LIMIT") or "2GB",
        "lock_configuration": True,
    }


def _without_comments(sql: str) -> str:
    """Drop the comments in front of a statement, which hide its first word."""
    while match := LEADING_COMMENT.match(sql):
        sql = sql[match.end() :]
    return sql.strip()


def _refuse_file_functions(sql: str) -> None:
    """Raise when the text calls a function that opens files; strings and comments do not count."""
    text = sql.encode()  # the tokens' offsets count bytes, not characters
    tokens = [token for token in duckdb.tokenize(sql) if token[1] != duckdb.token_type.comment]
    ends = [start for start, _ in tokens[1:]] + [len(text)]
    words = [text[start:end].decode() for (start, _), end in zip(tokens, ends, strict=True)]
    for (_, kind), word, following in zip(tokens, words, [*words[1:], ""], strict=True):
        if kind in (duckdb.token_type.string_const, duckdb.token_type.numeric_const):
            continue
        # A token's text runs up to the next token: blanks and a comment may follow the name in it.
        name = NAME.match(word)
        if name and following.startswith("(") and name.group(1).lower() in FILE_FUNCTIONS:
            raise RefusedStatementError(f"Permission Error: {name.group(1)}() is not available on this warehouse")


def check(sql: str) -> None:
    """Let a text through when all its statements only read the warehouse's tables.

    Raises
    ------
    RefusedStatementError
        For anything else: COPY, ATTACH, SET, PRAGMA, CALL, PREPARE, EXPORT, LOAD, INSTALL, DDL, DML, ...
    """
    for statement in duckdb.extract_statements(sql):
        kind = statement.type.name
        text = _without_comments(statement.query)
        _refuse_file_functions(text)
        if kind in READING:
            continue
        if kind == "EXPLAIN":
            inner = EXPLAIN.sub("", text, count=1)
            if inner != text and all(part.type.name in READING for part in duckdb.extract_statements(inner)):
                continue
        # PIVOT without a list of values is run as several statements.
        if kind == "MULTI" and PIVOT.match(text):
            continue
        raise RefusedStatementError(f"Permission Error: {kind} statements are not allowed on this read-only warehouse")


class Watchdog:
    """Interrupts queries that run too long. Superset's own time limits are signals, which never fire in threads.

    One thread looks after all queries of a process: a timer per query is a thread per query, and starting one waits
    for its turn among the busy ones, two or three times for each chart.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._ended = threading.Event()
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

    def _watch(self) -> None:
        while not self._ended.wait(WATCH_SECONDS):
            self._look()

    def _look(self) -> None:
        # a function of its own: between two looks the thread holds no connection
        with self._lock:  # a query that ends now waits, so that the connection's next one is not hit
            for deadline, connection in self._running.values():
                if time.monotonic() > deadline:
                    with suppress(duckdb.Error):  # nothing may end the watch
                        connection.interrupt()

    def _end(self) -> None:
        # A thread that Python stops half way leaves DuckDB's objects behind, and DuckDB complains at length.
        self._ended.set()
        if self._thread is not None and self._thread.is_alive():
            self._thread.join()


watchdog = Watchdog()


class GuardedCursor(CursorWrapper):  # type: ignore[misc]  # the engine is untyped
    """A cursor that refuses what does not read, and ends what runs too long."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, wrapper: GuardedConnection) -> None:
        super().__init__(connection, wrapper)
        self._raw = connection

    def execute(self, statement: str, parameters: Any = None, context: Any = None) -> None:
        """Run one text of SQL, if it only reads."""
        if statement.strip().lower() not in ("commit", "rollback"):
            check(statement)
        with watchdog.limit(self._raw):
            super().execute(statement, parameters, context)

    def executemany(self, statement: str, parameters: Any = None, context: Any = None) -> None:
        """Refuse: there is nothing to insert."""
        raise RefusedStatementError("Permission Error: this warehouse is read-only")

    def fetchall(self) -> list[Any]:
        """Fetch all rows, within the time limit: DuckDB may still be computing them."""
        with watchdog.limit(self._raw):
            return list(self._raw.fetchall())

    def fetchmany(self, size: int | None = None) -> list[Any]:
        """Fetch some rows, within the time limit."""
        with watchdog.limit(self._raw):
            return list(self._raw.fetchmany() if size is None else self._raw.fetchmany(size))


class GuardedConnection(ConnectionWrapper):  # type: ignore[misc]  # the engine is untyped
    """A connection whose cursors are guarded."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        super().__init__(connection)
        self._raw = connection

    def cursor(self) -> GuardedCursor:
        """Return a guarded cursor."""
        return GuardedCursor(self._raw, self)


class Keeper:
    """One open connection per process on the published build, beside those of the queries.

    Superset opens and closes a connection per query. Without the keeper DuckDB would close the file, and drop its
    buffers, after each one; with it, opening one takes a third of a millisecond.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._path: Path | None = None
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._seen = threading.local()

    def connect(self) -> GuardedConnection:
        """Open a guarded connection on the build that is published now."""
        with self._lock:
            path = build_file()
            if self._connection is None or path != self._path:
                previous = self._connection
                self._connection = self._open(path)
                self._path = path
                if previous is not None:
                    previous.close()
            self._seen.build = path.parent.name
            # Not a cursor of the keeper: closing a connection closes its cursors, and those of the build before may
            # be in the middle of a query.
            return GuardedConnection(self._open(path))

    @staticmethod
    def _open(path: Path) -> duckdb.DuckDBPyConnection:
        return duckdb.connect(str(path), read_only=True, config=configuration())

    def build_of_this_thread(self) -> str:
        """Build that this thread last queried; a publish may have happened since."""
        return getattr(self._seen, "build", None) or build_id()


keeper = Keeper()


@cache
def reserved_words() -> set[str]:
    """Words that are quoted when they name a column: DuckDB's and PostgreSQL's."""
    return set(Dialect().identifier_preparer.reserved_words)


class Preparer(DuckDBIdentifierPreparer):  # type: ignore[misc]  # the engine is untyped
    """Quotes names as the engine does, but asks DuckDB for its reserved words once per process.

    Superset creates a dialect four to six times per chart; the engine's runs a query each time.
    """

    def __init__(self, dialect: Any, **kwargs: Any) -> None:
        super(DuckDBIdentifierPreparer, self).__init__(dialect, **kwargs)
        self.reserved_words = reserved_words()


class WarehouseDialect(Dialect):  # type: ignore[misc]  # the engine is untyped
    """DuckDB's dialect with that preparer; its engines, one per query, need not ask for the default schema either."""

    preparer = Preparer

    def _get_default_schema_name(self, connection: Any) -> str:
        return "main"


registry.register("duckdb", __name__, WarehouseDialect.__name__)


def mutate_connection(uri: Any, params: dict[str, Any], *_: Any) -> tuple[Any, dict[str, Any]]:
    """Send every DuckDB connection of Superset, whatever its URI says, to the published warehouse.

    This is also what stops an administrator from opening another DuckDB file, or creating one, through the screen
    for database connections.
    """
    if uri.get_backend_name() == "duckdb":
        params["creator"] = keeper.connect
        uri = uri.set(database="warehouse.duckdb")
    return uri, params


class BuildCache(FileSystemCache):  # type: ignore[misc]  # the library is untyped
    """Query results on disk under the build they came from: a publish makes every older entry unreachable at once."""

    @classmethod
    def factory(cls, app: Any, config: dict[str, Any], args: list[Any], kwargs: dict[str, Any]) -> BuildCache:
        """Build the cache from Flask-Caching's configuration."""
        return cls(
            config["CACHE_DIR"],
            threshold=config.get("CACHE_THRESHOLD", 2000),
            default_timeout=config.get("CACHE_DEFAULT_TIMEOUT", 86400),
        )

    def _current(self, key: str) -> str:
        """Key under the published build; the library's own counter has none."""
        return key if key == self._fs_count_file else f"{build_id()}|{key}"

    def get(self, key: str) -> Any:
        """Return the published build's entry."""
        return super().get(self._current(key))

    def has(self, key: str) -> bool:
        """Whether the published build has the entry."""
        return bool(super().has(self._current(key)))

    def set(self, key: str, value: Any, timeout: int | None = None, mgmt_element: bool = False) -> Any:
        """Store a result under the build it was read from, which need not be the published one any more."""
        if not mgmt_element:
            key = f"{keeper.build_of_this_thread()}|{key}"
        return super().set(key, value, timeout, mgmt_element)

    def delete(self, key: str, mgmt_element: bool = False) -> Any:
        """Drop the published build's entry."""
        return super().delete(key if mgmt_element else self._current(key), mgmt_element)


class RedisBuildCache(RedisCache):  # type: ignore[misc]  # the library is untyped
    """The same in Redis, for several servers that share one cache."""

    def get(self, key: str) -> Any:
        """Return the published build's entry."""
        return super().get(f"{build_id()}|{key}")

    def has(self, key: str) -> bool:
        """Whether the published build has the entry."""
        return bool(super().has(f"{build_id()}|{key}"))

    def set(self, key: str, value: Any, timeout: int | None = None) -> Any:
        """Store a result under the build it was read from, which need not be the published one any more."""
        return super().set(f"{keeper.build_of_this_thread()}|{key}", value, timeout)

    def delete(self, key: str) -> Any:
        """Drop the published build's entry."""
        return super().delete(f"{build_id()}|{key}")
