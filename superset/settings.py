"""Where Superset's things are: the one place that reads SUPERSET_HOME, SUPERSET_PORT and WAREHOUSE_DIR."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import yaml

ROOM = Path(__file__).resolve().parent
PROJECT = ROOM.parent
ASSETS = ROOM / "assets"


def read_yaml(file: Path) -> Any:
    """Read a file of the assets, by the parser in C: there are some two hundred, and every start looks at them."""
    return yaml.load(file.read_text(), Loader=yaml.CSafeLoader)


class SettingError(ValueError):
    """A setting names something that cannot be used."""


def warehouse_dir() -> Path:
    """Folder of the published builds (``WAREHOUSE_DIR``)."""
    return Path(os.environ.get("WAREHOUSE_DIR") or PROJECT / "data/warehouse").expanduser().resolve()


def home() -> Path:
    """Folder of Superset's own state (``SUPERSET_HOME``); by default beside the warehouse, under the warehouse's name.

    Created with mode 700, since it holds the secret key, the password hashes and cached results; for the same reason
    git passes it over, wherever it is.

    Raises
    ------
    SettingError
        If it would be the folder of this code, or has a name that SQLite does not take.
    """
    folder = home_folder()
    if folder in (ROOM, PROJECT) or ROOM in folder.parents:
        raise SettingError(f"SUPERSET_HOME={folder} is a folder of source code: name another one for secrets and state")
    if "?" in str(folder):
        raise SettingError(f"{folder}: SQLite takes what follows a question mark for options; name another folder")
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    ignored = folder / ".gitignore"
    if not ignored.exists() or not ignored.stat().st_size:  # written where the disk was full
        ignored.write_text("*\n")
    return folder


def home_folder() -> Path:
    """Return where Superset's state is, or would be."""
    named = os.environ.get("SUPERSET_HOME")
    beside = warehouse_dir().with_name(f"{warehouse_dir().name}-superset")
    return Path(named).expanduser().resolve() if named else beside


def port() -> int:
    """Port on loopback (``SUPERSET_PORT``).

    Raises
    ------
    SettingError
        If it is no port.
    """
    named = os.environ.get("SUPERSET_PORT") or "8088"
    if not named.isdecimal() or not 0 < int(named) < 2**16:
        raise SettingError(f"SUPERSET_PORT={named} is no port: a number from 1 to 65535")
    return int(named)


def metadata_uri() -> str:
    """Return the SQLAlchemy URI of Superset's metadata: ``SUPERSET_METADATA_URI``, or a SQLite file in its home."""
    return os.environ.get("SUPERSET_METADATA_URI") or sqlite_uri(home() / "metadata.db")


def sqlite_uri(file: Path) -> str:
    """Return the URI of metadata in a SQLite file."""
    return f"sqlite:///{file}?check_same_thread=false"


def redis_url() -> str:
    """Return where Redis listens, password and all (``SUPERSET_REDIS_URL``); empty for caches in files."""
    return os.environ.get("SUPERSET_REDIS_URL") or ""


def behind_https() -> bool:
    """Whether a reverse proxy in front ends TLS (``SUPERSET_HTTPS=1``)."""
    return os.environ.get("SUPERSET_HTTPS") == "1"


def is_public() -> bool:
    """Whether visitors without an account see the stakeholders' dashboards (``SUPERSET_PUBLIC=1``)."""
    return os.environ.get("SUPERSET_PUBLIC") == "1"
