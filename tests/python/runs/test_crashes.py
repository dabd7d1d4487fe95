"""Whatever stops a run, what is published stays as it was, and the next run needs no repair."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import duckdb
import pytest
from builds import ROOT, build_warehouse, published_file, query, run, small_disk, start
from input_folder import small_shop

from pipeline import __main__ as command
from pipeline.base import dbt_internals, outcome
from pipeline.base.errors import BuildError
from pipeline.base.resources import restrain
from pipeline.runs import events

pytestmark = pytest.mark.rows_only

# Three in the normal run; the long run is KILLS=60.
KILLS = int(os.environ.get("KILLS", "3"))
# Builds take ten times as long as the others.
STEPS = ("load", "publish", "refresh", "publish", "load", "warehouse")
BUSY = 5


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_shop().write(tmp_path_factory.mktemp("raw"))


@pytest.fixture(scope="module")
def built(raw: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_warehouse(raw, tmp_path_factory.mktemp("built") / "warehouse", score=False)


@pytest.fixture
def warehouse(built: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "warehouse"
    shutil.copytree(built, copy, symlinks=True)
    return copy


def published(warehouse: Path) -> tuple[str, str]:
    """Return the published build and a digest of its file, after having read every table of it."""
    file = published_file(warehouse).resolve()
    description = json.loads((file.parent / "build.json").read_text())
    with duckdb.connect(str(file), read_only=True) as connection:
        for table, rows in description["rows"].items():
            assert connection.execute(f"SELECT count(*) FROM {table}").fetchall() == [(rows,)]
    return file.parent.name, hashlib.sha256(file.read_bytes()).hexdigest()


def test_a_run_killed_at_any_moment_leaves_what_is_published_and_the_next_run_is_clean(
    raw: Path, warehouse: Path, tmp_path: Path
) -> None:
    dice = random.Random(7)  # noqa: S311
    changed = tmp_path / "raw"
    shutil.copytree(raw, changed)
    usual: dict[str, float] = {}
    # of the kills, those that came after the run had noted that it began and before it noted its end
    cut_off = 0
    for number in range(KILLS):
        step = STEPS[number % len(STEPS)]
        options = ["--no-score"] if step in ("warehouse", "refresh") else []
        # something to read and to write, each time
        _send_again(changed, number)
        before = published(warehouse)
        if step not in usual:
            began = time.monotonic()
            assert run(changed, warehouse, step, *options).returncode == 0
            usual[step] = time.monotonic() - began
            before = published(warehouse)
            _send_again(changed, 1000 + number)
        process = start(changed, warehouse, step, *options)
        time.sleep(dice.uniform(0.05, usual[step]))
        os.killpg(process.pid, signal.SIGKILL)
        _, words = process.communicate()
        cut_off += is_begun(warehouse, process)
        after = published(warehouse)
        if step == "load" or after[0] == before[0]:
            assert after == before
        else:
            # the kill came after the swap: the new build is whole, which published() has read
            assert after[0] > before[0]
        assert "Traceback" not in words
        again = run(changed, warehouse, step, *options)
        # a build that was cut off is not published; building again is what the message says
        if step == "publish" and again.returncode:
            assert "make warehouse" in again.stderr
        else:
            assert again.returncode == 0, again.stderr
        assert "Traceback" not in again.stderr
        assert sum(entry.is_dir() for entry in (warehouse / "builds").iterdir()) <= 4
        print(f"  kill {number}: {step}", file=sys.stderr, flush=True)
    # chance may have spared every run, so one more is sure to be cut off
    process = start(changed, warehouse, "warehouse", "--no-score")
    while not is_begun(warehouse, process):
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    cut_off += is_begun(warehouse, process)
    final = run(changed, warehouse, "warehouse", "--no-score")
    assert final.returncode == 0, final.stderr
    assert not list((warehouse / "builds").glob("*.part"))
    killed = query(warehouse, "select count(*) as killed from quality.runs where status = 'killed'")["killed"].item()
    assert killed == cut_off > 0


def is_begun(warehouse: Path, process: subprocess.Popen[str]) -> bool:
    """Return whether a process has a record of its run that says it is under way."""
    records = [json.loads(file.read_text()) for file in (warehouse / "history").glob(f"*-{process.pid}.json")]
    return any(record["status"] == "running" for record in records)


def _send_again(raw: Path, number: int) -> None:
    """Send one order again, a little later each time: a file to read, a month to write."""
    lines = (raw / "olist_orders_dataset.csv").read_text().splitlines()
    stamp = f"13:{number // 60 % 60:02}:{number % 60:02}"
    text = f"{lines[0]}\n{lines[1 + number % 12].replace('13:00:00', stamp)}\n"
    (raw / f"olist_orders_dataset_{number:05}.csv").write_text(text)


HOLD = """
import sys, time, subprocess
from pathlib import Path
from pipeline.base.locking import exclusive, inherited
with exclusive(Path(sys.argv[1])):
    child = subprocess.Popen(["sleep", sys.argv[2]], pass_fds=inherited()) if len(sys.argv) > 2 else None
    print("held by", child.pid if child else "nobody else", flush=True)
    time.sleep(600)
