"""Superset's only way to the warehouse: read-only, locked, and always the build that is published now.

A DuckDB user who may type SQL may by default read every file of the host and write where the process may. Four
things close that: the file is opened read-only, external access is off and the configuration is locked, only
statements that read are let through, and table functions are refused unless they are known to be harmless (DuckDB
keeps the database file itself on its list of allowed paths, so reading and overwriting *that* file is not covered by
its own lock).
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import Any
from weakref import WeakSet

import bounds
import duckdb
import settings
from duckdb_engine import ConnectionWrapper, CursorWrapper, Dialect, DuckDBIdentifierPreparer
from flask_caching.backends.filesystemcache import FileSystemCache
from flask_caching.backends.rediscache import RedisCache
from sqlalchemy.dialects import registry

LEAVE_SECONDS = 10.0  # for all to leave a broken database

# Statements that only read. DESCRIBE, SHOW, SUMMARIZE and FROM-first queries parse as SELECT.
READING = {"SELECT"}

# Table functions that read nothing but their arguments and the warehouse's own catalogue. All others that DuckDB has
# are refused, those of its next version too: they open files, run text as SQL, change what is logged, ...
HARMLESS = {
    *("generate_series", "range", "unnest", "repeat", "repeat_row", "json_each", "json_tree", "histogram"),
    *("histogram_values", "summary", "duckdb_columns", "duckdb_constraints", "duckdb_databases", "duckdb_functions"),
    *("duckdb_indexes", "duckdb_keywords", "duckdb_schemas", "duckdb_sequences", "duckdb_tables", "duckdb_types"),
    *("duckdb_views", "icu_calendar_names", "pg_timezone_names", "pragma_show", "pragma_storage_info"),
    *("pragma_table_info", "pragma_version", "test_all_types"),
}
# Refused besides: no table functions, but they read the process's environment or write its log.
REFUSED = {"getenv", "write_log"}

LEADING_COMMENT = re.compile(r"\A\s*(?:--[^\n]*(?:\n|\Z)|/\*.*?\*/)\s*", re.DOTALL)
EXPLAIN = re.compile(r"\A\s*explain\s+(?:analyze\s+)?(?:\([^)]*\)\s*)?", re.IGNORECASE)
NAME = re.compile(r'\A(?:"((?:[^"]|"")+)"|([A-Za-z_][A-Za-z0-9_]*))')
PIVOT = re.compile(r"\A\s*(?:pivot|unpivot|with|from|select)\b", re.IGNORECASE)


class RefusedStatementError(duckdb.PermissionException):
    """The statement could do more than read the warehouse's tables."""


def build_file(name: str = "warehouse.duckdb") -> Path:
    """Return a published file, symlink resolved.

    DuckDB keeps one instance per path: asked for the symlink's own path it would go on answering from the old build
    for as long as any connection is open.
    """
    return (settings.warehouse_dir() / "current" / name).resolve()


def build_id() -> str:
    """Name of the published build."""
    return build_file().parent.name


@lru_cache(maxsize=8)
def _digest(file: Path, _size: int, _changed: int) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def is_whole() -> bool:
    """Whether every file of the published build is what was published, by the digests that ``build.json`` holds.

    A file is read once per process, and only looked at after that, until its size or time changes. Versions before
    this one wrote no digests; what they published is believed.
    """
    file = build_file("build.json")
    try:
        record = json.loads(file.read_bytes())
        seal = record.pop("digest", None)
        if seal and seal != hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest():
            return False
        return all(
            digest == _digest(other, state.st_size, state.st_mtime_ns)
            for other, digest in ((file.with_name(name), digest) for name, digest in record.get("files", {}).items())
            for state in [other.stat()]
        )
    except (OSError, ValueError, AttributeError):
        return False


def configuration() -> dict[str, Any]:
    """DuckDB's settings for the served files. Every connection of a process to a file must have the same."""
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


@cache
def refused_functions() -> frozenset[str]:
    """Return the names of the functions that nobody may call.

    Operators are among them: called by their names, ``"<="(1, 'x')``, they do not check the types they are given, and
    break the database. Written between two values they do.
    """
    with duckdb.connect() as connection:
        rows = connection.execute(
            r"""
            select lower(function_name) from duckdb_functions()
            where function_type in ('table', 'table_macro') or not regexp_full_match(function_name, '\w+')
            """
        ).fetchall()
    return frozenset({name for (name,) in rows} - HARMLESS | REFUSED)


