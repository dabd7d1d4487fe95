"""Start, stop and look after the dashboards: ``python superset/serve.py start|stop|status|bootstrap|add-user``."""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import basemap
import bootstrap
import bounds
import duckdb
import roles
import settings
import state
import warehouse
from charts import AssetError

HOST = "127.0.0.1"
LOG_BYTES, LOG_FILES = 5_000_000, 3
KEPT_REQUEST_DAYS = 180
PID_FILE, SERVER_FILE, ALIVE_FILE = "gunicorn.pid", "server.json", "server.lock"
# What a request that is running is given to end by itself, and the whole server after that.
GRACE_SECONDS, END_SECONDS = 10, 20
# What gunicorn needs, on a busy machine too, until it has written down its process.
BEGIN_SECONDS = 30
STOPPED_BY_HAND = 130  # exit code, as of every other command

_say = state.say


@dataclass(frozen=True)
class Running:
    """A server of ours that is alive."""

    process: int
    port: int
    warehouse: str
    code: str = ""

    @property
    def address(self) -> str:
        """Where it is."""
        return f"http://localhost:{self.port}"


def _is_alive(home: Path) -> bool:
    """Whether any process of the server lives: master and workers hold a lock that they inherited."""
    try:
        with (home / ALIVE_FILE).open() as handle:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        pass
    return False


def _master(home: Path) -> int | None:
    """Return the process id that gunicorn wrote down: a stale file may name somebody else's process by now."""
    try:
        process = int((home / PID_FILE).read_text())
        command = Path(f"/proc/{process}/cmdline")
        if command.exists():
            words = command.read_bytes().decode(errors="replace")
            ours = "gunicorn" in words and str(home) in words
        else:
            os.kill(process, 0)
            ours = True
    except (FileNotFoundError, ValueError, ProcessLookupError, PermissionError):
        return None
    return process if ours else None


def running(home: Path | None = None) -> Running | None:
    """Return our own server, if any process of it lives.

    Parameters
    ----------
    home : Path, optional
        Superset's home; that of the settings by default.
    """
    home = home or settings.home()
    until = time.monotonic() + BEGIN_SECONDS
    while _is_alive(home):
        with contextlib.suppress(FileNotFoundError, ValueError, TypeError):
            return Running(**json.loads((home / SERVER_FILE).read_text()))
        # The file is lost or cut, or its start was killed before it wrote it: gunicorn writes its own a little later.
        if process := _master(home):
            return _unknown(process)
        if time.monotonic() > until:
            return None
        time.sleep(0.1)
    # A server of an earlier version wrote no such file and held no lock.
    process = _master(home)
    return _unknown(process) if process else None


def _unknown(process: int) -> Running:
    """Return a server of which no more is known than its process."""
    return Running(process, settings.port(), str(settings.warehouse_dir()))


def _is_nameless(home: Path) -> bool:
    """Whether processes of a server live that nobody can name, and say so."""
    if not _is_alive(home):
        return False
    _say(f"  the dashboards run, but {home / SERVER_FILE} and {home / PID_FILE} are lost or cut: end the")
    _say("  processes named gunicorn by hand")
    return True


