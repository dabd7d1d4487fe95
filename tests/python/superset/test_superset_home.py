"""Superset's own state: where it lies, one start at a time, kills, damage, and an end that is one."""

from __future__ import annotations

import contextlib
import fcntl
import os
import random
import shutil
import signal
import socket
import sqlite3
import subprocess
import threading
import time
from pathlib import Path

import duckdb
import pytest
import requests
from builds import ROOT, small_disk
from superset_process import (
    SERVE,
    Person,
    Server,
    ended,
    has_whole_metadata,
    run_in_superset,
    serve,
    server_for,
    superset_python,
)

pytestmark = [pytest.mark.superset, pytest.mark.rows_only]


@pytest.fixture
def server(served_warehouse: Path) -> Server:
    return server_for(served_warehouse)


def test_a_build_of_another_version_is_named_with_what_to_do(published_warehouse: Path, tmp_path: Path) -> None:
    build = tmp_path / "warehouse" / "current"
    build.mkdir(parents=True)
    for name in ("build.json", "stakeholders.duckdb", "warehouse.duckdb"):
        shutil.copyfile(published_warehouse / "current" / name, build / name)
    for name in ("stakeholders.duckdb", "warehouse.duckdb"):
        with duckdb.connect(str(build / name)) as connection:
            connection.execute("drop table marts.forecast_drift")
    code, _, said = ended(serve("start", warehouse=build.parent, home=tmp_path / "home"))
    assert code == 1 and "marts.forecast_drift" in said and "make warehouse" in said and "Traceback" not in said, said


@pytest.mark.parametrize("given", ["SUPERSET_THREADS=eight", "SUPERSET_WORKERS=0", "SUPERSET_QUERY_SECONDS=-1"])
def test_a_setting_that_is_no_number_is_named(
    published_warehouse: Path, tmp_path: Path, given: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, value = given.split("=")
    monkeypatch.setenv(name, value)
    code, _, said = ended(serve("start", warehouse=published_warehouse, home=tmp_path / "home"))
    assert code == 1 and f"{name} is '{value}'" in said and "Traceback" not in said


# --- where it lies


def test_each_warehouse_has_a_home_that_git_passes_over(published_warehouse: Path, tmp_path: Path) -> None:
    code = """
import json, os, settings
found = {}
for name in given:
    os.environ["WAREHOUSE_DIR"] = name
    found[name] = str(settings.home())
print(json.dumps(found))
"""
    repository = tmp_path / "project"
    names = [
        str(repository / name) for name in ("data/warehouse", "elsewhere", "else where", "Ana's [1]", "elsewhere.2")
    ]
    subprocess.run(["git", "init", "--quiet", str(repository)], check=True)
    environment_home = "import os; os.environ.pop('SUPERSET_HOME')\n"
    found = run_in_superset(environment_home + f"given = {names!r}\n" + code, published_warehouse, tmp_path / "unused")
    assert found == {name: f"{name}-superset" for name in names}
    for folder in map(Path, found.values()):
        (folder / "secret_key").write_text("secret\n")
        assert folder.stat().st_mode & 0o77 == 0
    seen = ["git", "-C", str(repository), "status", "--porcelain", "--untracked-files=all"]
    assert subprocess.run(seen, capture_output=True, text=True, check=True).stdout == ""


@pytest.mark.parametrize("named", [ROOT, ROOT / "superset", ROOT / "superset" / "state"])
def test_no_state_goes_into_the_folder_of_the_code(served_warehouse: Path, named: Path) -> None:
    code, _, said = ended(serve("start", warehouse=served_warehouse, home=named))
    assert code == 1 and "SUPERSET_HOME" in said, said
    assert not (named / "secret_key").exists() and not (named / "start.lock").exists()


def older_home(folder: Path) -> dict[str, str]:
    """Make a home as earlier versions kept it, beside the warehouse."""
    files = {name: f"{name} of before\n" for name in ("basemap.json.gz", "admin_password", "metadata.db", "secret_key")}
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name).write_text(text)
    return files


