"""The same marts from Spark, on a real standalone cluster, as from DuckDB: every table, row by row."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest
from builds import build_warehouse, published_file
from spark_cluster import WORKERS, Cluster, spark_python, standalone_cluster

pytestmark = pytest.mark.long

# A small shop in the normal run; the long run is SPARK_ORDERS=1000000: 39 minutes on two cores.
SMALL = 600
ORDERS = int(os.environ.get("SPARK_ORDERS", SMALL))
MEMORY = "1g" if ORDERS <= SMALL else "3g"
# What tells of the run and the engine, not of the shop.
OF_THE_RUN = {"runs", "test_results", "build_measures", "alerts"}
COLUMNS_OF_THE_RUN = {"built_at", "duckdb_version"}
# With usual thresholds a small shop has next to nothing to say of these, and nothing would be compared.
LOW_THRESHOLDS = {
    "affinity_min_people": 1,
    "next_order_min_returns": 3,
    "recommendation_min_people": 3,
    "return_driver_min_people": 10,
}
NOT_EMPTY = (
    "category_affinity",
    "product_affinity",
    "repurchase_times",
    "return_drivers",
    "next_order_windows",
    "next_order_calibration",
    "recommendations",
    "recommendation_evaluation",
    "acquisition_channels",
    "monthly_net_revenue",
    "product_margins",
    "category_margins",
)
# Compiling queries to machine code costs more than it gains on a shop of this size.
SMALL_SHOP = """
spark.driver.extraJavaOptions -XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=256m
spark.executor.extraJavaOptions -XX:TieredStopAtLevel=1
spark.sql.codegen.wholeStage false
"""


@dataclass(frozen=True)
class Built:
    """Warehouse folders of the same raw files built by both engines."""

    duckdb: Path
    spark: Path


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Run a cluster of one master and two workers."""
    spark_python()
    with standalone_cluster(tmp_path_factory.mktemp("spark-cluster"), MEMORY) as running:
        yield running


@pytest.fixture(scope="module")
def built(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Build and publish a small shop, with scores, on DuckDB and on the cluster."""
    from demo import generate
    from demo.extras import write_extras

    folder = tmp_path_factory.mktemp("engines")
    generate(folder / "raw", ORDERS)
    write_extras(folder / "raw")
    (folder / "conf").mkdir()
    (folder / "conf" / "spark-defaults.conf").write_text(SMALL_SHOP if ORDERS <= SMALL else "")
    settings = {
        "DBT_TARGET": "spark",
        "SPARK_MASTER": cluster.address,
        "SPARK_MEMORY": MEMORY,
        "SPARK_CONF_DIR": str(folder / "conf"),
    }
    raw = folder / "raw"
    on_spark = build_warehouse(
        raw, folder / "spark", variables=LOW_THRESHOLDS, python=spark_python(), settings=settings
    )
    on_duckdb = build_warehouse(raw, folder / "duckdb", variables=LOW_THRESHOLDS)
    return Built(on_duckdb, on_spark)


def test_the_cluster_did_the_work(cluster: Cluster, built: Built) -> None:
    applications = cluster.applications()
    assert [(application["name"], application["state"]) for application in applications] == [
        ("retention_warehouse", "FINISHED")
    ]
    assert cluster.executors_by_worker() == [1] * WORKERS
    assert not (built.spark / "spark").exists(), "the tables on Spark outlived their build"


def test_every_table_is_the_same_row_by_row(built: Built) -> None:
    with duckdb.connect() as connection:
        for name, warehouse in (("expected", built.duckdb), ("actual", built.spark)):
            connection.execute(f"ATTACH '{published_file(warehouse).resolve()}' AS {name} (READ_ONLY)")
        described = {
            name: connection.execute(
                """SELECT schema_name, table_name, column_name, data_type, comment FROM duckdb_columns()
                WHERE database_name = ? AND NOT list_contains(?, table_name) ORDER BY ALL""",
                [name, sorted(OF_THE_RUN)],
            ).fetchall()
            for name in ("expected", "actual")
        }
        assert described["actual"] == described["expected"]
        columns: dict[tuple[str, str], list[str]] = {}
        for schema, table, column, *_ in described["expected"]:
            if column not in COLUMNS_OF_THE_RUN:
                columns.setdefault((schema, table), []).append(f'"{column}"')
        different = []
        for (schema, table), names in columns.items():
            listed = ", ".join(names)
            for one, other in (("expected", "actual"), ("actual", "expected")):
                rows = connection.execute(
                    f"""SELECT {listed} FROM {one}.{schema}."{table}"
                    EXCEPT ALL SELECT {listed} FROM {other}.{schema}."{table}" LIMIT 3"""
                ).fetchall()
                if rows:
                    different.append(f"{schema}.{table}: only in {one}: {rows}")
        assert not different, "\n".join(different)
        for table in NOT_EMPTY:
            assert connection.execute(f"SELECT count(*) > 0 FROM actual.marts.{table}").fetchone() == (True,), table
        counted = connection.execute("SELECT count(*) FROM actual.marts.fct_orders").fetchone()
        assert counted == (ORDERS,)
