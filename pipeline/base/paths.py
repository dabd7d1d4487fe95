"""Where things are: the one place that reads RAW_DIR and WAREHOUSE_DIR."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

from pipeline.base.errors import PipelineError

PROJECT = Path(__file__).resolve().parents[2]
RAW_DEFAULT = Path("data/raw")
DEMO_DEFAULT = Path("data/demo")
ALERTS = Path("alerts.yml")
# DuckDB reads a question mark in a path as the beginning of options, and a backslash as a slash, however it is written.
NEVER_OPENED = "?\\"
# Links by which folders are reached, with the names that people know.
_linked: dict[str, str] = {}


def raw_dir() -> Path:
    """Folder of the nine raw tables.

    Returns
    -------
    Path
        ``RAW_DIR`` when set; else ``data/raw`` when it holds any file, else ``data/demo``.
    """
    named = os.environ.get("RAW_DIR")
    if named:
        return openable(Path(named).expanduser().resolve())
    own = PROJECT / RAW_DEFAULT
    if own.is_dir() and any(not entry.name.startswith(".") for entry in own.iterdir()):
        return own
    return PROJECT / DEMO_DEFAULT


def has_raw_files() -> bool:
    """Tell whether there is anything in the folder of raw tables."""
    folder = raw_dir()
    return folder.is_dir() and any(folder.iterdir())


def warehouse_dir() -> Path:
    """Folder of the landing files, the build file and the published builds (``WAREHOUSE_DIR``).

    Raises
    ------
    PipelineError
        DuckDB cannot keep a file there.
    """
    folder = Path(os.environ.get("WAREHOUSE_DIR") or PROJECT / "data/warehouse").expanduser().resolve()
    if set(NEVER_OPENED) & set(str(folder)):
        raise PipelineError(
            f"The warehouse folder is {folder}: DuckDB opens no file whose path holds a question mark or a backslash. "
            "Set WAREHOUSE_DIR to another folder."
        )
    return openable(folder)


def openable(folder: Path) -> Path:
    """Return a path by which DuckDB and dbt can open what lies in a folder: the folder's own, nearly always.

    dbt takes a hash for the end of a path, and neither knows names that are not UTF-8. Such a folder is reached
    through a link with a plain name, in a folder of this user's own.

    Parameters
    ----------
    folder : Path
        An absolute path.

    Raises
    ------
    PipelineError
        The place of the links belongs to somebody else.
    """
    text = str(folder)
    if "#" not in text and text.isprintable() and is_utf8(text):
        return folder
    links = Path(tempfile.gettempdir()) / f"retention-warehouse-{os.getuid()}"
    links.mkdir(mode=0o700, exist_ok=True)
    if links.is_symlink() or links.stat().st_uid != os.getuid():
        raise PipelineError(
            f"{folder!r} has a name that dbt cannot open, and {links}, where a plain name for it would be kept, "
            "belongs to somebody else. Rename the folder."
        )
    link = links / hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    if not link.is_symlink():
        part = link.with_name(f"{link.name}.{os.getpid()}.part")
        part.symlink_to(folder, target_is_directory=True)
        part.replace(link)
    _linked[str(link)] = "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text
    )
    return link


def as_given(text: str) -> str:
    """Write a message with the folders that people named, where it has the links they are reached through."""
    for link, folder in _linked.items():
        text = text.replace(link, folder)
    return text


def is_utf8(name: str) -> bool:
    """Tell whether a name is one that other programs can read: the disk allows any bytes."""
    return not any("\udc80" <= letter <= "\udcff" for letter in name)


def make_private(folder: Path) -> None:
    """Create a folder that nobody else on the machine may read: orders of real people will lie in it."""
    place = folder.resolve()
    place.parent.mkdir(parents=True, exist_ok=True)
    place.mkdir(mode=0o700, exist_ok=True)


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


def campaigns_dir() -> Path:
    """Folder of launches and exports (``CAMPAIGNS_DIR``), beside the warehouse: no build changes it."""
    named = os.environ.get("CAMPAIGNS_DIR")
    return openable(Path(named).expanduser().resolve()) if named else openable(warehouse_dir().parent / "campaigns")


def lists_dir() -> Path:
    """Folder of exported lists with people's addresses, beside the campaigns: no backup takes it along."""
    return campaigns_dir().parent / "lists"


def extraction_dir() -> Path:
    """Folder of what extraction needs while it runs, beside the warehouse."""
    return openable(warehouse_dir().parent / "extract")


def models_dir() -> Path:
    """Folder of the models learned from labelled tables (``MODELS_DIR``), one folder each."""
    return Path(os.environ.get("MODELS_DIR") or PROJECT / "data/models").expanduser().resolve()


def alerts_file() -> Path:
    """File that declares the alerts: ``ALERTS_FILE``, else the project's ``alerts.yml``."""
    named = os.environ.get("ALERTS_FILE")
    return Path(named).expanduser().resolve() if named else PROJECT / ALERTS


def metrics_file() -> Path:
    """File of the figures for Prometheus: ``METRICS_FILE``, else in the warehouse folder."""
    named = os.environ.get("METRICS_FILE")
    return Path(named).expanduser().resolve() if named else warehouse_dir() / "metrics.prom"


def target_dir() -> Path:
    """Folder of dbt's artefacts (``DBT_TARGET_PATH``)."""
    return Path(os.environ.get("DBT_TARGET_PATH") or PROJECT / "target").resolve()


def dbt_manifest() -> Path:
    """File in which dbt tells others of the project: models, columns, descriptions."""
    return target_dir() / "manifest.json"