def test_the_state_of_earlier_versions_is_taken_over_once(tmp_path: Path) -> None:
    files = older_home(tmp_path / "superset")
    (tmp_path / "superset" / "code.py").write_text("")  # such as this project's own folder of that name
    code, _, said = ended(serve("stop", warehouse=tmp_path / "warehouse"))
    assert code == 0 and "were moved from" in said, said
    home = tmp_path / "warehouse-superset"
    assert {name: (home / name).read_text() for name in files} == files
    assert [path.name for path in (tmp_path / "superset").iterdir()] == ["code.py"]
    again = ended(serve("stop", warehouse=tmp_path / "warehouse"))
    assert again[0] == 0 and "moved" not in again[2]


def test_a_move_of_earlier_state_that_was_killed_goes_on(published_warehouse: Path, tmp_path: Path) -> None:
    names = ["basemap.json.gz", "metadata.db", "admin_password", "secret_key"]  # as they are moved
    for moved in range(len(names) + 1):
        older_home(tmp_path / str(moved) / "superset")
        home = tmp_path / str(moved) / "warehouse-superset"
        home.mkdir()
        for name in names[:moved]:
            (tmp_path / str(moved) / "superset" / name).rename(home / name)
    code = f"""
import json, os, pathlib, serve
os.environ.pop("SUPERSET_HOME")
found = []
for moved in range({len(names) + 1}):
    place = pathlib.Path({str(tmp_path)!r}, str(moved))
    os.environ["WAREHOUSE_DIR"] = str(place / "warehouse")
    serve._take_over()
    found.append(sorted(path.name for path in (place / "warehouse-superset").iterdir()))
print(json.dumps(found))
"""
    found = run_in_superset(code, published_warehouse, tmp_path / "unused")
    assert [set(names) - set(one) for one in found] == [set()] * (len(names) + 1)


def test_state_that_may_be_another_warehouses_is_left(tmp_path: Path) -> None:
    files = older_home(tmp_path / "superset")
    (tmp_path / "warehouse" / "current").mkdir(parents=True)
    code, _, said = ended(serve("stop", warehouse=tmp_path / "second"))
    assert code == 0 and "left where it is" in said, said
    assert {name: (tmp_path / "superset" / name).read_text() for name in files} == files
    code, _, said = ended(serve("stop", warehouse=tmp_path / "warehouse"))
    assert code == 0 and "were moved from" in said, said


def test_a_second_warehouse_never_gives_the_first_ones_address(server: Server, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "current").symlink_to(server.warehouse / "current")
    for home in (server.home, None):
        code, printed, said = ended(serve("start", warehouse=other, home=home, port=server.port))
        assert code == 1 and printed == "", (printed, said)
        assert ("another warehouse" if home else "is taken") in said, said
    assert Person(server.base).get("/health").status_code == 200


# --- one at a time, kills, damage


