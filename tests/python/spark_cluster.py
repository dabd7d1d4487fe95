"""A standalone Spark cluster on loopback: one master and two workers, ended by the one who started them."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
from builds import ROOT
from superset_process import free_port

WORKERS = 2
SECONDS_TO_START = 120


@dataclass(frozen=True)
class Cluster:
    """A running cluster.

    Attributes
    ----------
    address : str
        What `SPARK_MASTER` is set to.
    page : str
        Address of the master's page, whose JSON tells what has run.
    folder : Path
        Where the logs are.
    """

    address: str
    page: str
    folder: Path

    def applications(self) -> list[dict[str, object]]:
        """Return what has run on the cluster, as the master tells it."""
        told = requests.get(f"{self.page}/json/", timeout=30).json()
        return [*told["completedapps"], *told["activeapps"]]

    def executors_by_worker(self) -> list[int]:
        """Return how many executors each worker has run."""
        logs = [(self.folder / f"worker-{number}.log").read_text() for number in range(WORKERS)]
        return [log.count("Asked to launch executor") for log in logs]


def spark_python() -> Path:
    """Return the Python of Spark's environment; without it, or without Java, the test is skipped."""
    python = ROOT / ".venv-spark" / "bin" / "python"
    if os.environ.get("REQUIRE_SPARK"):
        return python
    if not python.exists():
        pytest.skip("Spark's environment is not set up: DBT_TARGET=spark make warehouse")
    if shutil.which("java") is None:
        pytest.skip("Spark needs Java 17 or newer, and there is no java on PATH")
    return python


@contextmanager
def standalone_cluster(folder: Path, memory: str) -> Iterator[Cluster]:
    """Run a master and its workers, one core each, for as long as the context lasts."""
    port, page_port = free_port(), free_port()
    address, page = f"spark://127.0.0.1:{port}", f"http://127.0.0.1:{page_port}"
    place = ["--host", "127.0.0.1", "--webui-port"]
    with ExitStack() as running:
        running.enter_context(_process(folder, "master", "master.Master", *place, str(page_port), "--port", str(port)))
        _wait(page, workers=0)
        for number in range(WORKERS):
            size = ["--cores", "1", "--memory", memory, "--work-dir", str(folder / f"work-{number}")]
            running.enter_context(_process(folder, f"worker-{number}", "worker.Worker", *place, "0", *size, address))
        _wait(page, workers=WORKERS)
        yield Cluster(address, page, folder)


@contextmanager
def _process(folder: Path, name: str, program: str, *arguments: str) -> Iterator[None]:
    home = next((ROOT / ".venv-spark" / "lib").glob("python3.*/site-packages/pyspark"))
    environment = {
        **os.environ,
        "SPARK_HOME": str(home),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_DAEMON_MEMORY": "256m",
        # a second way in, on a port that is always the same
        "SPARK_DAEMON_JAVA_OPTS": "-Dspark.master.rest.enabled=false",
    }
    command = [str(home / "bin" / "spark-class"), f"org.apache.spark.deploy.{program}", *arguments]
    with (folder / f"{name}.log").open("w") as log:
        # spark-class becomes the Java process, which ends its own executors when it is asked to end
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
        try:
            yield
        finally:
            process.terminate()
            process.wait(60)


def _wait(page: str, workers: int) -> None:
    until = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < until:
        try:
            told = requests.get(f"{page}/json/", timeout=5).json()
            if told["aliveworkers"] >= workers:
                return
        except requests.RequestException:
            pass
        time.sleep(0.2)
    raise TimeoutError(f"the cluster at {page} did not start within {SECONDS_TO_START} s")
