"""The Spark session that dbt runs on with ``DBT_TARGET=spark``: made here, shared by every dbt run of a process.

What dbt-spark leaves to be put right is in :mod:`pipeline.base.dbt_internals`.
"""

from __future__ import annotations

import os
import re
import shutil
import threading
import warnings
from pathlib import Path
from typing import Any

from dbt_common.exceptions import DbtRuntimeError
from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from pipeline.base import paths
from pipeline.base.dbt_internals import mend_dbt_spark
from pipeline.base.errors import BuildError
from pipeline.base.resources import machine_memory

# Where Spark runs: local[*], or the address of a cluster such as spark://host:7077.
MASTER_VARIABLE = "SPARK_MASTER"
# Memory of the driver, and of each executor of a cluster, as Spark writes it (4g).
MEMORY_VARIABLE = "SPARK_MEMORY"


# dbt works in several threads, and Spark itself knows a session by its thread
_session: list[SparkSession] = []
_starting = threading.Lock()


def start() -> SparkSession:
    """Return the session of this process, started with empty schemas where there is none.

    Tables live in a folder of the warehouse and are known to this session only: none of an earlier build can be read
    by accident.
    """
    with _starting:
        if not _session:
            _session.append(_started())
    return _session[0]


def _started() -> SparkSession:
    _prepare_dbt()
    # beside tables nobody knows any more Spark would refuse to create new ones
    shutil.rmtree(paths.spark_dir(), ignore_errors=True)
    paths.make_warehouse_dir()
    # macros name folders by it, and Spark takes a relative one for a place among its tables
    os.environ["WAREHOUSE_DIR"] = str(paths.warehouse_dir())
    builder = SparkSession.builder.appName("retention_warehouse")
    for name, value in settings().items():
        builder = builder.config(name, value)
    try:
        return builder.getOrCreate()
    except (PySparkException, Py4JJavaError) as error:
        raise BuildError(
            f"Spark did not start: {_told(error).splitlines()[0]} It needs Java 17 or newer, and the master that "
            f"{MASTER_VARIABLE} names must be running ({_master()})."
        ) from error


def stop() -> None:
    """End the session, if there is one, and give its disk space back."""
    while _session:
        _session.pop().stop()
    shutil.rmtree(paths.spark_dir(), ignore_errors=True)


def settings() -> dict[str, str]:
    """Return the settings of the session; those of the place give way to ``spark-defaults.conf``."""
    cores = os.cpu_count() or 2
    memory = os.environ.get(MEMORY_VARIABLE) or _memory()
    of_the_place = {
        "spark.driver.memory": memory,
        "spark.executor.memory": memory,
        # nobody else's business: every port on loopback, no web page
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.log.level": "ERROR",
        "spark.local.dir": str(paths.spark_dir() / "spill"),
        # at most so many tasks of a shuffle; adaptive execution merges the small ones
        "spark.sql.shuffle.partitions": str(4 * cores),
    }
    given = _given()
    return {
        **{name: value for name, value in of_the_place.items() if name not in given},
        "spark.master": _master(),
        "spark.sql.warehouse.dir": str(paths.spark_dir()),
        "spark.sql.catalogImplementation": "in-memory",
        "spark.sql.sources.default": "parquet",
        # the same answers as DuckDB: a cast or an overflow that fails is an error, and a timestamp has no zone
        "spark.sql.ansi.enabled": "true",
        "spark.sql.timestampType": "TIMESTAMP_NTZ",
        "spark.sql.session.timeZone": "UTC",
    }


def _master() -> str:
    return os.environ.get(MASTER_VARIABLE) or "local[*]"


def _given() -> set[str]:
    """Return the names of the settings in ``spark-defaults.conf``."""
    file = Path(os.environ.get("SPARK_CONF_DIR") or "conf") / "spark-defaults.conf"
    if not file.is_file():
        return set()
    return {re.split(r"[\s=]", line.strip())[0] for line in file.read_text().splitlines() if line.strip()}


def _memory() -> str:
    return f"{max(machine_memory() // 4 // 2**20, 1024)}m"


class SessionJob:
    """Runs a Python model in this process, on its session; one of dbt's submission helpers."""

    def __init__(self, parsed_model: dict[str, Any], credentials: Any) -> None:
        self._name = str(parsed_model["alias"])

    def submit(self, compiled_code: str) -> None:
        """Run the compiled model, which writes its table."""
        exec(compile(compiled_code, self._name, "exec"), {"spark": start(), "__name__": self._name})  # noqa: S102


def _execute(cursor: Any, sql: str, *parameters: Any) -> None:
    """Run a statement on the session of this process; parameters are written into it."""
    if parameters:
        sql = sql % tuple(_literal(value) for value in parameters)
    try:
        cursor._df = start().sql(sql)
    except PySparkException as error:
        raise DbtRuntimeError(_told(error)) from error
    except Py4JJavaError as error:
        raise DbtRuntimeError(_told(error)) from None


def _prepare_dbt() -> None:
    # what it means are data frames of pandas, and none is made here
    warnings.filterwarnings("ignore", message="PySpark does not yet fully support pandas")
    mend_dbt_spark(_execute, SessionJob)


def _told(error: Exception) -> str:
    """Tell an error of Spark without the hundred lines of where in Spark it arose."""
    text = str(error).split("JVM stacktrace:")[0].split("\n\tat ")[0]
    return text.strip()


def _literal(value: Any) -> str:
    """Write the value of a seed's cell as SQL."""
    if value is None:
        return "null"
    text = str(value).replace("\\", "\\\\").replace("'", "\\'")
    return f"'{text}'"