def _answers(port: int, path: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://{HOST}:{port}{path}", timeout=10) as answer:
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


def _announce(port: int) -> None:
    """Print where the dashboards are and how to come in."""
    word = state.read_line(settings.home() / bootstrap.PASSWORD_FILE)
    print(
        f"\n  Dashboards  http://localhost:{port}\n  User        {bootstrap.ADMIN_USER}\n  Password    {word}\n",
        flush=True,
    )


def _port_taken(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0


# What lies in a home; the secret key comes last: with it a move is complete.
STATE_NAMES = (
    *("bootstrap.json", "bootstrap.log", "superset.log", "superset.log.1", "superset.log.2", "superset.log.3"),
    *("gunicorn.pid", "gunicorn.code", "cache", "spill", basemap.OUTLINES),
    *("metadata.db-wal", "metadata.db-shm", "metadata.db", bootstrap.PASSWORD_FILE, bootstrap.SECRET_KEY_FILE),
)


def _take_over() -> None:
    """Move the state here from ``superset`` beside the warehouse, where it was before each warehouse had its own."""
    home, old = settings.home(), settings.warehouse_dir().parent / "superset"
    if os.environ.get("SUPERSET_HOME") or old == home or not (old / bootstrap.SECRET_KEY_FILE).exists():
        return
    # Outlines say that it is a home of ours; a move that was killed may have brought them over already.
    if (home / bootstrap.SECRET_KEY_FILE).exists() or not any((one / basemap.OUTLINES).exists() for one in (old, home)):
        return
    beside = settings.warehouse_dir().parent.iterdir()
    others = [one.name for one in beside if one != settings.warehouse_dir() and (one / "current").exists()]
    if others and settings.warehouse_dir().name != "warehouse":
        _say(f"  {old} holds accounts and secrets of this warehouse or of {', '.join(others)}: it is left where it is.")
        _say(f"  To go on with it here, stop its server and move it to {home}")
        return
    if (found := running(old)) and not _end(old, found):
        raise bootstrap.BootstrapError(f"the server of {old} could not be stopped: nothing was changed")
    for name in STATE_NAMES:
        if (old / name).exists():
            (old / name).replace(home / name)
    with contextlib.suppress(OSError):  # the folder of this code, or one with more in it
        old.rmdir()
    _say(f"  accounts, secrets and people's own charts were moved from {old} to {home}: each warehouse has its own now")


@contextlib.contextmanager
def _ready() -> Iterator[None]:
    """Hold the lock of this home, with the state in it."""
    with state.only_one():
        _take_over()
        yield


def start(wait_seconds: float = 120) -> int:
    """Bootstrap when needed, start the server unless it runs, and wait until it lets people in."""
    with _ready():
        return _start(wait_seconds)


def _is_in_the_way(found: Running | None, port: int) -> bool:
    """Whether something keeps the dashboards from being started here, and say what."""
    if found is None and _is_nameless(settings.home()):
        return True
    if found and found.warehouse != str(settings.warehouse_dir()):
        _say(f"the dashboards in {settings.home()} show another warehouse, {found.warehouse}:")
        _say("stop them first, or give this one a place of its own with SUPERSET_HOME")
        return True
    if (not found or found.port != port) and _port_taken(port):
        _say(f"port {port} is taken by another program, or by another warehouse's dashboards: stop that, or choose")
        _say("another port with SUPERSET_PORT")
        return True
    return False


def _start(wait_seconds: float) -> int:
    _need_warehouse()
    port = settings.port()
    if _is_in_the_way(running(), port):
        return 1
    changed = bootstrap.run(before_replacing=_stop_for_change)
    found = running()
    code = bootstrap.code_digest()
    # without its master what is left of a server is about to end
    if found and (found.code != code or _master(settings.home()) is None):
        _say("  the server's code or settings changed, or it was cut off: it is started again")
        if _stop():
            return 1
        found = None
    if found:
        if not _wait_for(found.port, wait_seconds):
            _say(f"the server runs (process {found.process}), but does not answer: make stop, then start it again")
            return 1
        _announce(found.port)
        _say(f"  already running (process {found.process}{', dashboards brought up to date' if changed else ''})")
        return 0
    state.remove_old_requests(KEPT_REQUEST_DAYS)
    return _launch(port, code, wait_seconds)


def _need_warehouse() -> None:
    if not warehouse.STAKEHOLDERS.file().exists():
        raise settings.SettingError(f"no published warehouse in {settings.warehouse_dir()}: run `make warehouse` first")


def _launch(port: int, code: str, wait_seconds: float) -> int:
    """Start gunicorn and wait until it answers."""
    log = settings.home() / "superset.log"
    _rotate(log)
    command = [
        *(sys.executable, "-m", "gunicorn", "superset.app:create_app()"),
        *("--bind", f"{HOST}:{port}"),
        *("--workers", str(bounds.number("SUPERSET_WORKERS", 2))),
        *("--worker-class", "gthread"),
        *("--threads", str(bounds.number("SUPERSET_THREADS", 8))),
        # Longer than the longest query: a worker is only killed when it hangs.
        *("--timeout", str(int(bounds.QUERY_SECONDS) + 60)),
        *("--graceful-timeout", str(GRACE_SECONDS)),
        # The longest that gunicorn knows besides "any": Superset puts filter states into addresses.
        *("--limit-request-line", "8190"),
        *("--pid", str(settings.home() / PID_FILE)),
        *("--chdir", str(settings.home())),
        # Warnings are about requests that make no sense, as many as somebody cares to send.
        *("--log-level", "error"),
        *("--config", str(settings.ROOM / "bounds.py")),
    ]
    started = time.monotonic()
    for left_behind in (PID_FILE, SERVER_FILE):  # by a server that was cut off: its number may be anybody's by now
        (settings.home() / left_behind).unlink(missing_ok=True)
    with (settings.home() / ALIVE_FILE).open("a") as alive, log.open("ab") as out:
        fcntl.flock(alive, fcntl.LOCK_EX)
        server = subprocess.Popen(
            command,
            env=bootstrap.environment(),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=(alive.fileno(),),
        )
        found = Running(server.pid, port, str(settings.warehouse_dir()), code)
        state.write_whole(settings.home() / SERVER_FILE, json.dumps(asdict(found)))
    if _wait_for(port, wait_seconds, lambda: server.poll() is not None):
        _say(f"  {'server':<28} {'on loopback only':<58} {time.monotonic() - started:6.1f} s")
        _announce(port)
        return 0
    if server.poll() is not None:
        _say(f"the server ended at once; the end of {log}:\n" + "\n".join(log.read_text().splitlines()[-25:]))
        return 1
    _say(f"the server did not answer within {wait_seconds:.0f} s; see {log}")
    _stop()
    return 1


def _wait_for(port: int, seconds: float, has_ended: Callable[[], bool] = lambda: False) -> bool:
    """Wait until the server lets people in; return whether it does."""
    until = time.monotonic() + seconds
    while not has_ended() and time.monotonic() < until:
        if _answers(port, "/health") and _answers(port, "/login/"):
            return True
        time.sleep(0.3)
    return False


def _end(home: Path, found: Running) -> str:
    """End all processes of a server; return how they ended, empty when some did not."""
    group = os.getpgid(found.process) if _master(home) == found.process else found.process
    for how, ending, seconds in (
        ("", signal.SIGTERM, GRACE_SECONDS + END_SECONDS),
        (", what still ran was cut off", signal.SIGKILL, END_SECONDS),
    ):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, ending)
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if not _is_alive(home) and _master(home) is None:
                return f"process {found.process}{how}"
            time.sleep(0.1)
    return ""


def stop() -> int:
    """End our own server, if it runs."""
    with _ready():
        return _stop()


def _stop() -> int:
    home = settings.home()
    found = running()
    if found is None:
        if _is_nameless(home):
            return 1
        _say("  the dashboards are not running")
        return 0
    how = _end(home, found)
    if not how:
        _say(f"  not stopped: processes of the group {found.process} go on, and hold port {found.port}")
        return 1
    for name in (PID_FILE, SERVER_FILE):
        (home / name).unlink(missing_ok=True)
    _say(f"  stopped ({how})")
    return 0


def _stop_for_change() -> None:
    """Stop the server, if it runs, so that the metadata's file can be replaced."""
    if running() and _stop():
        raise bootstrap.BootstrapError("the running server could not be stopped: nothing was changed")


def status() -> int:
    """Say whether the dashboards run and which build they show."""
    found = running()
    if found is None:
        print("not running")
        return 1
    print(f"running (process {found.process}) at {found.address}, build {warehouse.build_id()}")
    return 0


def _states() -> list[str]:
    """Return the states of the published warehouse."""
    with duckdb.connect(str(warehouse.build_file()), read_only=True) as connection:
        found = connection.execute("select distinct customer_state from marts.daily_sales where customer_state <> ''")
        return [state for (state,) in found.fetchall()]


def add_user(name: str, role: str | None, state_name: str | None = None) -> int:
    """Add a person, or give a known one a new password, and print it once."""
    if name == bootstrap.ADMIN_USER and (role not in (None, roles.ADMIN) or state_name):
        raise roles.RefusedPersonError(f"{name} is the administrator, and stays one")
    _need_warehouse()
    limited = roles.check_person(name, role, state_name, _states())
    with _ready():
        bootstrap.run(before_replacing=_stop_for_change)
        with bootstrap.application().app_context():
            from superset import security_manager  # type: ignore[attr-defined]  # our folder is not that package

            word = roles.add_user(security_manager, name, role, limited)
            user = security_manager.find_user(username=name)
            only = roles.state_of(user)
            known = ", ".join(sorted(one.name for one in user.roles if one.name in roles.ROLES))
        if name == bootstrap.ADMIN_USER:
            state.write_whole(settings.home() / bootstrap.PASSWORD_FILE, word + "\n")
    print(f"\n  User        {name} ({known}{f', only {only}' if only else ''})\n  Password    {word}\n")
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
    user = commands.add_parser("add-user", help="add a person, or give a known one a new password; it is generated")
    user.add_argument("name")
    user.add_argument("--role", choices=roles.ROLES, help="Stakeholder for somebody new; a known person keeps theirs")
    user.add_argument("--state", help="show this person one state only, for example SP; `all` takes the rule away")
    given = parser.parse_args()
    try:
        return _run(given)
    except (
        settings.SettingError,
        state.DamagedStateError,
        bootstrap.BootstrapError,
        roles.RefusedPersonError,
        state.FullDiskError,
        AssetError,
    ) as error:
        _say(f"error: {error}")
    except KeyboardInterrupt:
        _say("error: stopped by hand. The next start needs no repair.")
        return STOPPED_BY_HAND
    except Exception as error:
        if not state.is_of_a_full_disk(error):
            raise
        _say(f"error: {state.FullDiskError()}")
    return 1


def _run(given: argparse.Namespace) -> int:
    """Do what the command line asks for."""
    if given.command == "bootstrap":
        _need_warehouse()
        with _ready():
            changed = bootstrap.run(given.force, _stop_for_change)
        _say("brought up to date" if changed else "nothing to do")
        return 0
    if given.command == "add-user":
        return add_user(given.name, given.role, given.state)
    if given.command == "start":
        return start()
    return stop() if given.command == "stop" else status()


if __name__ == "__main__":
    sys.exit(main())
