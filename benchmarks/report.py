"""Write what was measured as a page of docs."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from benchmarks.bench import (
    BUILD,
    FIRST_DAY,
    FLOOR,
    LOAD,
    MERGED,
    NEW_DAY,
    OUTPUTS,
    PANDAS,
    POLARS,
    PUBLISH,
    RATIOS,
    RIVALS_MEMORY,
    SCORING,
    TESTS,
    WAREHOUSE,
    Size,
)
from benchmarks.measuring import Figures

STEPS = (
    LOAD,
    BUILD,
    FLOOR,
    TESTS,
    SCORING,
    PUBLISH,
    WAREHOUSE,
    FIRST_DAY,
    NEW_DAY,
    OUTPUTS,
    PANDAS,
    POLARS,
    MERGED,
)
MODELS_SHOWN = 12

HEAD = """# Benchmarks

Written by `make bench`; do not edit. Shops are those of `make demo`. Each step is a process of its own; they run one
after the other, and take turns where there are several runs, of which the median is told. *s* is time by the clock,
*CPU* the processor time of all processes of the step, *MB* the largest memory of one of them. On a machine that does
other work too, the ratios and the CPU tell more than the clock.

Measured: {runs}.

Machine: {machine}
"""

RULES = """
What is compared:

- **The five tables** are `fct_orders`, `customer_rfm`, `customer_abc`, `customer_xyz` and `cohort_retention`. Ours is
  `dbt build` of exactly the models they need, data tests and contracts included, into the database file. The rivals
  are the scripts of [benchmarks](../benchmarks), from the same landed Parquet to Parquet files. After every
  run each cell of theirs is compared with ours; a difference fails the benchmark. They are let off cleaned city
  names, tests, descriptions, and may hold {memory} GB of memory; ours holds less at thirty million orders.
- **The floor** is the statements that `dbt build` made, through DuckDB alone: what `dbt build` takes beyond it is the
  price of dbt and of the tests.
- **Merge everything** is what this warehouse replaces: items, payments and reviews merged into one table, then
  grouped. Its figures are wrong.
- **Whole `dbt build`** is what the pipeline runs: dbt started, its cache warm, every model and data test. Unit tests
  run when the code has changed; they bring their own rows and take the same few seconds at every size.
- **A new day** is a file of orders, items, payments and customers beside the others. A table that came as one file
  lies in the landing as it was read; the first file beside it cuts it into months, once.
"""


def write(sizes: Sequence[Size], file: Path) -> str:
    """Render the report into a file and return it."""
    text = render(sizes)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return text


def render(sizes: Sequence[Size]) -> str:
    """Return the report as Markdown."""
    counts = [len(next(iter(size.steps.values())).seconds) for size in sizes]
    runs = ", ".join(
        f"{count} run{'s' if count > 1 else ''} at {size.orders:,} orders"
        for count, size in zip(counts, sizes, strict=True)
    )
    parts = [
        HEAD.format(runs=runs, machine=machine()),
        _steps(sizes),
        "## Ratios of the medians\n",
        _ratios(sizes),
        RULES.format(memory=RIVALS_MEMORY // 2**30),
    ]
    if any(size.queries for size in sizes):
        parts += ["## What readers ask\n"]
        parts += ["Milliseconds on the published file: all queries of the group, and the slowest.\n", _queries(sizes)]
    if any(size.models for size in sizes):
        parts += ["## Models\n"]
        parts += [
            "Each alone, through DuckDB without dbt: seconds, and peak memory of the engine's buffers. "
            f"The {MODELS_SHOWN} most expensive at each size.\n",
            _models(sizes),
        ]
    return "\n".join(parts)


def machine() -> str:
    """Describe the machine: processor, cores, memory, load, versions."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    load = os.getloadavg()
    versions = ", ".join(f"{name} {version(name)}" for name in ("duckdb", "dbt-core", "pandas"))
    return (
        f"{_processor()}, {os.cpu_count()} cores, {memory:.0f} GB, {platform.system()}; "
        f"Python {platform.python_version()}, {versions}. "
        f"Load average at the end {load[0]:.1f} (1 min), {load[2]:.1f} (15 min); "
        f"{datetime.now(UTC):%Y-%m-%d}."
    )


def _processor() -> str:
    file = Path("/proc/cpuinfo")
    if file.exists():
        for line in file.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.machine()


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows), ""])


def _steps(sizes: Sequence[Size]) -> str:
    head = ["step", *(f"{size.orders:,} orders" for size in sizes)]
    rows = []
    for step in STEPS:
        if not any(step in size.steps for size in sizes):
            continue
        cells = []
        for size in sizes:
            figures = size.steps.get(step, Figures())
            if figures.is_out_of_memory:
                cells.append(f"out of memory ({RIVALS_MEMORY // 2**30} GB)")
                continue
            if not figures.is_measured:
                cells.append("-")
                continue
            cells.append(f"{figures.median:.1f} s (CPU {figures.median_cpu:.1f}, {max(figures.peak_mb):,.0f} MB)")
        rows.append([step, *cells])
    return _table(head, rows)


def _ratios(sizes: Sequence[Size]) -> str:
    head = ["ratio", *(f"{size.orders:,}: clock (CPU)" for size in sizes)]
    rows = []
    for above, below, name in RATIOS:
        if not any(above in size.steps and size.steps.keys() >= set(below) for size in sizes):
            continue
        cells = []
        for size in sizes:
            if not all(step in size.steps and size.steps[step].is_measured for step in (above, *below)):
                cells.append("-")
                continue
            one, others = size.steps[above], [size.steps[step] for step in below]
            seconds = one.median / sum(other.median for other in others)
            cpu_seconds = one.median_cpu / sum(other.median_cpu for other in others)
            cells.append(f"{seconds:.2f} ({cpu_seconds:.2f})")
        rows.append([name, *cells])
    return _table(head, rows)


def _queries(sizes: Sequence[Size]) -> str:
    head = ["queries", "number", *(f"{size.orders:,} orders" for size in sizes)]
    rows = []
    for group in sizes[0].queries:
        cells = []
        for size in sizes:
            if group not in size.queries:
                cells.append("-")
                continue
            everything = statistics.median(run[0] for run in size.queries[group])
            slowest = statistics.median(run[1] for run in size.queries[group])
            cells.append(f"{1000 * everything:,.0f} ({1000 * slowest:,.0f})")
        rows.append([group, str(sizes[0].queries[group][0][2]), *cells])
    return _table(head, rows)


def _models(sizes: Sequence[Size]) -> str:
    shown = []
    for size in sizes:
        if not size.models:
            continue
        costliest = sorted(size.models, key=lambda one: -float(one["seconds"]))[:MODELS_SHOWN]
        rows = [
            [f"`{one['model']}`", f"{one['seconds']:.2f} s", f"{one['peak_mb']:,.0f} MB" if "peak_mb" in one else "-"]
            for one in costliest
        ]
        total = sum(float(one["seconds"]) for one in size.models)
        shown.append(_table([f"{size.orders:,} orders: {total:.1f} s in all", "alone", "peak"], rows))
    return "\n".join(shown)
