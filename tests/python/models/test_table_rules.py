"""The one query that checks a table names every rule that is broken, and no other."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import duckdb
import pytest

from pipeline.base.errors import BuildError
from pipeline.build.dbt_runner import Dbt
from pipeline.runs import history

KEY = "customer_id once only"
BROKEN = {
    "a key twice": ("insert into marts.customer_rfm from marts.customer_rfm limit 1", {KEY: 2}),
    "a key that is NULL": (
        """update marts.customer_rfm set customer_id = null
        where customer_id = (select min(customer_id) from marts.customer_rfm)""",
        {"customer_id is not null": 1},
    ),
    "two rules at once": (
        """update marts.customer_rfm set recency_days = -1, churn_risk_tier = 'none'
        where customer_id = (select min(customer_id) from marts.customer_rfm)""",
        {"recency_days >= 0": 1, "churn_risk_tier in ('high', 'medium', 'low')": 1},
    ),
    "nothing": ("select 1", {}),
    "no row at all": ("delete from marts.customer_rfm", {}),
}


@pytest.mark.parametrize("damage", BROKEN)
def test_each_broken_rule_is_told(small_warehouses: dict[str, Path], tmp_path: Path, damage: str) -> None:
    statement, expected = BROKEN[damage]
    warehouse = small_warehouses["corner"]
    (file,) = (warehouse / "dbt-target" / "compiled").rglob("table_rules_customer_rfm_*.sql")
    # the compiled query names its database, and a database is named after its file
    copy = Path(shutil.copy(warehouse / "build.duckdb", tmp_path / "build.duckdb"))
    with duckdb.connect(str(copy)) as connection:
        connection.execute(statement)
        assert dict(connection.execute(file.read_text()).fetchall()) == expected


def test_a_run_names_table_rule_and_key_of_what_is_broken(
    small_raw: dict[str, Path],
    small_warehouses: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shutil.copy(small_warehouses["corner"] / "build.duckdb", tmp_path)
    shutil.copytree(small_warehouses["corner"] / "landing", tmp_path / "landing")
    with duckdb.connect(str(tmp_path / "build.duckdb")) as connection:
        (person,) = connection.execute("select max(customer_id) from marts.customer_rfm").fetchall()[0]
        connection.execute("insert into marts.customer_rfm from marts.customer_rfm where customer_id = ?", [person])
        connection.execute("update marts.customer_rfm set recency_days = -1 where customer_id = ?", [person])
    monkeypatch.setenv("RAW_DIR", str(small_raw["corner"]))
    monkeypatch.setenv("WAREHOUSE_DIR", str(tmp_path))
    monkeypatch.setenv("DBT_TARGET_PATH", str(tmp_path / "dbt-target"))
    monkeypatch.setenv("DBT_LOG_PATH", str(tmp_path / "dbt-logs"))
    with pytest.raises(BuildError), history.recorded("build"):
        Dbt().run(["test", "--select", "customer_rfm,test_name:table_rules"])
    said = capsys.readouterr().err
    (record,) = (json.loads(file.read_text()) for file in (tmp_path / "history").glob("*.json"))
    (stored,) = (result["message"] for result in record["results"] if result["status"] == "fail")
    for told in (said, stored):
        assert f"marts.customer_rfm: {KEY}: broken by 2 rows, such as customer_id = {person}" in told
        assert f"marts.customer_rfm: recency_days >= 0: broken by 2 rows, such as customer_id = {person}" in told