"""


def hold(warehouse: Path, *child: str) -> tuple[subprocess.Popen[str], str]:
    """Hold the lock in a process of its own; returns it and the id of the child that inherits the lock."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(warehouse), *child], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith("held by ")
    return process, line.split()[-1]


def test_a_second_run_waits_says_for_whom_and_goes_on_when_the_first_is_killed(raw: Path, warehouse: Path) -> None:
    first, _ = hold(warehouse)
    try:
        second = start(raw, warehouse, "publish")
        assert second.stderr is not None
        assert f"another run holds this warehouse (process {first.pid} since" in second.stderr.readline()
        assert second.poll() is None
    finally:
        first.kill()
        first.communicate()
    # the lock of a dead process holds nobody up
    second.communicate(timeout=120)
    assert second.returncode == 0


def test_a_run_that_does_not_wait_says_who_is_at_work(raw: Path, warehouse: Path) -> None:
    first, _ = hold(warehouse)
    try:
        outcome = run(raw, warehouse, "refresh", "--no-score", "--no-wait")
    finally:
        first.kill()
        first.communicate()
    assert outcome.returncode == BUSY
    assert f"process {first.pid} since" in outcome.stderr and "Nothing was done" in outcome.stderr


def test_a_lock_file_left_behind_is_no_lock(raw: Path, warehouse: Path) -> None:
    (warehouse / ".lock").write_text("process 1 since 2001-01-01 00:00:00")
    outcome = run(raw, warehouse, "refresh", "--no-score", "--no-wait")
    assert outcome.returncode == 0 and "another run" not in outcome.stderr


def test_scoring_that_outlives_a_killed_run_still_holds_the_lock(warehouse: Path) -> None:
    from pipeline.base.locking import holder

    first, child = hold(warehouse, "600")
    first.kill()
    first.wait()
    assert holder(warehouse) is not None
    os.kill(int(child), signal.SIGKILL)
    deadline = time.monotonic() + 60
    while holder(warehouse) is not None and time.monotonic() < deadline:
        time.sleep(0.1)
    assert holder(warehouse) is None


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", "160m") as place:
        yield place


def test_a_full_disk_is_said_and_nothing_is_half_published(raw: Path, built: Path, disk: Path) -> None:
    warehouse = disk / "warehouse"
    shutil.copytree(built, warehouse, symlinks=True)
    before = published(warehouse)
    # the build file of the run before makes room for some more
    for room in (0, 500_000):
        filler = disk / "filler"
        free = shutil.disk_usage(disk).free
        filler.write_bytes(b"x" * max(free - room, 0))
        # nothing on the disk is new, so force the whole way
        outcome = run(raw, warehouse, "warehouse", "--no-score")
        assert outcome.returncode != 0, room
        assert "Traceback" not in outcome.stderr
        assert "No space left" in outcome.stderr or "full" in outcome.stderr, outcome.stderr[-2000:]
        assert published(warehouse) == before
        filler.unlink()
    assert run(raw, warehouse, "warehouse", "--no-score").returncode == 0


def test_the_warehouse_is_closed_to_others(raw: Path, tmp_path: Path) -> None:
    assert run(raw, tmp_path / "new" / "warehouse", "load").returncode == 0
    for folder in ("", "history", "logs"):
        place = tmp_path / "new" / "warehouse" / folder
        assert not place.exists() or oct(place.stat().st_mode)[-3:] == "700"


