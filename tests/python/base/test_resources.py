"""The engine keeps to its share of the machine, or to what was asked for, and to what the disk holds."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from builds import ROOT, published_file

from pipeline.base import resources
from pipeline.base.errors import PipelineError
from pipeline.base.resources import DISK_PER_ORDER, LEAST, MOST, is_disk_scarce, memory_limit, models_at_once, restrain
from pipeline.base.sql import literal


def test_the_machine_decides_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WAREHOUSE_MEMORY", raising=False)
    assert LEAST <= memory_limit() <= MOST
    monkeypatch.setenv("WAREHOUSE_MEMORY", "1.5gb")
    assert memory_limit() == 3 * 2**29


@pytest.mark.parametrize("given", ["much", "0GB", "12", "-1GB", "1.2.3GB", ".GB", "1MB", "9" * 400 + "GB", "4GiB"])
def test_no_amount_of_memory_is_refused(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv("WAREHOUSE_MEMORY", given)
    with pytest.raises(PipelineError, match="WAREHOUSE_MEMORY"):
        memory_limit()


def test_models_of_a_large_shop_are_built_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAREHOUSE_MEMORY", "5GB")
    assert [models_at_once(orders) for orders in (0, 100_000, 1_000_000, 10_000_000)] == [2, 2, 2, 1]
    monkeypatch.setenv("WAREHOUSE_MEMORY", "500MB")
    assert [models_at_once(orders) for orders in (0, 50_000, 200_000)] == [2, 2, 1]


def test_what_does_not_fit_is_spilled(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WAREHOUSE_MEMORY", "100MB")
    with duckdb.connect() as connection:
        restrain(connection, tmp_path / "spill")
        rows = connection.execute(
            "SELECT count(*) FROM (SELECT md5(i::varchar) AS key FROM range(3000000) AS numbers (i) ORDER BY key)"
        ).fetchone()
        assert rows == (3_000_000,)
        settings = dict(
            connection.execute(
                "SELECT name, value FROM duckdb_settings() WHERE name IN ('memory_limit', 'temp_directory')"
            ).fetchall()
        )
    assert settings == {"memory_limit": "100.0 MiB", "temp_directory": str(tmp_path / "spill")}


def test_a_small_disk_is_told_from_a_large_one(tmp_path: Path) -> None:
    build_file = tmp_path / "build.duckdb"
    assert not is_disk_scarce(1, build_file)
    free = shutil.disk_usage(tmp_path).free
    assert is_disk_scarce(2 * free // DISK_PER_ORDER, build_file)


def test_what_is_built_over_counts_as_room(tmp_path: Path) -> None:
    build_file = tmp_path / "build.duckdb"
    orders = (shutil.disk_usage(tmp_path).free + 10 * 2**30) // DISK_PER_ORDER
    assert is_disk_scarce(orders, build_file)
    with build_file.open("wb") as file:
        file.truncate(20 * 2**30)  # a sparse file: its size, without the disk
    assert not is_disk_scarce(orders, build_file)


def test_a_build_with_pressed_ids_is_the_same_build(demo_raw: Path, published_warehouse: Path, tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "RAW_DIR": str(demo_raw),
        "WAREHOUSE_DIR": str(tmp_path),
        "DBT_TARGET_PATH": str(tmp_path / "dbt-target"),
        "DBT_LOG_PATH": str(tmp_path / "dbt-logs"),
        "COMPRESS_IDS": "yes",
    }
    dbt = str(Path(sys.executable).with_name("dbt"))
    command = [dbt, "--quiet", "build", "--select", "+fct_orders", "--exclude-resource-type", "unit_test", "test"]
    subprocess.run(command, cwd=ROOT, env=environment, check=True)
    assert "Uncompressed" in presses(published_warehouse / "build.duckdb")
    assert "Uncompressed" not in presses(tmp_path / "build.duckdb")
    with duckdb.connect(str(tmp_path / "build.duckdb"), read_only=True) as connection:
        connection.execute(f"ATTACH {literal(published_file(published_warehouse))} AS published (READ_ONLY)")
        assert connection.execute(
            "SELECT count(*) FROM ((FROM marts.fct_orders EXCEPT ALL FROM published.marts.fct_orders)"
            " UNION ALL (FROM published.marts.fct_orders EXCEPT ALL FROM marts.fct_orders))"
        ).fetchone() == (0,)


def presses(build_file: Path) -> set[str]:
    """Return the ways in which the ids of two tables are stored, one with a contract and one without."""
    with duckdb.connect(str(build_file), read_only=True) as connection:
        return {
            way
            for table in ("marts.fct_orders", "intermediate.int_orders")
            for (way,) in connection.execute(
                f"SELECT compression FROM pragma_storage_info('{table}')"
                " WHERE column_name IN ('order_id', 'customer_id') AND segment_type = 'VARCHAR'"
            ).fetchall()
        }


TIGHT = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[1]), int(sys.argv[1])))
from pipeline.base.resources import LEAST_TO_BUILD, machine_memory, refuse_tight_limit
assert machine_memory() <= int(sys.argv[1])
try:
    refuse_tight_limit(LEAST_TO_BUILD)
except Exception as error:
    print(error)
"""


@pytest.mark.parametrize(("limit", "is_refused"), [(2 * 2**30, True), (4 * 2**30, False)])
def test_a_limit_too_tight_to_build_in_is_said_instead_of_hanging(limit: int, is_refused: bool) -> None:
    outcome = subprocess.run(
        [sys.executable, "-c", TIGHT, str(limit)], cwd=ROOT, capture_output=True, text=True, timeout=120, check=True
    )
    assert ("ulimit -v" in outcome.stdout and "WAREHOUSE_MEMORY" in outcome.stdout) == is_refused


def test_spark_keeps_to_the_limit_of_its_container(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(resources, "CONTAINER_LIMITS", (str(tmp_path / "memory.max"),))
    (tmp_path / "memory.max").write_text("max")
    whole = resources.machine_memory()
    (tmp_path / "memory.max").write_text(str(whole // 4))
    assert resources.machine_memory() == whole // 4
    # the one place that says it; pipeline/build/spark.py once asked the machine itself
    assert "SC_PHYS_PAGES" not in (ROOT / "pipeline" / "build" / "spark.py").read_text()
