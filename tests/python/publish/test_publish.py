"""What is published, how it replaces the build before it, and that a failed run replaces nothing."""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb
import pytest
from builds import BAD_INPUT, FAILED, LEFT_OUT, UNIT_TESTS, build_warehouse, published_file, query, run
from shops import Shop

pytestmark = pytest.mark.rows_only

# The pipeline with the rules of the settings taken out: dbt's own tests are the second lock.
WITHOUT_RULES = """
import sys
from pipeline.base import settings
settings.check_settings = lambda *_: None
from pipeline.__main__ import main
sys.exit(main())
"""


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    shop = Shop()
    for number in range(5):
        shop.order(
            f"person-{number % 3}", f"2024-0{number + 1}-10 12:00:00", delivered=f"2024-0{number + 1}-15 12:00:00"
        )
    return shop.write(tmp_path_factory.mktemp("raw"))


@pytest.fixture(scope="module")
def warehouse(raw: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_warehouse(raw, tmp_path_factory.mktemp("warehouse"), score=False)


def test_only_marts_scores_and_quality_are_published(warehouse: Path) -> None:
    schemas = query(warehouse, "select distinct schema_name from duckdb_tables()")["schema_name"]
    assert set(schemas) == {"marts", "scores", "quality"}
    assert query(warehouse, "select count(*) as views from duckdb_views() where not internal")["views"].item() == 0


def test_every_published_table_and_mart_column_is_described(warehouse: Path) -> None:
    tables = query(warehouse, "select table_name from duckdb_tables() where comment is null or comment = ''")
    assert list(tables["table_name"]) == []
    columns = query(
        warehouse,
        """select table_name || '.' || column_name as name from duckdb_columns()
        where schema_name in ('marts', 'quality') and not internal and (comment is null or comment = '')""",
    )
    assert list(columns["name"]) == []


def test_older_duckdb_tools_can_open_the_file(warehouse: Path) -> None:
    version = query(
        warehouse, "select tags['storage_version'] as v from duckdb_databases() where database_name = 'warehouse'"
    )
    assert version["v"].item().startswith("v1.4.0")


def test_published_files_cannot_be_written(warehouse: Path) -> None:
    build = (warehouse / "current").resolve()
    assert build.parent == warehouse / "builds"
    assert oct(build.stat().st_mode)[-3:] == "555"
    assert {oct(file.stat().st_mode)[-3:] for file in build.iterdir()} == {"444"}


def test_publishing_again_moves_current_and_keeps_three_builds(warehouse: Path, raw: Path, tmp_path: Path) -> None:
    copy = tmp_path / "warehouse"
    shutil.copytree(warehouse, copy, symlinks=True)
    reader = duckdb.connect(str(published_file(copy).resolve()), read_only=True)
    seen = [(copy / "current").resolve().name]
    for _ in range(3):
        assert run(raw, copy, "publish").returncode == 0
        seen.append((copy / "current").resolve().name)
    assert seen == sorted(set(seen))
    assert sorted(entry.name for entry in (copy / "builds").iterdir()) == seen[-3:]
    # a reader of a build that is gone from the folder still has it
    assert reader.execute("select count(*) from marts.fct_orders").fetchone() == (5,)
    reader.close()


def test_up_to_date_means_nothing_is_done(warehouse: Path, raw: Path) -> None:
    before = (warehouse / "current").resolve()
    outcome = run(raw, warehouse, "warehouse", "--no-score", "--if-changed")
    assert outcome.returncode == 0 and "up to date" in outcome.stderr
    assert (warehouse / "current").resolve() == before


@pytest.mark.parametrize("fault", ["missing file", "failing test"])
def test_a_failed_run_leaves_the_published_warehouse_as_it_was(
    warehouse: Path, raw: Path, tmp_path: Path, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(LEFT_OUT, UNIT_TESTS)
    copy, broken = tmp_path / "warehouse", tmp_path / "raw"
    shutil.copytree(warehouse, copy, symlinks=True)
    shutil.copytree(raw, broken)
    orders = broken / "olist_orders_dataset.csv"
    if fault == "missing file":
        orders.unlink()
    # weights of more than one in all give scores beyond the best
    settings = ["--vars", "{rfm_weight_recency: 5}"] if fault == "failing test" else []
    program = ("-c", WITHOUT_RULES) if fault == "failing test" else ("-m", "pipeline")
    before = (copy / "current").resolve(), published_file(copy).read_bytes()
    outcome = run(broken, copy, "warehouse", "--no-score", *settings, program=program)
    assert outcome.returncode == (BAD_INPUT if fault == "missing file" else FAILED), outcome.stderr
    assert ("olist_orders_dataset" if fault == "missing file" else "customer_rfm") in outcome.stderr
    assert "Traceback" not in outcome.stderr
    assert ((copy / "current").resolve(), published_file(copy).read_bytes()) == before
    # what failed is not published by hand either
    if fault == "failing test":
        refused = run(raw, copy, "publish")
        assert refused.returncode == FAILED and "did not finish" in refused.stderr
        assert (copy / "current").resolve() == before[0]
    # and the next run needs no repair
    assert run(raw, copy, "warehouse", "--no-score").returncode == 0