@pytest.mark.parametrize("threads", [1, 16])
def test_a_query_stopped_by_hand_is_no_fault(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str], threads: int
) -> None:
    def count(*_: object) -> None:
        # with several threads DuckDB's main one sleeps beside the others' work
        with duckdb.connect(config={"threads": threads}) as connection:
            restrain(connection, tmp_path / "spill")
            # half a minute where nobody hears
            connection.execute("SELECT count(*) FROM range(100000000) a, range(2000) b").fetchall()

    began = time.monotonic()
    assert stopped(count, tmp_path, monkeypatch) == 130
    assert time.monotonic() - began < 5
    told = capsys.readouterr().err
    assert "stopped by hand" in told and "fault" not in told


def ignore(*_: object) -> None:
    with suppress(KeyboardInterrupt):
        time.sleep(60)


def make_a_failed_command_of_it(*_: object) -> None:
    try:
        time.sleep(60)
    except KeyboardInterrupt as error:
        raise BuildError("") from error


def make_a_fault_of_it(*_: object) -> None:
    try:
        time.sleep(60)
    except KeyboardInterrupt:
        raise ValueError("no such connection") from None


def wait_for_a_child(*_: object) -> None:
    subprocess.run(["sleep", "60"], check=True)


@pytest.mark.parametrize("at_work", [ignore, make_a_failed_command_of_it, make_a_fault_of_it, wait_for_a_child])
def test_stopped_by_hand_is_what_it_is_whatever_was_at_work_makes_of_it(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    at_work: Callable[..., None],
) -> None:
    assert stopped(at_work, tmp_path, monkeypatch) == 130
    assert "error: stopped by hand" in capsys.readouterr().err.splitlines()[-1]
    # and the next run is not taken for it
    monkeypatch.setattr(command, "_run", lambda *_: None)
    assert command.main(["publish"]) == 0


def stopped(at_work: Callable[..., None], folder: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """Run a step that does this, and check its record: no alarm."""

    def begin(*arguments: object) -> None:
        threading.Timer(1, os.kill, (os.getpid(), signal.SIGINT)).start()
        at_work(*arguments)

    monkeypatch.setenv("WAREHOUSE_DIR", str(folder / "warehouse"))
    monkeypatch.setattr(command, "_run", begin)
    code = command.main(["publish"])
    (record,) = (json.loads(file.read_text()) for file in (folder / "warehouse" / "history").glob("*.json"))
    assert (record["status"], record["exit_code"]) == ("failed", 130) and "stopped by hand" in record["message"]
    log = (folder / "warehouse" / "logs" / "events.jsonl").read_text().splitlines()
    assert [json.loads(line)["event"] for line in log] == ["stopped"] and "stopped" not in events.TOLD
    return code


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM, errno.EROFS])
def test_a_folder_that_may_not_be_written_is_named_with_the_cure(
    capsys: pytest.CaptureFixture[str], number: int
) -> None:
    def refused() -> None:
        raise OSError(number, os.strerror(number), "data/backups")

    assert outcome.exit_code_of(refused) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: data/backups may not be read or written by this user (") and "another folder" in said


def test_dbt_says_nothing_more_once_ctrl_c_came(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[object] = []
    event = SimpleNamespace(level_tag=lambda: "error")
    for stops in ([], [signal.SIGINT]):
        monkeypatch.setattr(outcome, "_stops", stops)
        dbt_internals._fire_unless_debug(lambda *given: said.append(given), event)
        assert len(said) == 1


def test_dbt_stopped_by_hand_is_stopped_even_where_the_shell_had_it_ignored(
    raw: Path, warehouse: Path, tmp_path: Path
) -> None:
    changed = tmp_path / "raw"
    shutil.copytree(raw, changed)
    _send_again(changed, 1)
    before = published(warehouse)
    # as `make refresh &` in a script starts it
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        process = start(changed, warehouse, "refresh", "--no-score")
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    assert process.stderr is not None
    for line in process.stderr:
        if "facts from" in line:  # the next thing is dbt
            break
    time.sleep(3)
    os.kill(process.pid, signal.SIGINT)
    words = process.communicate()[1]
    assert process.returncode == 130 and words.splitlines()[-1].startswith("error: stopped by hand"), words
    assert "Traceback" not in words and "models and tests failed" not in words
    assert published(warehouse) == before
    assert '"failed"' not in (warehouse / "logs" / "events.jsonl").read_text()
    assert run(changed, warehouse, "refresh", "--no-score").returncode == 0
