"""Start, stop and look after the dashboards: ``python superset/serve.py start|stop|status|bootstrap|add-user``."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import bootstrap
import bounds
import roles
import settings
import warehouse

HOST = "127.0.0.1"
LOG_BYTES, LOG_FILES = 5_000_000, 3


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _pid_file() -> Path:
    return settings.home() / "gunicorn.pid"


def _address() -> str:
    return f"http://localhost:{settings.port()}"


def running() -> int | None:
    """Process id of our own server, if it runs: a stale file may name somebody else's process by now."""
    try:
        process = int(_pid_file().read_text())
        command = Path(f"/proc/{process}/cmdline")
        if command.exists():
            words = command.read_bytes().decode(errors="replace")
            ours = "gunicorn" in words and str(settings.home()) in words
        else:
            os.kill(process, 0)
            ours = True
    except (FileNotFoundError, ValueError, ProcessLookupError, PermissionError):
        return None
    return process if ours else None


def _answers(path: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://{HOST}:{settings.port()}{path}", timeout=10) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _rotate(log: Path) -> None:
    """Keep the last few log files of a bounded size."""
    if not log.exists() or log.stat().st_size < LOG_BYTES:
        return
    for number in range(LOG_FILES - 1, 0, -1):
        older = log.with_suffix(f".log.{number}")
        if older.exists():
            older.replace(log.with_suffix(f".log.{number + 1}"))
    log.replace(log.with_suffix(".log.1"))


def _announce() -> None:
    """Print where the dashboards are and how to come in."""
    word = (settings.home() / bootstrap.PASSWORD_FILE).read_text().strip()
    print(f"\n  Dashboards  {_address()}\n  User        {bootstrap.ADMIN_USER}\n  Password    {word}\n", flush=True)


def _port_taken() -> bool:
    import socket

    with socket.socket() as probe:
        return probe.connect_ex((HOST, settings.port())) == 0


def start(wait_seconds: float = 120) -> int:
    """Bootstrap when needed, start the server unless it runs, and wait until it lets people in."""
    if not warehouse.STAKEHOLDERS.file().exists():
        _say(f"no published warehouse in {settings.warehouse_dir()}: run `make warehouse` first")
        return 1
    changed = bootstrap.run()
    process = running()
    started_from = settings.home() / "gunicorn.code"
    if process and (not started_from.exists() or started_from.read_text() != bootstrap.code_digest()):
        _say("  the server's code or settings changed: it is started again")
        stop()
        process = None
    if process:
        _announce()
        _say(f"  already running (process {process}{', dashboards brought up to date' if changed else ''})")
        return 0
    if _port_taken():
        _say(f"port {settings.port()} is taken by another program: stop it, or choose another with SUPERSET_PORT")
        return 1
    log = settings.home() / "superset.log"
    _rotate(log)
    command = [
        *(sys.executable, "-m", "gunicorn", "superset.app:create_app()"),
        *("--bind", f"{HOST}:{settings.port()}"),
        *("--workers", os.environ.get("SUPERSET_WORKERS") or "2"),
        *("--worker-class", "gthread"),
        *("--threads", os.environ.get("SUPERSET_THREADS") or "8"),
        # Longer than the longest query: a worker is only killed when it hangs.
        *("--timeout", str(int(bounds.QUERY_SECONDS) + 60)),
        # Superset puts whole filter states into addresses.
        *("--limit-request-line", "0"),
        *("--limit-request-field_size", "0"),
        *("--pid", str(_pid_file())),
        *("--chdir", str(settings.home())),
        *("--log-level", "warning"),
        *("--config", str(settings.ROOM / "bounds.py")),
    ]
    started_from.write_text(bootstrap.code_digest())
    started = time.monotonic()
    with log.open("ab") as out:
        server = subprocess.Popen(
            command,
            env=bootstrap.environment(),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    while time.monotonic() - started < wait_seconds:
        if server.poll() is not None:
            _say(f"the server ended at once; the end of {log}:\n" + "\n".join(log.read_text().splitlines()[-25:]))
            return 1
        if _answers("/health") and _answers("/login/"):
            _say(f"  {'server':<28} {'on loopback only':<58} {time.monotonic() - started:6.1f} s")
            _announce()
            return 0
        time.sleep(0.3)
    _say(f"the server did not answer within {wait_seconds:.0f} s; see {log}")
    stop()
    return 1


def stop() -> int:
    """End our own server, if it runs."""
    process = running()
    if process is None:
        _pid_file().unlink(missing_ok=True)
        _say("  the dashboards are not running")
        return 0
    os.kill(process, signal.SIGTERM)
    for _ in range(200):
        if running() is None:
            break
        time.sleep(0.1)
    else:
        os.kill(process, signal.SIGKILL)
    _pid_file().unlink(missing_ok=True)
    _say(f"  stopped (process {process})")
    return 0


def status() -> int:
    """Say whether the dashboards run and which build they show."""
    process = running()
    if process is None:
        print("not running")
        return 1
    print(f"running (process {process}) at {_address()}, build {warehouse.build_id()}")
    return 0


def add_user(name: str, role: str, state: str | None = None) -> int:
    """Add a person, or give a known one a new password, and print it once."""
    bootstrap.run()
    with bootstrap.application().app_context():
        from superset import security_manager  # type: ignore[attr-defined]  # our folder is not that package

        word = roles.add_user(security_manager, name, role)
        if state:
            roles.restrict_to_state(security_manager, name, state)
    print(f"\n  User        {name} ({role}{f', only {state}' if state else ''})\n  Password    {word}\n")
    return 0


def main() -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("start", help="bring the state up to date and start the server")
    commands.add_parser("stop", help="end the server")
    commands.add_parser("status", help="is it running?")
    again = commands.add_parser("bootstrap", help="bring the state up to date")
    again.add_argument("--force", action="store_true", help="do every step, whatever changed")
    user = commands.add_parser("add-user", help="add a person with a generated password")
    user.add_argument("name")
    user.add_argument("--role", choices=roles.ROLES, default=roles.STAKEHOLDER)
    user.add_argument("--state", help="show this person one state only, for example SP")
    given = parser.parse_args()
    if given.command == "bootstrap":
        _say("brought up to date" if bootstrap.run(given.force) else "nothing to do")
        return 0
    if given.command == "add-user":
        return add_user(given.name, given.role, given.state)
    if given.command == "start":
        return start()
    return stop() if given.command == "stop" else status()


if __name__ == "__main__":
    sys.exit(main())
