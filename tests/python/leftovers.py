"""Ends what a test run has started once the run is gone, however it went: stopped, killed, or through.

Servers put themselves into sessions of their own, so that no signal to the run reaches them. What they all inherit is
an environment variable; a process beside the run waits for its end and looks for it. Needs Linux's ``/proc``.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

RUN = "TEST_RUN"
PROCESSES = Path("/proc")
GRACE_SECONDS = 10

_watchers: list[subprocess.Popen[bytes]] = []


def end_with_this_run() -> None:
    """See to it that nothing outlives this process that it or its children start from now on."""
    if RUN in os.environ or not PROCESSES.is_dir():
        return
    name = uuid.uuid4().hex
    # kept, and handed to nobody: the pipe to it closes when this process ends
    _watchers.append(subprocess.Popen([sys.executable, __file__, name], stdin=subprocess.PIPE, start_new_session=True))
    os.environ[RUN] = name


def _find(name: str) -> list[int]:
    """Return the processes whose environment names the run."""
    mark = f"{RUN}={name}".encode()
    found = []
    for entry in PROCESSES.iterdir():
        try:
            if entry.name.isdigit() and mark in (entry / "environ").read_bytes().split(b"\0"):
                found.append(int(entry.name))
        except OSError:  # gone meanwhile, or somebody else's
            continue
    return found


def _signal(processes: list[int], number: signal.Signals) -> None:
    for process in processes:
        try:
            os.kill(process, number)
        except ProcessLookupError:
            continue


def main(name: str) -> None:
    """Wait for the end of the run, then end what is left of it."""
    sys.stdin.buffer.read()
    _signal(_find(name), signal.SIGTERM)
    deadline = time.monotonic() + GRACE_SECONDS
    while _find(name) and time.monotonic() < deadline:
        time.sleep(0.2)
    _signal(_find(name), signal.SIGKILL)


if __name__ == "__main__":
    main(sys.argv[1])