def test_a_first_start_that_is_killed_is_made_up_for_and_of_two_at_once_one_waits(
    server: Server, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    shutil.copy(server.home / "basemap.json.gz", home)
    for who in ("group", "parent"):
        killed = serve("bootstrap", warehouse=server.warehouse, home=home)
        assert killed.stderr is not None
        for line in killed.stderr:
            if "start Superset's code" in line:  # what follows is the schema
                break
        time.sleep(random.uniform(0.5, 6))  # noqa: S311  (a moment, not a secret)
        os.killpg(killed.pid, signal.SIGKILL) if who == "group" else killed.kill()
        killed.communicate()
        assert not (home / "metadata.db").exists() or has_whole_metadata(home)
    both = [serve("bootstrap", warehouse=server.warehouse, home=home) for _ in range(2)]
    answers = [ended(process) for process in both]
    assert [code for code, _, _ in answers] == [0, 0], answers
    assert any("waiting for it" in said for _, _, said in answers), answers
    assert has_whole_metadata(home)
    assert not (home / "metadata.part.db").exists()


def copied_home(server: Server, folder: Path) -> Path:
    """Copy the home of a running server: its people, secrets and dashboards."""
    folder.mkdir()
    for name in ("basemap.json.gz", "bootstrap.json", "secret_key", "admin_password"):
        shutil.copy(server.home / name, folder)
    with (
        contextlib.closing(sqlite3.connect(server.home / "metadata.db")) as old,
        contextlib.closing(sqlite3.connect(folder / "metadata.db")) as new,
    ):
        old.backup(new)
    return folder


def accounts(home: Path) -> list[str]:
    with contextlib.closing(sqlite3.connect(home / "metadata.db")) as connection:
        return [name for (name,) in connection.execute("select username from ab_user order by 1")]


def test_small_files_that_are_cut_or_empty_are_made_again(server: Server, tmp_path: Path) -> None:
    server.person("Stakeholder")
    home = copied_home(server, tmp_path / "home")
    before = {name: (home / name).read_text() for name in ("secret_key", "admin_password")}
    (home / "bootstrap.json").write_text('{"schema": "12')
    (home / "secret_key").write_text(before["secret_key"][:20])
    (home / "admin_password").write_text("")
    people = accounts(home)
    with contextlib.closing(sqlite3.connect(home / "metadata.db")) as connection:
        # as it was when all datasets were in one database
        connection.execute("update tables set database_id = (select id from dbs where database_name = 'Warehouse')")
        connection.execute("delete from dbs where database_name <> 'Warehouse'")
        connection.commit()
    code, _, said = ended(serve("bootstrap", warehouse=server.warehouse, home=home))
    assert code == 0, said
    assert "secret_key was empty or cut" in said
    for name, text in before.items():
        now = (home / name).read_text()
        assert now.endswith("\n") and len(now) == len(text) and now != text, name
    assert has_whole_metadata(home) and accounts(home) == people
    code, _, said = ended(serve("bootstrap", warehouse=server.warehouse, home=home))
    assert (code, said) == (0, "nothing to do\n"), said


def test_lost_metadata_is_made_again_and_damaged_metadata_is_named(server: Server, tmp_path: Path) -> None:
    home = copied_home(server, tmp_path / "home")
    file = home / "metadata.db"
    kept = file.read_bytes()
    for damage in (kept[: len(kept) // 2], b"nonsense" * 1000):
        file.write_bytes(damage)
        for command in (("start",), ("bootstrap",), ("add-user", "somebody")):
            code, printed, said = ended(serve(*command, warehouse=server.warehouse, home=home))
            assert code == 1 and printed == "" and f"{file} is damaged" in said, said
            assert "Traceback" not in said
        assert file.read_bytes() == damage
    file.unlink()
    code, _, said = ended(serve("bootstrap", warehouse=server.warehouse, home=home))
    assert code == 0 and "the metadata is gone" in said, said
    assert has_whole_metadata(home)


def test_a_log_that_a_lost_file_leaves_behind_is_not_applied_to_the_next(
    published_warehouse: Path, tmp_path: Path
) -> None:
    code = """
import json, settings, sqlite3, state
file = settings.home() / "metadata.db"
old = sqlite3.connect(file)
old.execute("pragma journal_mode = wal")
old.execute("create table before (number)")
old.commit()
log = file.with_name("metadata.db-wal").read_bytes()
old.close()
file.unlink()
file.with_name("metadata.db-wal").write_bytes(log)
with state.replaced_metadata(file) as part:
    new = sqlite3.connect(part)
    new.execute("pragma journal_mode = wal")
    new.execute("create table after (number)")
    new.commit()
    new.close()
print(json.dumps([name for name, in sqlite3.connect(file).execute("select name from sqlite_master")]))
"""
    assert run_in_superset(code, published_warehouse, tmp_path / "home") == ["after"]


def test_a_change_that_fails_leaves_the_metadata_as_it_was(published_warehouse: Path, tmp_path: Path) -> None:
    code = """
import json, settings, sqlite3, state
file = settings.home() / "metadata.db"
with sqlite3.connect(file) as old:
    old.execute("create table people (name)")
old.close()
seen = []
for again in range(2):
    try:
        with state.replaced_metadata(file) as part:
            new = sqlite3.connect(part)
            seen += [name for name, in new.execute("select name from sqlite_master")]
            new.execute("drop table people")
            new.commit()
            raise RuntimeError
    except RuntimeError:
        pass
print(json.dumps([seen, [name for name, in sqlite3.connect(file).execute("select name from sqlite_master")]]))
"""
    answer = run_in_superset(code, published_warehouse, tmp_path / "home")
    assert answer == [["people", "people"], ["people"]]


@pytest.mark.long
def test_a_full_disk_is_said_and_the_next_start_makes_up_for_it(server: Server, tmp_path: Path) -> None:
    # as outlines are drawn, as the schema is made, as dashboards are imported
    for number, size in enumerate(("200k", "2m", "4m")):
        with small_disk(tmp_path / f"disk {number}", size) as disk:
            home = disk / "home"
            home.mkdir()
            if number:
                shutil.copy(server.home / "basemap.json.gz", home)
            for command in ("bootstrap", "start"):
                code, printed, said = ended(serve(command, warehouse=server.warehouse, home=home))
                assert code == 1 and printed == "" and f"the disk of {home} is full" in said, said[-3000:]
                assert "Traceback" not in said and not (home / "metadata.db").exists(), said[-3000:]
    with small_disk(tmp_path / "disk", "2m") as disk:
        code, _, said = ended(serve("bootstrap", warehouse=server.warehouse, home=disk))
        assert code == 1 and "is full" in said
        subprocess.run(["mount", "-o", "remount,size=200m", str(disk)], check=True)
        code, _, said = ended(serve("bootstrap", warehouse=server.warehouse, home=disk))
        assert code == 0 and has_whole_metadata(disk), said[-3000:]


# --- the end


ENDLESS = "select count(*) from range(10000000) as left_side, range(10000000) as right_side where random() > 2"


def test_stop_ends_every_process_while_a_query_runs(server: Server) -> None:
    admin, database = server.person("Admin"), server.database()

    def ask() -> None:
        with contextlib.suppress(OSError):  # the answer never comes
            admin.sql(ENDLESS, database)

    threading.Thread(target=ask, daemon=True).start()
    time.sleep(3)
    stopped = server.command("stop")
    try:
        assert stopped.returncode == 0, stopped.stderr
        assert "stopped (process" in stopped.stderr
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", server.port)) != 0, "somebody still listens"
        with (server.home / "server.lock").open("a") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)  # nobody lives who could hold it
    finally:
        again = server.command("start")
    assert again.returncode == 0, again.stderr[-2000:]


# A start that is killed right after it began the server: before it wrote the server down, or before that answers.
KILLED = """
import os, subprocess, serve, settings, state
begin, write = subprocess.Popen, state.write_whole
def write_whole(path, text):
    if path.name == serve.SERVER_FILE and {before!r} == "it is known":
        os._exit(9)
    write(path, text)
state.write_whole = write_whole
serve._wait_for = lambda *_: os._exit(9)
# the server's own beginning waits until the next start has the lock, and then some
waiting = 'sleep 2; while flock -n "$0" true; do sleep 0.1; done; sleep 3; exec "$@"'
slowly = ["sh", "-c", waiting, str(settings.home() / state.LOCK)]
subprocess.Popen = lambda command, **more: begin([*slowly, *command], **more)
serve.start()
"""


@pytest.mark.parametrize("before", ["it is known", "it answers"])
def test_a_server_whose_start_was_killed_is_found_or_made_again(server: Server, before: str) -> None:
    assert server.command("stop").returncode == 0
    killed = subprocess.run(
        [superset_python(), "-c", KILLED.format(before=before)],
        cwd=SERVE.parent,
        env=server.environment,
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=600,
    )
    assert killed.returncode == 9, killed.stderr[-2000:]
    again = server.command("start")
    assert again.returncode == 0, again.stderr[-2000:]
    assert requests.get(f"{server.base}/login/", timeout=60).status_code == 200
    assert len([line for line in again.stdout.splitlines() if "Password" in line]) == 1
