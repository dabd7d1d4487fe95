"""What a ``shop.yml`` costs: the demo shop's files landed as they are, and through a mapping."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from benchmarks.measuring import Figures, measure
from benchmarks.report import machine
from demo import generate
from pipeline.base import paths

ABOUT = """# What a mapping costs

Written by `python -m benchmarks --part mapping`; do not edit. `python -m pipeline load` of the same files of the demo
shop, once as they are and once through `mappings/olist.yml`, in turns; medians of {runs} runs into empty folders.

Machine: {machine}

| orders | files | seconds | CPU | MB |
|---:|---|---:|---:|---:|
"""


def measure_mapping(orders: int, runs: int, folder: Path) -> str:
    """Land a demo shop several times with and without a mapping, each time into an empty folder.

    Parameters
    ----------
    orders : int
        Size of the shop.
    runs : int
    folder : Path
        An empty one to work in.

    Returns
    -------
    str
        The report.
    """
    plain, mapped = folder / "plain", folder / "mapped"
    generate(plain, orders)
    mapped.mkdir()
    for file in plain.iterdir():
        (mapped / file.name).symlink_to(file)
    shutil.copy(paths.PROJECT / "mappings" / "olist.yml", mapped / "shop.yml")
    figures = {plain: Figures(), mapped: Figures()}
    for number in range(runs):
        for raw, found in figures.items():
            warehouse = folder / f"warehouse-{number}"
            environment = {"RAW_DIR": str(raw), "WAREHOUSE_DIR": str(warehouse)}
            measure([sys.executable, "-m", "pipeline", "load"], environment, found)
            shutil.rmtree(warehouse)
    lines = [
        f"| {orders:,} | {name} | {found.median:.1f} | {found.median_cpu:.1f} | {max(found.peak_mb):,.0f} |\n"
        for name, found in zip(("as they are", "through `shop.yml`"), figures.values(), strict=True)
    ]
    added = figures[mapped].median / figures[plain].median - 1
    return (
        ABOUT.format(runs=runs, machine=machine()) + "".join(lines) + f"\nThe mapping adds {added:.0%} to the time.\n"
    )
