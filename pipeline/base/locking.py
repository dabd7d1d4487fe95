"""One run at a time per warehouse folder."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.base import paths
from pipeline.base.console import say
from pipeline.base.errors import BusyError

_held: dict[Path, int] = {}


@contextmanager
def exclusive(folder: Path, *, wait: bool = True) -> Iterator[None]:
    """Hold the folder's lock; wait for another run to end, and say which one it is.

    The kernel drops the lock when the last process that holds it dies, however it dies, so a lock is never stale.
    Re-entrant within a process: dbt's landing plugin runs inside a build that holds it already.

    Parameters
    ----------
    folder : Path
        The warehouse folder; created when absent.
    wait : bool
        False gives up at once.

    Raises
    ------
    BusyError
        Another run holds the lock, and this one does not wait.
    """
    if folder in _held:
        yield
        return
    paths.make_private(folder)
    with (folder / ".lock").open("a+", errors="replace") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            handle.seek(0)
            other = handle.read().strip() or "unknown"
            if not wait:
                raise BusyError(f"Another run holds this warehouse ({other}). Nothing was done.") from None
            say(f"  another run holds this warehouse ({other}); waiting for it")
            fcntl.flock(handle, fcntl.LOCK_EX)
        handle.truncate(0)
        handle.write(f"process {os.getpid()} since {time.strftime('%Y-%m-%d %H:%M:%S')}")
        handle.flush()
        _held[folder] = handle.fileno()
        try:
            yield
        finally:
            del _held[folder]


def inherited() -> tuple[int, ...]:
    """Return what a child process must inherit to hold the lock too.

    A run that is killed leaves its child writing; the next run must wait for that child.
    """
    return tuple(_held.values())


def holder(folder: Path) -> str | None:
    """Tell which process holds the folder's lock; None when it is free."""
    try:
        with (folder / ".lock").open("r+", errors="replace") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return handle.read().strip() or "unknown"
    except OSError:
        pass
    return None
