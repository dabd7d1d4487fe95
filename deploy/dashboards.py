"""The dashboards as the only process of a container: state brought up to date, then the server, in the foreground.

Passwords are read from files, as a container is given them, and are in no file and no command line of ours.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

ROOM = Path(__file__).resolve().parents[1] / "superset"
# Longer than the longest query, so that a worker is only ended when it hangs.
BEYOND_A_QUERY = 60
REQUEST_LINE = 8190  # the longest that gunicorn counts: Superset puts filter states into addresses


def main() -> None:
    """Bring Superset's state up to date and become the server.

    Raises
    ------
    SystemExit
        A setting or a secret is missing, or the state could not be brought up to date.
    """
    environment = {
        **os.environ,
        "SUPERSET_METADATA_URI": _metadata_uri(),
        "SUPERSET_REDIS_URL": _redis_url(),
        "SUPERSET_CONFIG_PATH": str(ROOM / "superset_config.py"),
        "FLASK_APP": "superset",
    }
    prepared = subprocess.run([sys.executable, str(ROOM / "serve.py"), "bootstrap"], env=environment, check=False)
    if prepared.returncode:
        sys.exit(prepared.returncode)
    seconds = float(os.environ.get("SUPERSET_QUERY_SECONDS") or 60) + BEYOND_A_QUERY
    command = [
        *(sys.executable, "-m", "gunicorn", "superset.app:create_app()"),
        *("--bind", f"{os.environ.get('DASHBOARDS_HOST') or '127.0.0.1'}:{os.environ.get('SUPERSET_PORT') or 8088}"),
        *("--workers", os.environ.get("SUPERSET_WORKERS") or "2"),
        *("--worker-class", "gthread"),
        *("--threads", os.environ.get("SUPERSET_THREADS") or "8"),
        *("--timeout", f"{seconds:.0f}"),
        *("--limit-request-line", str(REQUEST_LINE)),
        *("--worker-tmp-dir", "/dev/shm" if Path("/dev/shm").is_dir() else "/tmp"),  # noqa: S108 - memory, not a disk
        *("--chdir", _needed("SUPERSET_HOME")),
        *("--log-level", "warning"),
        # what a worker may take of memory and time
        *("--config", str(ROOM / "bounds.py")),
    ]
    os.execve(sys.executable, command, environment)  # noqa: S606 - no shell is wanted


def _metadata_uri() -> str:
    """Return the URI of the metadata database, from settings without a secret and a file with one."""
    user, name = _needed("POSTGRES_USER"), _needed("POSTGRES_DB")
    place = f"{_needed('POSTGRES_HOST')}:{os.environ.get('POSTGRES_PORT') or 5432}"
    return f"postgresql+psycopg2://{quote(user)}:{_secret('POSTGRES_PASSWORD_FILE')}@{place}/{quote(name)}"


def _redis_url() -> str:
    place = f"{_needed('REDIS_HOST')}:{os.environ.get('REDIS_PORT') or 6379}"
    return f"redis://:{_secret('REDIS_PASSWORD_FILE')}@{place}/0"


def _secret(variable: str) -> str:
    """Return the secret in the file that a variable names, as an address holds it."""
    file = Path(_needed(variable))
    try:
        word = file.read_text().strip()
    except OSError as error:
        sys.exit(f"error: {variable} names {file}, which cannot be read ({error.strerror}): run deploy/make_secrets.sh")
    if not word:
        sys.exit(f"error: {variable} names {file}, which is empty: run deploy/make_secrets.sh")
    return quote(word, safe="")


def _needed(variable: str) -> str:
    value = os.environ.get(variable)
    if not value:
        sys.exit(f"error: {variable} is not set; deploy/compose.yaml sets it")
    return value


if __name__ == "__main__":
    main()
