"""How fast the demo shop comes out of a PostgreSQL."""

from __future__ import annotations

import shutil
from pathlib import Path

import pyarrow.parquet as pq

from benchmarks.measuring import Figures, measure
from benchmarks.report import machine
from demo.shapes import TABLES_FOLDER, generate_for_database
from pipeline.base import paths
from pipeline.base.errors import InputError

PYTHON = paths.PROJECT / ".venv-extract" / "bin" / "python"
ABOUT = """# Extraction from PostgreSQL

Written by `python -m benchmarks --part extract` with DEMO_DATABASE_URL set; do not edit. The nine tables of the demo
shop, from a PostgreSQL on the same machine into Parquet files, by the command that `make extract` runs, from its start
to its end; medians of {runs} runs. *CPU* and *MB* are those of the extraction alone: the database has its own.

Machine: {machine}

| orders | rows | seconds | rows a second | CPU | MB |
|---:|---:|---:|---:|---:|---:|
"""


def measure_extraction(orders: int, runs: int, folder: Path) -> str:
    """Extract a demo shop several times, each time into an empty folder.

    Parameters
    ----------
    orders : int
        Size of the shop, which is written into the schema ``demo_shop`` of the database first.
    runs : int
    folder : Path
        An empty one to work in.

    Returns
    -------
    str
        The report.

    Raises
    ------
    InputError
        The environment of extraction is not set up.
    """
    if not PYTHON.exists():
        raise InputError("The environment of extraction is not set up: make .venv-extract/.installed")
    shop, environment = folder / "shop", {"WAREHOUSE_DIR": str(folder / "warehouse")}
    generate_for_database(shop, orders)
    measure([str(PYTHON), "-m", "extraction.demo", str(shop / TABLES_FOLDER)], environment, Figures())
    figures, rows = Figures(), 0
    for number in range(runs):
        raw = folder / f"raw-{number}"
        raw.mkdir()
        shutil.copy(shop / "sources.yml", raw)
        measure([str(PYTHON), "-m", "extraction"], {**environment, "RAW_DIR": str(raw)}, figures)
        rows = sum(pq.read_metadata(file).num_rows for file in raw.glob("*.parquet"))
        shutil.rmtree(raw)
    line = (
        f"| {orders:,} | {rows:,} | {figures.median:.1f} | {rows / figures.median:,.0f} | {figures.median_cpu:.1f} | "
        f"{max(figures.peak_mb):,.0f} |\n"
    )
    return ABOUT.format(runs=runs, machine=machine()) + line
