"""What an earlier version made is taken over: warehouse, record of runs, and what people made in its dashboards."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from builds import ROOT, published_file, query, run
from superset_process import Person, free_port, superset_python

# the earlier version: any name that git knows
EARLIER = os.environ.get("UPGRADE_FROM") or "f02e842"
ORDERS = 2_000


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

    def command(self, word: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "WAREHOUSE_DIR": str(self.warehouse), "SUPERSET_PORT": str(self.port)}
        environment.pop("SUPERSET_HOME", None)
        return subprocess.run(
            [superset_python(), str(self.project / "superset" / "serve.py"), word],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=1800,
        )

    def start(self) -> Person:
        """Start them and come in as the administrator, by the password that lies where this version puts it."""
        started = self.command("start")
        assert started.returncode == 0, started.stdout[-3000:] + started.stderr[-6000:]
        (word,) = self.warehouse.parent.glob("*superset*/admin_password")
        return Person(f"http://127.0.0.1:{self.port}", "admin", word.read_text().strip())


@pytest.mark.long
@pytest.mark.superset
def test_an_earlier_version_is_taken_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    superset_python()
    project = earlier_version(tmp_path / "earlier")
    raw, warehouse = tmp_path / "raw", tmp_path / "data" / "warehouse"
    from demo import generate

    generate(raw, ORDERS)
    warehouse.mkdir(parents=True)
    build_with(project, raw, warehouse)
    before, port = published_file(warehouse).resolve(), free_port()
    orders = query(warehouse, "select count(*) as n from marts.fct_orders")["n"].item()
    earlier, now = (Dashboards(place, warehouse, port) for place in (project, ROOT))
    try:
        made = make_own(earlier.start())
        # as after `git pull`, with the server of the earlier version still at work
        take_over(raw, warehouse)
        assert published_file(warehouse).resolve() != before
        assert query(warehouse, "select count(*) as n from marts.fct_orders")["n"].item() == orders
        statuses = query(warehouse, "select status from quality.runs order by run_id")["status"]
        assert list(statuses) == ["succeeded", "succeeded"], "the record goes on from the earlier version's"
        check_own(now.start(), made)
    finally:
        for version in (now, earlier):
            version.command("stop")


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


def check_own(admin: Person, made: tuple[str, str]) -> None:
    """See that what a person made is there and answers, beside this version's own dashboards."""
    chart, dashboard = made
    charts = {one["slice_name"]: one["id"] for one in admin.listed("chart")}
    answer = admin.get(f"/api/v1/chart/{charts[chart]}/data/")
    assert answer.status_code == 200, answer.text[:500]
    assert len(answer.json()["result"][0]["data"]) == 10
    titles = {one["dashboard_title"] for one in admin.listed("dashboard")}
    assert {dashboard, "Data health"} <= titles
    assert "Memory of the last runs (MB)" in charts
