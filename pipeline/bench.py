"""Measure the pipeline's steps on this machine: seconds and peak memory of each, on generated shops."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from pipeline import paths
from pipeline.console import say
from pipeline.errors import BuildError

STEPS = {
    "demo": ["demo", "--orders", "{orders}", "--out", "{raw}"],
    "load": ["load"],
    "warehouse, no scores": ["warehouse", "--no-score"],
    "warehouse": ["warehouse"],
}


def bench(sizes: list[int], runs: int) -> str:
    """Time each step in a process and a folder of its own.

    Parameters
    ----------
    sizes : list of int
        Numbers of orders.
    runs : int
        Runs of each step; the median is told.

    Returns
    -------
    str
        A Markdown table: seconds (median) and peak memory in MB (largest) per step and size.

    Raises
    ------
    BuildError
        A step failed.
    """
    lines = ["| step | " + " | ".join(f"{size:,} orders" for size in sizes) + " |", "|---" * (len(sizes) + 1) + "|"]
    cells: dict[str, list[str]] = {name: [] for name in STEPS}
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            raw = Path(folder) / "raw"
            for name, arguments in STEPS.items():
                seconds, memory = [], 0.0
                for run in range(runs):
                    warehouse = Path(folder) / f"{name.replace(' ', '-')}-{run}"
                    took, peak = _measure([part.format(orders=size, raw=raw) for part in arguments], raw, warehouse)
                    seconds.append(took)
                    memory = max(memory, peak)
                cells[name].append(f"{statistics.median(seconds):.1f} s, {memory:,.0f} MB")
                say(f"  {name}, {size:,} orders: {cells[name][-1]}")
    return "\n".join([*lines, *(f"| {name} | " + " | ".join(row) + " |" for name, row in cells.items())])


def _measure(arguments: list[str], raw: Path, warehouse: Path) -> tuple[float, float]:
    environment = {
        **os.environ,
        "RAW_DIR": str(raw),
        "WAREHOUSE_DIR": str(warehouse),
        "DBT_TARGET_PATH": str(warehouse / "dbt-target"),
        "DBT_LOG_PATH": str(warehouse / "dbt-logs"),
    }
    started = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "pipeline", *arguments],
        cwd=paths.PROJECT,
        env=environment,
        stderr=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise BuildError(f"`python -m pipeline {' '.join(arguments)}` failed (exit code {process.returncode}).")
    kilobytes_per_unit = 1 / 1024 if sys.platform == "darwin" else 1
    return time.monotonic() - started, usage.ru_maxrss * kilobytes_per_unit / 1024
