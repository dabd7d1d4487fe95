"""The one query that checks a table names every rule that is broken, and no other."""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb
import pytest

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
