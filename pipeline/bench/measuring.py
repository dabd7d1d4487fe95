"""Run a command in a process of its own and say what it took."""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pipeline import paths
from pipeline.errors import BuildError

# ru_maxrss is in kilobytes on Linux and in bytes on macOS
MAXRSS_PER_MB = 1024 * 1024 if sys.platform == "darwin" else 1024
# how Python, numpy, polars, C++ and Arrow (twice) say it
OUT_OF_MEMORY = (
    "MemoryError",
    "Unable to allocate",
    "memory allocation of",
    "bad_alloc",
    "malloc of size",
    "ArrowException: Unknown error: Wrapping",
)


class OutOfMemoryError(BuildError):
    """A command needed more memory than it was given."""


@dataclass
class Figures:
    """What the runs of one step took.

    Attributes
    ----------
    seconds, cpu_seconds, peak_mb : list of float
        Of each run: time by the clock, processor time of all its processes, memory of the largest of them.
    is_out_of_memory : bool
        Whether a run wanted more memory than it was given; only rivals are given a limit.
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
        Bytes that the command may hold; as many as there are by default. Linux counts what is held, macOS does not.

    Raises
    ------
    OutOfMemoryError
        The command wanted more than ``memory``.
    BuildError
        The command failed; holds the end of its output.
    """

    def restrict() -> None:
        if memory is not None:
            resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))

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
            preexec_fn=restrict,  # noqa: PLW1509 - no other thread runs here
        )
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except KeyboardInterrupt:
            process.kill()
            raise
        process.returncode = os.waitstatus_to_exitcode(status)
        took = time.monotonic() - started
        output.seek(0)
        errors.seek(0)
        printed = output.read()
        if process.returncode:
            told = (printed + errors.read())[-3000:]
            if memory is not None and any(words in told for words in OUT_OF_MEMORY):
                figures.is_out_of_memory = True
                raise OutOfMemoryError(f"`{' '.join(command)}` needed more than {memory / 2**30:.0f} GB.")
            raise BuildError(f"`{' '.join(command)}` failed (exit code {process.returncode}):\n{told}")
    figures.seconds.append(took)
    figures.cpu_seconds.append(usage.ru_utime + usage.ru_stime)
    figures.peak_mb.append(usage.ru_maxrss / MAXRSS_PER_MB)
    return printed
