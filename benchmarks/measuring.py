"""Run a command in a process of its own and say what it took."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.base import paths
from pipeline.base.errors import BuildError

# ru_maxrss is in kilobytes on Linux and in bytes on macOS
MAXRSS_PER_MB = 1024 * 1024 if sys.platform == "darwin" else 1024
SECONDS_BETWEEN_LOOKS = 0.05


class OutOfMemoryError(BuildError):
    """A command held more memory than it was given."""


@dataclass
class Figures:
    """What the runs of one step took.

    Attributes
    ----------
    seconds, cpu_seconds, peak_mb : list of float
        Of each run: time by the clock, processor time of all its processes, memory of the largest of them.
    is_out_of_memory : bool
        Whether a run held more memory than it was given; only rivals are given a limit.
    """

    seconds: list[float] = field(default_factory=list)
    cpu_seconds: list[float] = field(default_factory=list)
    peak_mb: list[float] = field(default_factory=list)
    is_out_of_memory: bool = False

    @property
    def is_measured(self) -> bool:
        """Whether there was a run that came to its end."""
        return bool(self.seconds)

    @property
    def median(self) -> float:
        """Median time by the clock."""
        return statistics.median(self.seconds)

    @property
    def median_cpu(self) -> float:
        """Median processor time."""
        return statistics.median(self.cpu_seconds)


def measure(
    command: Sequence[str], environment: Mapping[str, str], figures: Figures, *, memory: int | None = None
) -> str:
    """Run a command to its end, add what it took to the figures, and return what it printed.

    Parameters
    ----------
    command : sequence of str
    environment : mapping of str to str
        Variables beside those of this process.
    figures : Figures
        Added to when the command has come to its end.
    memory : int, optional
        Bytes that the command itself may hold; as many as there are by default. Only looked after on Linux.

    Raises
    ------
    OutOfMemoryError
        The command held more than ``memory``.
    BuildError
        The command failed; holds the end of its output.
    """
    # bytecode is kept between runs, as it is where nobody forbids it
    allowed = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        started = time.monotonic()
        process = subprocess.Popen(
            command,
            cwd=paths.PROJECT,
            env={**allowed, **environment},
            stdout=output,
            stderr=errors,
        )
        ended, is_above = threading.Event(), threading.Event()
        if memory is not None:
            threading.Thread(target=_end_above, args=(memory, process.pid, ended, is_above), daemon=True).start()
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except KeyboardInterrupt:
            process.kill()
            raise
        finally:
            ended.set()
        process.returncode = os.waitstatus_to_exitcode(status)
        took = time.monotonic() - started
        output.seek(0)
        errors.seek(0)
        printed = output.read()
        if memory is not None and is_above.is_set():
            figures.is_out_of_memory = True
            raise OutOfMemoryError(f"`{' '.join(command)}` held more than {memory / 2**30:.0f} GB.")
        if process.returncode:
            told = (printed + errors.read())[-3000:]
            raise BuildError(f"`{' '.join(command)}` failed (exit code {process.returncode}):\n{told}")
    figures.seconds.append(took)
    figures.cpu_seconds.append(usage.ru_utime + usage.ru_stime)
    figures.peak_mb.append(usage.ru_maxrss / MAXRSS_PER_MB)
    return printed


def _end_above(memory: int, process: int, ended: threading.Event, is_above: threading.Event) -> None:
    # A resource limit would count what is reserved: polars reserves twice what it ever holds.
    held = Path(f"/proc/{process}/statm")
    while not ended.wait(SECONDS_BETWEEN_LOOKS):
        try:
            pages = int(held.read_text().split()[1])
        except (OSError, IndexError):
            return
        if pages * resource.getpagesize() > memory:
            is_above.set()
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
            return
