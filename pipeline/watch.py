"""Refresh whenever the raw folder changes: what a shop that sends files all day calls near real time."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pipeline.base import paths
from pipeline.base.console import say

SECONDS_BETWEEN_LOOKS = 2.0
SECONDS_BETWEEN_REFRESHES = 60.0


def listing(folder: Path) -> str:
    """Return a digest of the names, sizes and times of a folder's files; nothing is read."""
    digest = hashlib.sha256()
    for file in sorted(folder.rglob("*")):
        try:
            if file.is_file() and not file.name.startswith("."):
                known = file.stat()
                digest.update(f"{file.relative_to(folder)}\0{known.st_size}\0{known.st_mtime_ns}\n".encode())
        except FileNotFoundError:  # gone between the two looks at it: the next listing tells
            continue
    return digest.hexdigest()


@dataclass
class Watch:
    """When to refresh.

    Parameters
    ----------
    look : callable
        Gives a listing that changes with the folder.
    rest_seconds : float
        A refresh begins at the earliest so long after the one before it began.
    """

    look: Callable[[], str]
    rest_seconds: float = SECONDS_BETWEEN_REFRESHES
    _taken: str = ""
    _seen: str = ""
    _began: float = float("-inf")

    def is_due(self, now: float) -> bool:
        """Look once; tell whether there is something new that has stopped changing, and the last refresh is past.

        Parameters
        ----------
        now : float
            Seconds of a clock that never goes back.
        """
        seen = self.look()
        # a file that is still being written is left for the next look
        is_settled, self._seen = seen == self._seen, seen
        if seen == self._taken or not is_settled or now - self._began < self.rest_seconds:
            return False
        self._taken, self._began = seen, now
        return True


def watch() -> None:
    """Look at the raw folder until stopped, and refresh in a process of its own whenever something in it is new.

    A refresh that fails says why and leaves the published build as it was; the next change is tried again.
    """
    folder = paths.raw_dir()
    say(f"  watching {folder}; Ctrl-C ends it")
    due = Watch(lambda: listing(folder))
    while True:
        if due.is_due(time.monotonic()):
            began = time.monotonic()
            done = subprocess.run([sys.executable, "-m", "pipeline", "refresh"], cwd=paths.PROJECT, check=False)
            outcome = "done" if done.returncode == 0 else f"failed (exit code {done.returncode})"
            say(f"  watch: refresh {outcome} after {time.monotonic() - began:.0f} s; looking on")
        time.sleep(SECONDS_BETWEEN_LOOKS)
