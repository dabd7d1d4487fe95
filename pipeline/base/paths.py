"""Where things are: the one place that reads RAW_DIR and WAREHOUSE_DIR."""

from __future__ import annotations

import os
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
RAW_DEFAULT = Path("data/raw")
DEMO_DEFAULT = Path("data/demo")


def raw_dir() -> Path:
    """Folder of the nine raw tables.

    Returns
    -------
    Path
        ``RAW_DIR`` when set; else ``data/raw`` when it holds any file, else ``data/demo``.
    """
    named = os.environ.get("RAW_DIR")
    if named:
        return Path(named).expanduser().resolve()
    own = PROJECT / RAW_DEFAULT
    if own.is_dir() and any(not entry.name.startswith(".") for entry in own.iterdir()):
        return own
    return PROJECT / DEMO_DEFAULT


def has_raw_files() -> bool:
    """Tell whether there is anything in the folder of raw tables."""
    folder = raw_dir()
    return folder.is_dir() and any(folder.iterdir())


def warehouse_dir() -> Path:
    """Folder of the landing files, the build file and the published builds (``WAREHOUSE_DIR``)."""
    return Path(os.environ.get("WAREHOUSE_DIR") or PROJECT / "data/warehouse").expanduser().resolve()


def make_private(folder: Path) -> None:
    """Create a folder that nobody else on the machine may read: orders of real people will lie in it."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)


def make_warehouse_dir() -> None:
    """Create the warehouse folder where there is none."""
    make_private(warehouse_dir())


def spill_dir() -> Path:
    """Folder for what does not fit into memory while a step runs."""
    return warehouse_dir() / "spill"


def landing_dir() -> Path:
    """Folder of the typed Parquet files that staging reads."""
    return warehouse_dir() / "landing"


def build_file() -> Path:
    """Return the DuckDB file that dbt and scoring write; it is never served."""
    return warehouse_dir() / "build.duckdb"


def spark_dir() -> Path:
    """Folder of the tables of a build on Spark, for as long as it lasts."""
    return warehouse_dir() / "spark"


def builds_dir() -> Path:
    """Folder of the published builds; ``current`` beside it points at one of them."""
    return warehouse_dir() / "builds"


def current_link() -> Path:
    """Symlink to the published build that readers open."""
    return warehouse_dir() / "current"


def models_dir() -> Path:
    """Folder of the models learned from labelled tables (``MODELS_DIR``), one folder each."""
    return Path(os.environ.get("MODELS_DIR") or PROJECT / "data/models").expanduser().resolve()


def target_dir() -> Path:
    """Folder of dbt's artefacts (``DBT_TARGET_PATH``)."""
    return Path(os.environ.get("DBT_TARGET_PATH") or PROJECT / "target").resolve()


def dbt_manifest() -> Path:
    """File in which dbt tells others of the project: models, columns, descriptions."""
    return target_dir() / "manifest.json"
