"""Where Superset's things are: the one place that reads SUPERSET_HOME, SUPERSET_PORT and WAREHOUSE_DIR."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

ROOM = Path(__file__).resolve().parent
PROJECT = ROOM.parent
ASSETS = ROOM / "assets"


def warehouse_dir() -> Path:
    """Folder of the published builds (``WAREHOUSE_DIR``)."""
    return Path(os.environ.get("WAREHOUSE_DIR") or PROJECT / "data/warehouse").expanduser().resolve()


def home() -> Path:
    """Folder of Superset's own state (``SUPERSET_HOME``); by default ``superset`` beside the warehouse's folder.

    Created with mode 700: it holds the secret key, the password hashes and cached results.
    """
    named = os.environ.get("SUPERSET_HOME")
    folder = Path(named).expanduser().resolve() if named else warehouse_dir().parent / "superset"
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    return folder


def port() -> int:
    """Port on loopback (``SUPERSET_PORT``)."""
    return int(os.environ.get("SUPERSET_PORT") or 8088)


def metadata_uri() -> str:
    """Return the SQLAlchemy URI of Superset's metadata: ``SUPERSET_METADATA_URI``, or a SQLite file in its home."""
    return os.environ.get("SUPERSET_METADATA_URI") or f"sqlite:///{home() / 'metadata.db'}?check_same_thread=false"


def redis_url() -> str:
    """Return where Redis listens, password and all (``SUPERSET_REDIS_URL``); empty for caches in files."""
    return os.environ.get("SUPERSET_REDIS_URL") or ""


def behind_https() -> bool:
    """Whether a reverse proxy in front ends TLS (``SUPERSET_HTTPS=1``)."""
    return os.environ.get("SUPERSET_HTTPS") == "1"


def secret(name: str, length: int = 32) -> str:
    """Return a secret that is generated at first use and kept in a file that only its owner can read.

    Parameters
    ----------
    name : str
        File name inside Superset's home.
    length : int
        Bytes of randomness.
    """
    path = home() / name
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text().strip()
    with os.fdopen(descriptor, "w") as handle:
        handle.write(secrets.token_urlsafe(length) + "\n")
    return path.read_text().strip()
