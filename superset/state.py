"""Superset's state files: written whole, looked at before they are believed, changed by one process at a time."""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import settings

METADATA, METADATA_PART = "metadata.db", "metadata.part.db"
LOCK = "start.lock"


class DamagedStateError(Exception):
    """A file of Superset's state can be neither used nor made again; the message says what to do with it."""


class FullDiskError(Exception):
    """There is no room for Superset's state; the message says where."""

    def __init__(self) -> None:
        super().__init__(
            f"the disk of {settings.home_folder()} is full: free some space and start again. Nothing needs repair"
        )


def is_of_a_full_disk(error: BaseException | None) -> bool:
    """Whether an error, or what it was raised from, is the system's or SQLite's word for a full disk."""
    while error is not None:
        if getattr(error, "errno", None) == errno.ENOSPC or "database or disk is full" in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False


def say(text: str) -> None:
    """Tell the person at the terminal."""
    print(text, file=sys.stderr, flush=True)


def write_whole(path: Path, text: str) -> None:
    """Write a file that only its owner can read; whoever reads it sees the old text or the new one, never a part."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as handle:
        handle.write(text)
        handle.flush()
        os.fsync(handle.fileno())
    part.replace(path)


def read_line(path: Path) -> str | None:
    """Return the line that a file holds, or None when the file is missing, empty or cut.

    A secret is written with the end of its line, and has at least twelve letters.
    """
    try:
        text = path.read_text()
    except (FileNotFoundError, UnicodeDecodeError):
        return None
    word = text.strip()
    return word if text.endswith("\n") and len(word) >= 12 and word.isprintable() else None


def secret(name: str, length: int = 32) -> str:
    """Return a secret that is generated at first use and kept in a file that only its owner can read.

    Parameters
    ----------
    name : str
        File name inside Superset's home.
    length : int
        Bytes of randomness.
    """
    path = settings.home() / name
    word = read_line(path)
    if word is None:
        if path.exists():
            say(f"  {name} was empty or cut: there is a new one. Everyone logs in again, and connections to other")
            say("  databases that people added need their passwords again")
        write_whole(path, secrets.token_urlsafe(length) + "\n")
        word = read_line(path)
    if word is None:
        raise DamagedStateError(f"{path} cannot be read: remove it, and a new one is made")
    return word


@contextmanager
def only_one() -> Iterator[None]:
    """Let one process at a time start, stop or change the dashboards of this home; the others wait for it."""
    with (settings.home() / LOCK).open("a") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("  another command is at work on these dashboards: waiting for it")
            fcntl.flock(handle, fcntl.LOCK_EX)
        for left_behind in settings.home().glob("*.part"):  # by one that was killed
            left_behind.unlink()
        yield


def metadata_file() -> Path | None:
    """Return the SQLite file of Superset's metadata; None where SUPERSET_METADATA_URI names another database."""
    return None if os.environ.get("SUPERSET_METADATA_URI") else settings.home() / METADATA


def has_metadata() -> bool:
    """Whether there is metadata to go on with: a file that is lost or empty is made again.

    Raises
    ------
    DamagedStateError
        If the file is damaged: what people made in it is for them to save or give up.
    """
    file = metadata_file()
    if file is None:
        return _database_has_tables()
    if not file.exists() or not file.stat().st_size:
        return False
    try:
        with closing(sqlite3.connect(file, timeout=30)) as connection:
            (found,) = connection.execute("pragma quick_check(1)").fetchone()
            tables = connection.execute("select count(*) from sqlite_master where name = 'dashboards'").fetchone()
    except sqlite3.DatabaseError as error:
        found = str(error)
    if found != "ok":
        raise DamagedStateError(
            f"{file} is damaged ({found}). It holds the accounts and what people made: put a copy of it back, "
            "or move it away, and the next start makes a new one"
        )
    return bool(tables[0])


def _database_has_tables() -> bool:
    import sqlalchemy
    from sqlalchemy.exc import SQLAlchemyError

    uri = sqlalchemy.engine.make_url(settings.metadata_uri())
    try:
        engine = sqlalchemy.create_engine(uri, poolclass=sqlalchemy.pool.NullPool)
        return bool(sqlalchemy.inspect(engine).has_table("dashboards"))
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", error)).strip().splitlines()[0]
        raise DamagedStateError(f"the metadata's database {uri!r} does not answer: {reason}") from None


def _remove_with_log(file: Path) -> None:
    """Remove a file of SQLite and its log: a log that stays behind would be applied to the next file of that name."""
    for end in ("", "-wal", "-shm", "-journal"):
        file.with_name(file.name + end).unlink(missing_ok=True)


@contextmanager
def replaced_metadata(file: Path) -> Iterator[Path]:
    """Give a copy of the metadata to change, and put it in the file's place when all went well.

    Migrations of a SQLite file are no transaction: one that is killed leaves a schema that is neither the old one nor
    the new. Nobody may have the file open meanwhile.
    """
    part = file.with_name(METADATA_PART)
    _remove_with_log(part)
    if file.exists() and file.stat().st_size:
        with closing(sqlite3.connect(file, timeout=10)) as connection:
            _leave_log(connection, file)
            shutil.copyfile(file, part)
    else:
        _remove_with_log(file)
    yield part
    with closing(sqlite3.connect(part, timeout=10)) as connection:
        _leave_log(connection, part)
    part.chmod(0o600)
    with part.open("rb") as handle:
        os.fsync(handle.fileno())
    part.replace(file)


def _leave_log(connection: sqlite3.Connection, file: Path) -> None:
    """Bring a file's log home, so that the file alone is the whole."""
    try:
        (mode,) = connection.execute("pragma journal_mode = delete").fetchone()
    except sqlite3.OperationalError:
        mode = "locked"
    if mode != "delete":
        raise DamagedStateError(f"{file} is open in another program: close it, then start again")


def remove_old_requests(days: int) -> None:
    """Delete what the log of requests holds that is older than so many days."""
    import datetime

    import sqlalchemy

    oldest = datetime.datetime.now() - datetime.timedelta(days=days)
    engine = sqlalchemy.create_engine(settings.metadata_uri(), poolclass=sqlalchemy.pool.NullPool)
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text("delete from logs where dttm < :oldest"), {"oldest": oldest})
