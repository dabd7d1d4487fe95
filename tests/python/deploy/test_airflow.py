"""Airflow imports the example DAG and runs it: what it starts, in which order, and what counts as skipped."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from builds import ROOT

from pipeline.base.locking import exclusive

pytestmark = pytest.mark.rows_only

DAG = ROOT / "deploy" / "airflow" / "retention_warehouse.py"
SECONDS = 900


def airflow_python() -> str:
    """Return the Python of Airflow's environment: AIRFLOW_PYTHON, else the one make sets up."""
    found = os.environ.get("AIRFLOW_PYTHON") or str(ROOT / ".venv-airflow" / "bin" / "python")
    if not Path(found).exists():
        pytest.skip("Airflow's environment is not set up: make .venv-airflow/.installed, or set AIRFLOW_PYTHON")
    return found


def airflow(environment: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [airflow_python(), "-m", "airflow", *words],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )


def states(environment: dict[str, str], day: str) -> dict[str, str]:
    """Run the DAG for a day with Airflow's own test command, and return how each of its tasks ended."""
    ran = airflow(environment, "dags", "test", "retention_warehouse", day)
    listed = airflow(environment, "tasks", "states-for-dag-run", "retention_warehouse", day, "--output", "json")
    assert listed.returncode == 0, ran.stdout[-3000:] + ran.stderr[-3000:] + listed.stderr[-3000:]
    found = json.loads(listed.stdout[listed.stdout.index("[") :])
    return {task["task_id"]: task["state"] for task in found}


@pytest.mark.long
def test_airflow_runs_what_there_is_to_run(demo_raw: Path, published_warehouse: Path, tmp_path: Path) -> None:
    airflow_python()
    home, notes = tmp_path / "airflow", tmp_path / "notes"
    (home / "dags").mkdir(parents=True)
    (home / "dags" / DAG.name).symlink_to(DAG)
    environment = {
        **os.environ,
        "PATH": f"{Path(airflow_python()).parent}:{os.environ['PATH']}",
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
        "AIRFLOW__CORE__UNIT_TEST_MODE": "false",
        "RETENTION_WAREHOUSE": str(ROOT),
        "RETENTION_PYTHON": sys.executable,
        "RETENTION_EXTRACT": f"echo extract >> {shlex.quote(str(notes))}",
        "RAW_DIR": str(demo_raw),
        "WAREHOUSE_DIR": str(published_warehouse),
        "DBT_TARGET_PATH": str(published_warehouse / "dbt-target"),
        "DBT_LOG_PATH": str(published_warehouse / "dbt-logs"),
    }
    migrated = airflow(environment, "db", "migrate")
    assert migrated.returncode == 0, migrated.stderr[-3000:]
    wrong = airflow(environment, "dags", "list-import-errors", "--output", "json")
    assert "retention_warehouse.py" not in wrong.stdout, wrong.stdout

    # another run holds the warehouse: no failure, and nobody is told of a build that is not there
    with exclusive(published_warehouse):
        assert states(environment, "2026-03-01") == {"extract": "success", "refresh": "skipped", "alerts": "skipped"}
    assert notes.read_text().split() == ["extract"]
    assert set(states(environment, "2026-03-02").values()) == {"success"}
    assert notes.read_text().split() == ["extract", "extract"]
    # bad input is a failure, and what comes after it does not run
    environment["RAW_DIR"] = str(tmp_path / "nowhere")
    ended = states(environment, "2026-03-03")
    assert (ended["refresh"], ended["alerts"]) == ("failed", "upstream_failed")
