"""Serve the API on this machine: ``python -m api``, or ``make api``."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from pipeline.base import paths
from pipeline.base.console import say
from pipeline.base.errors import PipelineError
from pipeline.base.outcome import exit_code_of, run_until_stopped

# API_HOST is for a container, whose network is its own
LOOPBACK = "127.0.0.1"


def main(arguments: list[str] | None = None) -> int:
    """Serve until it is stopped; returns an exit code."""
    parser = argparse.ArgumentParser(prog="python -m api", description=__doc__)
    parser.add_argument("--port", type=int, help="on loopback; API_PORT, else 8089")
    options = parser.parse_args(arguments)
    return exit_code_of(lambda: run_until_stopped(lambda: _serve(options.port)))


def keys_folder() -> Path:
    """Folder of the keys (``API_HOME``)."""
    return Path(os.environ.get("API_HOME") or paths.PROJECT / "data/api").expanduser().resolve()


def _serve(port: int | None) -> None:
    # imported here: they take a second, in which Ctrl-C is to be heard too
    import uvicorn

    from api.app import create_app
    from api.keys import read_or_make

    port = port or int(_number("API_PORT", 8089))
    try:
        keys, made = read_or_make(keys_folder())
    except PermissionError as error:
        raise PipelineError(str(error)) from error
    app = create_app(keys, _number("API_RATE", 100))
    for role, key in made.items():
        say(f"  api: key of the role {role}, shown once and kept in {role}.key of {keys_folder()}: {key}")
    say(f"  api: http://localhost:{port}, its description on http://localhost:{port}/docs")
    # access is counted in /metrics; a log of addresses would be a log of customers
    uvicorn.run(
        app,
        host=os.environ.get("API_HOST") or LOOPBACK,
        port=port,
        access_log=False,
        log_level="warning",
        server_header=False,
    )


def _number(name: str, default: float) -> float:
    given = os.environ.get(name) or str(default)
    try:
        number = float(given)
    except ValueError:
        number = 0.0
    if not number > 0:
        raise PipelineError(f"{name} is {given!r}; it must be a number above 0.")
    return number


if __name__ == "__main__":
    sys.exit(main())