def _without_comments(sql: str) -> str:
    """Drop the comments in front of a statement, which hide its first word."""
    while match := LEADING_COMMENT.match(sql):
        sql = sql[match.end() :]
    return sql.strip()


def _refuse_functions(sql: str) -> None:
    """Raise when the text calls a function that is refused; strings and comments do not count."""
    text = sql.encode()  # the tokens' offsets count bytes, not characters
    tokens = [token for token in duckdb.tokenize(sql) if token[1] != duckdb.token_type.comment]
    ends = [start for start, _ in tokens[1:]] + [len(text)]
    words = [text[start:end].decode() for (start, _), end in zip(tokens, ends, strict=True)]
    for (_, kind), word, following in zip(tokens, words, [*words[1:], ""], strict=True):
        if kind in (duckdb.token_type.string_const, duckdb.token_type.numeric_const):
            continue
        # A token's text runs up to the next token: blanks and a comment may follow the name in it.
        name = NAME.match(word)
        called = (name.group(1) or name.group(2)) if name and following.startswith("(") else ""
        if called.lower() in refused_functions():
            raise RefusedStatementError(f"Permission Error: {called}() is not available on this warehouse")


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
        _refuse_functions(text)
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


class GuardedConnection(ConnectionWrapper):  # type: ignore[misc]  # the engine is untyped
    """A connection to a published file whose cursors are guarded."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self.raw: duckdb.DuckDBPyConnection
        self._enter()

    def _enter(self) -> None:
        self.is_abandoned = False
        self._keeper.let_in(self)
        super().__init__(self.raw)

    def cursor(self) -> GuardedCursor:
        """Return a guarded cursor."""
        return GuardedCursor(self)

    def rollback(self) -> None:
        """End the transaction; a connection that broke has none."""
        with suppress(duckdb.Error):
            self.raw.rollback()

    def abandon(self) -> None:
        """End what it does: its database is broken."""
        self.is_abandoned = True
        with suppress(duckdb.Error):
            self.raw.interrupt()

    def blames_another(self, error: duckdb.Error) -> bool:
        """Tell whether a query failed because another one broke the database; see to it when it was this one."""
        if isinstance(error, duckdb.InterruptException):
            return self.is_abandoned
        if not isinstance(error, duckdb.FatalException | duckdb.InternalException):
            return False
        if "previous fatal error" in str(error):
            return True
        self.raw.close()
        self._keeper.renew()
        return False

    def reopen(self) -> None:
        """Leave the broken database."""
        self.raw.close()
        self._keeper.renew()
        self._enter()


class GuardedCursor(CursorWrapper):  # type: ignore[misc]  # the engine is untyped
    """A cursor that only reads, within limits, and asks again when another's query broke the database."""

    def __init__(self, connection: GuardedConnection) -> None:
        super().__init__(connection.raw, connection)
        self._guarded = connection
        self._ask: Callable[[], Any] = lambda: None
        self._has_fetched = False

    def execute(self, statement: str, parameters: Any = None, context: Any = None) -> None:
        """Run one text of SQL, if it only reads."""
        if statement.strip().lower() not in ("commit", "rollback"):
            check(statement)
        self._ask = partial(super().execute, statement, parameters, context)
        self._has_fetched = False
        self._run(self._ask)

    def executemany(self, statement: str, parameters: Any = None, context: Any = None) -> None:
        """Refuse: there is nothing to insert."""
        raise RefusedStatementError("Permission Error: this warehouse is read-only")

    def fetchall(self) -> Any:
        """Fetch all rows, within the limits: DuckDB may still be computing them."""
        return self._run(lambda: list(self._guarded.raw.fetchall()))

    def fetchmany(self, size: int | None = None) -> list[Any]:
        """Fetch some rows, within the limits."""
        rows = list(self._run(lambda: self._guarded.raw.fetchmany(1 if size is None else size)))
        self._has_fetched = True
        return rows

    def _run(self, action: Callable[[], Any]) -> Any:
        """Do one thing with the connection, within the limits; once more where another's query broke the database."""
        try:
            return self._limited(action)
        except duckdb.Error as error:
            if not self._guarded.blames_another(error) or self._has_fetched:
                raise
        self._guarded.reopen()
        super().__init__(self._guarded.raw, self._guarded)
        if action is not self._ask:
            self._limited(self._ask)
        return self._limited(action)

    def _limited(self, action: Callable[[], Any]) -> Any:
        with bounds.shares.share_of(bounds.person()), bounds.watchdog.limit(self._guarded.raw):
            return action()


