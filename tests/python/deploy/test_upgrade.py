"""What an earlier version made is taken over: warehouse, record of runs, and what people made in its dashboards."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from builds import ROOT, published_file, query, run, start
from superset_process import (
    DASHBOARDS,
    Person,
    ended,
    free_port,
    has_whole_metadata,
    kill_after,
    last_line,
    spread,
    superset_python,
)

from pipeline.publish.wholeness import find_damage

pytestmark = pytest.mark.rows_only

# the earlier version: any name that git knows
EARLIER = os.environ.get("UPGRADE_FROM") or "f02e842"
ORDERS = 2_000
# One in the usual run; the figures are of KILLS=30. After so many kills in a row a start is let through.
KILLS, IN_A_ROW = int(os.environ.get("KILLS", "1")), int(os.environ.get("KILLS_IN_A_ROW", "1"))


def earlier_version(folder: Path) -> Path:
    """Lay the earlier version's files out in a folder."""
    found = subprocess.run(["git", "archive", EARLIER], cwd=ROOT, capture_output=True, check=False)
    if found.returncode:
        pytest.skip(f"git does not know {EARLIER} here (a clone without history?): set UPGRADE_FROM to what it knows")
    with tarfile.open(fileobj=io.BytesIO(found.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return folder


@dataclass
class Dashboards:
    """The dashboards of a version, where that version keeps them by default."""

    project: Path
    warehouse: Path
    port: int

    @property
    def base(self) -> str:
        """Their address."""
        return f"http://127.0.0.1:{self.port}"

    def begin(self, *words: str) -> subprocess.Popen[str]:
        """Begin a command of serve.py."""
        environment = {**os.environ, "WAREHOUSE_DIR": str(self.warehouse), "SUPERSET_PORT": str(self.port)}
        environment.pop("SUPERSET_HOME", None)
        return subprocess.Popen(
            [superset_python(), str(self.project / "superset" / "serve.py"), *words],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def command(self, *words: str) -> str:
        """Run a command of serve.py; return what it printed."""
        code, printed, said = ended(self.begin(*words))
        assert code == 0, printed[-3000:] + said[-6000:]
        return printed

    def start(self) -> Person:
        """Start them and come in as the administrator."""
        self.command("start")
        return self.admin()

    def admin(self) -> Person:
        """Come in as the administrator, by the password that lies where this version puts it."""
        (word,) = self.warehouse.parent.glob("*superset*/admin_password")
        return Person(self.base, "admin", word.read_text().strip())


@dataclass
class Earlier:
    """What an earlier version has made, its dashboards stopped."""

    project: Path
    raw: Path
    warehouse: Path
    made: tuple[str, str]
    password: str
    before: str

    def copy(self, folder: Path) -> Path:
        """Copy the warehouse and the dashboards' state; return the copy of the warehouse."""
        shutil.copytree(self.warehouse.parent, folder, symlinks=True)
        return folder / self.warehouse.name


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> Earlier:
    """Build a shop with the earlier version, and let people make an account, a chart and a dashboard there."""
    superset_python()
    from demo import generate

    folder = tmp_path_factory.mktemp("upgrade")
    project, raw, warehouse = earlier_version(folder / "earlier"), folder / "raw", folder / "data" / "warehouse"
    generate(raw, ORDERS)
    warehouse.mkdir(parents=True)
    build_with(project, raw, warehouse)
    dashboards = Dashboards(project, warehouse, free_port())
    try:
        made = make_own(dashboards.start())
        word = re.search(r"Password\s+(\S+)", dashboards.command("add-user", "ana"))
        assert word
    finally:
        dashboards.command("stop")
    before = published_file(warehouse).resolve().parent.name
    return Earlier(project, raw, warehouse, made, word.group(1), before)


@pytest.mark.long
def test_an_upgrade_of_the_warehouse_killed_at_any_moment_is_made_up_for(earlier: Earlier, tmp_path: Path) -> None:
    orders = query(earlier.warehouse, "select count(*) as n from marts.fct_orders")["n"].item()
    usual, kills, moments = 30.0, 0, spread(KILLS, 13)
    while kills < KILLS:
        folder = tmp_path / f"data {kills}"
        warehouse = earlier.copy(folder)
        began, moment = time.monotonic(), usual * moments[kills]
        process = start(earlier.raw, warehouse, "warehouse", "--if-changed", "--no-score")
        said = kill_after(process, moment, with_server=False)
        if said is None:
            usual = time.monotonic() - began
            remove(folder)
            continue
        # whatever is published now, it is whole
        assert find_damage(warehouse / "current") is None
        assert query(warehouse, "select count(*) as n from marts.fct_orders")["n"].item() == orders
        again = run(earlier.raw, warehouse, "warehouse", "--if-changed", "--no-score")
        assert again.returncode == 0 and "Traceback" not in again.stderr, (kills, moment, again.stderr[-3000:])
        assert find_damage(warehouse / "current") is None
        assert query(warehouse, "select count(*) as n from marts.fct_orders")["n"].item() == orders
        print(f"  kill {kills} at {moment:.1f} s, after: {last_line(said)}: healed", file=sys.stderr, flush=True)
        remove(folder)
        kills += 1


@pytest.fixture(scope="module")
def built_again(earlier: Earlier, tmp_path_factory: pytest.TempPathFactory) -> Earlier:
    """Give the same after this version has built and published, and before its dashboards have started."""
    warehouse = earlier.copy(tmp_path_factory.mktemp("again") / "data")
    built = run(earlier.raw, warehouse, "warehouse", "--if-changed", "--no-score")
    assert built.returncode == 0, built.stderr[-6000:]
    return replace(earlier, warehouse=warehouse)


@pytest.mark.long
@pytest.mark.superset
def test_an_upgrade_of_the_dashboards_killed_at_any_moment_is_made_up_for(built_again: Earlier, tmp_path: Path) -> None:
    # how long a start takes, until one has taken longer, or has ended before its kill
    usual, kills, moments, failed, folder = 30.0, 0, spread(KILLS, 12), [], tmp_path / "data"
    while kills < KILLS:
        if not folder.exists():
            warehouse, port = built_again.copy(folder), free_port()
            old, now = (Dashboards(place, warehouse, port) for place in (built_again.project, ROOT))
            # now and then the server of the earlier version is still at work
            if kills // IN_A_ROW % 3 == 2:
                with showing(warehouse, built_again.before):
                    old.start()
        moment, with_server = usual * moments[kills], kills % 2 == 0
        first, began = now.begin("start"), time.monotonic()
        said = kill_after(first, moment, with_server)
        if said is None:
            usual *= 0.8
        else:
            kills += 1
            whom = "everything" if with_server else "the group"
            print(f"  kill {kills}: {whom} at {moment:.1f} s, after: {last_line(said)}", file=sys.stderr, flush=True)
            if kills % IN_A_ROW and kills < KILLS:
                continue
            first, began = now.begin("start"), time.monotonic()
        code, printed, words = ended(first)
        usual, problem = max(usual, time.monotonic() - began), ""
        try:
            assert code == 0 and "Traceback" not in words, printed + words
            check_own(now.admin(), built_again)
            # a shop without scores has no page about them
            assert has_whole_metadata(folder / "warehouse-superset", DASHBOARDS - 2), "the metadata is not whole"
        except (AssertionError, OSError) as error:
            problem = str(error)[-3000:]
            failed.append(f"kill {kills}: {problem}")
        print(f"  after kill {kills}: {problem or 'healed'}", file=sys.stderr, flush=True)
        for version in (now, old):
            ended(version.begin("stop"))
        remove(folder)
    assert failed == []


@pytest.mark.long
@pytest.mark.superset
def test_an_earlier_version_is_taken_over(earlier: Earlier) -> None:
    # not a copy, where the earlier version would set its dashboards up again: so it comes after those who take one
    warehouse = earlier.warehouse
    before, port = published_file(warehouse).resolve(), free_port()
    orders = query(warehouse, "select count(*) as n from marts.fct_orders")["n"].item()
    old, now = (Dashboards(place, warehouse, port) for place in (earlier.project, ROOT))
    try:
        # as after `git pull`, with the server of the earlier version still at work
        old.start()
        take_over(earlier.raw, warehouse)
        assert published_file(warehouse).resolve() != before
        assert query(warehouse, "select count(*) as n from marts.fct_orders")["n"].item() == orders
        statuses = query(warehouse, "select status from quality.runs order by run_id")["status"]
        assert list(statuses) == ["succeeded", "succeeded"], "the record goes on from the earlier version's"
        check_own(now.start(), earlier)
    finally:
        for version in (now, old):
            ended(version.begin("stop"))


def remove(folder: Path) -> None:
    """Remove a copy of a warehouse, whose builds not even their owner may write."""
    for build in folder.glob("*/builds/*"):
        build.chmod(0o700)
    shutil.rmtree(folder)


@contextmanager
def showing(warehouse: Path, build: str) -> Iterator[None]:
    """Publish an earlier build for a while: dashboards of its version know no other."""
    link = warehouse / "current"
    newest = link.readlink()

    def point_to(target: Path) -> None:
        link.unlink()
        link.symlink_to(target)

    point_to(newest.with_name(build))
    try:
        yield
    finally:
        point_to(newest)


def build_with(project: Path, raw: Path, warehouse: Path) -> None:
    """Build a warehouse with the code of a folder."""
    environment = {
        **os.environ,
        "RAW_DIR": str(raw),
        "WAREHOUSE_DIR": str(warehouse),
        "DBT_TARGET_PATH": str(project / "target"),
        "DBT_LOG_PATH": str(project / "logs"),
    }
    built = subprocess.run(
        [sys.executable, "-m", "pipeline", "warehouse"],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, (built.stdout + built.stderr)[-6000:]


def take_over(raw: Path, warehouse: Path) -> None:
    """Let this version say what it finds, build what is not its own, and say it again."""
    known = run(raw, warehouse, "status")
    assert known.returncode == 0 and "published   build" in known.stdout, known.stdout + known.stderr
    built = run(raw, warehouse, "warehouse", "--if-changed")
    assert built.returncode == 0, built.stderr[-6000:]
    assert "Traceback" not in built.stderr
    again = run(raw, warehouse, "warehouse", "--if-changed")
    assert again.returncode == 0 and "up to date" in again.stderr, again.stderr[-2000:]
    known = run(raw, warehouse, "status")
    assert known.returncode == 0 and "last fault" not in known.stdout, known.stdout


def make_own(admin: Person) -> tuple[str, str]:
    """Make a chart and a dashboard, as a person does in the browser; return their names."""
    (dataset,) = (one for one in admin.listed("dataset") if one["table_name"] == "customer_360")
    chart = {
        "slice_name": "A chart of my own",
        "viz_type": "table",
        "datasource_id": dataset["id"],
        "datasource_type": "table",
        "params": json.dumps({"viz_type": "table", "query_mode": "raw", "all_columns": ["customer_id"]}),
        "query_context": json.dumps(
            {
                "datasource": {"id": dataset["id"], "type": "table"},
                "queries": [{"columns": ["customer_id"], "row_limit": 10}],
                "result_format": "json",
                "result_type": "full",
            }
        ),
    }
    dashboard = {"dashboard_title": "A dashboard of my own"}
    for kind, content in (("chart", chart), ("dashboard", dashboard)):
        answer = admin.post(f"/api/v1/{kind}/", json=content)
        assert answer.status_code == 201, answer.text[:500]
    return chart["slice_name"], dashboard["dashboard_title"]


def check_own(admin: Person, earlier: Earlier) -> None:
    """See that what a person made is there and answers, beside this version's own dashboards."""
    chart, dashboard = earlier.made
    assert Person(admin.base, "ana", earlier.password), "the account and its password"
    charts = {one["slice_name"]: one["id"] for one in admin.listed("chart")}
    answer = admin.get(f"/api/v1/chart/{charts[chart]}/data/")
    assert answer.status_code == 200, answer.text[:500]
    assert len(answer.json()["result"][0]["data"]) == 10
    titles = {one["dashboard_title"] for one in admin.listed("dashboard")}
    assert {dashboard, "Data health"} <= titles
    assert "Memory of the last runs (MB)" in charts
