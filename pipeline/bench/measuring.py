"""Run a command in a process of its own and say what it took."""

from __future__ import annotations

import os
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


@dataclass
class Figures:
    """What the runs of one step took.

    Attributes
    ----------
    seconds, cpu_seconds, peak_mb : list of float
        Of each run: time by the clock, processor time of all its processes, memory of the largest of them.
    """

    seconds: list[float] = field(default_factory=list)
    cpu_seconds: list[float] = field(default_factory=list)
    peak_mb: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        """Median time by the clock."""
        return statistics.median(self.seconds)

    @property
    def median_cpu(self) -> float:
        """Median processor time."""
        return statistics.median(self.cpu_seconds)


def measure(command: Sequence[str], environment: Mapping[str, str], figures: Figures) -> str:
    """Run a command to its end, add what it took to the figures, and return what it printed.

    Raises
    ------
    BuildError
        The command failed; holds the end of its output.
    """
    # bytecode is kept between runs, as it is where nobody forbids it
    allowed = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        started = time.monotonic()
        process = subprocess.Popen(
            command, cwd=paths.PROJECT, env={**allowed, **environment}, stdout=output, stderr=errors
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        took = time.monotonic() - started
        output.seek(0)
        errors.seek(0)
        printed = output.read()
        if process.returncode:
            told = (printed + errors.read())[-3000:]
            raise BuildError(f"`{' '.join(command)}` failed (exit code {process.returncode}):\n{told}")
    figures.seconds.append(took)
    figures.cpu_seconds.append(usage.ru_utime + usage.ru_stime)
    figures.peak_mb.append(usage.ru_maxrss / MAXRSS_PER_MB)
    return printed