_seen = threading.local()


class Keeper:
    """One open connection per process on a published file, beside those of the queries.

    Superset opens and closes a connection per query. Without the keeper DuckDB would close the file, and drop its
    buffers, after each one; with it, opening one takes a third of a millisecond.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._lock = threading.Lock()
        self._path: Path | None = None
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._may_be_broken = False
        self._used: WeakSet[GuardedConnection] = WeakSet()

    def file(self) -> Path:
        """Return the file as it is published now."""
        return build_file(self.name)

    def connect(self) -> GuardedConnection:
        """Open a guarded connection on the build that is published now."""
        return GuardedConnection(self)

    def let_in(self, user: GuardedConnection) -> None:
        """Give a connection its way to the build that is published now."""
        with self._lock:
            user.raw = self._open_current()
            self._used.add(user)

    def _open_current(self) -> duckdb.DuckDBPyConnection:
        path = self.file()
        if self._connection is None or path != self._path:
            previous = self._connection
            self._connection = self._open(path)
            self._path = path
            if previous is not None:
                previous.close()
        _seen.build = path.parent.name
        # Not a cursor of the keeper: closing a connection closes its cursors, and those of the build before may
        # be in the middle of a query.
        return self._open(path)

    def _open(self, path: Path) -> duckdb.DuckDBPyConnection:
        """Open a file. After a fatal error DuckDB hands out the broken database until all have left it."""
        until = time.monotonic() + LEAVE_SECONDS
        while True:
            connection = duckdb.connect(str(path), read_only=True, config=configuration())
            if not self._may_be_broken or is_usable(connection):
                self._may_be_broken = False
                return connection
            connection.close()
            if time.monotonic() > until:
                bounds.end_worker("a fatal error broke the database, and a query does not leave it")
            time.sleep(0.02)

    def renew(self) -> None:
        """Let go of the database if a fatal error broke it: everyone else on it is interrupted and asks again."""
        with self._lock:
            if self._connection is None or is_usable(self._connection):
                return
            self._connection.close()
            self._connection = None
            self._may_be_broken = True
            for connection in list(self._used):
                connection.abandon()
            self._used.clear()

    def look(self) -> None:
        """Read from the file, of which a fatal error may have been the last to use the database.

        Raises
        ------
        duckdb.Error
            It cannot be read.
        """
        self.renew()
        with self._lock:
            connection = self._open_current()
        try:
            with bounds.watchdog.limit(connection):
                connection.execute("from marts.build_info").fetchall()
        finally:
            connection.close()


def is_usable(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether a connection's database answers at all."""
    try:
        connection.execute("select 1").fetchall()
    except (duckdb.FatalException, duckdb.InternalException):
        return False
    return True


def build_of_this_thread() -> str:
    """Build that this thread last queried; a publish may have happened since."""
    return getattr(_seen, "build", None) or build_id()


# The whole warehouse, for those who may ask anything; and a file of nothing but what everyone may see.
ANALYSTS = Keeper("warehouse.duckdb")
STAKEHOLDERS = Keeper("stakeholders.duckdb")


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
    """Send every DuckDB connection of Superset, whatever its URI says, to a published file: all, or stakeholders'.

    This is also what stops an administrator from opening another DuckDB file, or creating one, through the screen
    for database connections.
    """
    if uri.get_backend_name() == "duckdb":
        keeper = STAKEHOLDERS if uri.database == STAKEHOLDERS.name else ANALYSTS
        params["creator"] = keeper.connect
        uri = uri.set(database=keeper.name)
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
            key = f"{build_of_this_thread()}|{key}"
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
        return super().set(f"{build_of_this_thread()}|{key}", value, timeout)

    def delete(self, key: str) -> Any:
        """Drop the published build's entry."""
        return super().delete(f"{build_id()}|{key}")
