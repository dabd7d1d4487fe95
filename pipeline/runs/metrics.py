"""Figures for Prometheus: a text file that is replaced as a whole at the end of every run.

Times are given as moments, not ages: an age would stand still where no run renews it.
"""

from __future__ import annotations

import json
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
from prometheus_client import CollectorRegistry, Gauge, write_to_textfile
from prometheus_client.parser import text_string_to_metric_families

from pipeline.base import paths
from pipeline.base.console import say
from pipeline.base.errors import PipelineError
from pipeline.runs import history
from pipeline.runs.usage import MEGABYTE, folder_mb

PREFIX = "retention_"
# A run that finds nothing to do leaves no record, so these are carried from file to file, by step.
OF_THE_LAST_RUN = {
    "run_timestamp_seconds": "When the last run of a step ended, one that found nothing to do included.",
    "run_exit_code": "How it ended: 0, or the exit code that the runbook explains.",
    "run_seconds": "How long it took.",
    "run_success_timestamp_seconds": "When a run of the step last ended with 0.",
}
# A column each of one row: what the published file says of its data and of the model that ships.
PUBLISHED_FIGURES = {
    "data_until_timestamp_seconds": (
        "Newest moment in the data of the published build.",
        "SELECT epoch(max(data_until)::TIMESTAMP) FROM marts.build_info",
    ),
    "model_returns_ratio": (
        "Customers who returned in the model's latest test window, per customer that it forecast; 1 is as forecast.",
        """SELECT retained_customers / nullif((1 - mean_churn_probability) * customers, 0)
        FROM marts.churn_model_metrics WHERE is_shipped ORDER BY cutoff_date DESC LIMIT 1""",
    ),
    "model_figures_outside": (
        "Of returns and revenue in the last closed window, how many lie outside the interval of that day's forecast.",
        """SELECT (returns_verdict <> 'as expected')::INT + (revenue_verdict <> 'as expected')::INT
        FROM marts.forecast_drift WHERE band = 'everyone' ORDER BY cutoff_date DESC LIMIT 1""",
    ),
    "model_roc_auc": (
        "How well the model that ships ranked the customers of that window; 0.5 is chance.",
        "SELECT roc_auc FROM marts.churn_model_metrics WHERE is_shipped ORDER BY cutoff_date DESC LIMIT 1",
    ),
}


@contextmanager
def measured(step: str) -> Iterator[None]:
    """Write the file when a run ends, however it ends. What goes wrong with it fails no run.

    Parameters
    ----------
    step : str
        Word of the command line.
    """
    began, exit_code = time.monotonic(), 0
    try:
        yield
    except BaseException as error:
        exit_code = getattr(error, "exit_code", 1)
        raise
    finally:
        try:
            write_metrics(step, exit_code, time.monotonic() - began)
        except (OSError, PipelineError) as error:
            say(f"  the metrics cannot be written ({error})")


def write_metrics(step: str, exit_code: int, seconds: float) -> None:
    """Write all figures, as they are after a run.

    Parameters
    ----------
    step : str
        Word of the command line that the run was.
    exit_code : int
        How it ended.
    seconds : float
        How long it took.

    Raises
    ------
    OSError
        The file cannot be written.
    """
    file, figures = paths.metrics_file(), _Figures()
    _add_last_runs(figures, file, step, exit_code, seconds)
    _add_record(figures)
    _add_disk(figures)
    _add_published(figures)
    write_to_textfile(str(file), figures.registry)
    # the exporter is another user, and nothing in it is anybody's secret
    file.chmod(0o644)


class _Figures:
    """Gauges with their values; the library knows how they are written down."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._gauges: dict[str, Gauge] = {}

    def add(self, name: str, meaning: str, value: float | None, **labels: str) -> None:
        """Add one value; None is left out."""
        if value is None:
            return
        if name not in self._gauges:
            self._gauges[name] = Gauge(f"{PREFIX}{name}", meaning, list(labels), registry=self.registry)
        gauge = self._gauges[name]
        (gauge.labels(**labels) if labels else gauge).set(value)


def _add_last_runs(figures: _Figures, file: Path, step: str, exit_code: int, seconds: float) -> None:
    known = _written_before(file)
    now = time.time()
    of_this_run = {"run_timestamp_seconds": now, "run_exit_code": float(exit_code), "run_seconds": seconds}
    if exit_code == 0:
        of_this_run["run_success_timestamp_seconds"] = now
    known.update({(name, step): value for name, value in of_this_run.items()})
    for (name, known_step), value in sorted(known.items()):
        figures.add(name, OF_THE_LAST_RUN[name], value, step=known_step)


def _written_before(file: Path) -> dict[tuple[str, str], float]:
    """Read what the file says of the last runs; nothing where it is absent or damaged."""
    try:
        families = list(text_string_to_metric_families(file.read_text()))
    except (OSError, ValueError):
        return {}
    return {
        (name, sample.labels["step"]): sample.value
        for family in families
        for sample in family.samples
        if (name := sample.name.removeprefix(PREFIX)) in OF_THE_LAST_RUN and "step" in sample.labels
    }


def _add_record(figures: _Figures) -> None:
    runs = history.runs()
    meaning = f"Runs in the record, which holds the last {history.RUNS_KEPT} that did anything."
    for (step, status), count in sorted(Counter((run.step, run.status) for run in runs).items()):
        figures.add("runs_recorded", meaning, count, step=step, status=status)
    for run in {run.step: run for run in runs if run.peak_memory_mb is not None}.values():
        memory = _bytes(run.peak_memory_mb)
        figures.add("run_peak_memory_bytes", "Most that one process of the last such run held.", memory, step=run.step)
    read = [run for run in runs if run.raw_rows]
    if read:
        raw, refused = read[-1].raw_rows or 0, read[-1].quarantined_rows or 0
        figures.add("raw_rows", "Rows of the raw files, in the last run that built anything.", raw)
        figures.add("quarantined_rows", "Rows of them that could not be read.", refused)
        figures.add("quarantine_share", "Share of them that could not be read.", refused / raw)
    judged = [run for run in runs if run.measures]
    if judged:
        unusual = sum(measure["verdict"] == "unusual" for measure in judged[-1].measures)
        figures.add("unusual_measures", "Figures of the last build that are unlike those of earlier ones.", unusual)
    built = [run for run in runs if run.results]
    if built:
        _add_results(figures, built[-1].results)


def _add_results(figures: _Figures, results: list[dict[str, Any]]) -> None:
    outcomes = Counter((result["resource_type"], result["status"]) for result in results)
    for (kind, status), count in sorted(outcomes.items()):
        figures.add("results", "Models, seeds and tests of the last build.", count, kind=kind, status=status)
    seconds: Counter[str] = Counter()
    for result in results:
        seconds[result["resource_type"]] += result["seconds"]
    for kind, total in sorted(seconds.items()):
        figures.add("results_seconds", "Seconds that they took, added up.", total, kind=kind)


def _add_disk(figures: _Figures) -> None:
    folder = paths.warehouse_dir()
    figures.add("warehouse_bytes", "What the warehouse folder takes on the disk.", _bytes(folder_mb(folder)))
    figures.add("disk_free_bytes", "What is free on its disk.", shutil.disk_usage(folder).free)


def _add_published(figures: _Figures) -> None:
    current = paths.current_link()
    try:
        description = json.loads((current / "build.json").read_text())
        published = datetime.fromtimestamp((current / "warehouse.duckdb").stat().st_mtime, UTC)
    except (OSError, ValueError):
        return
    figures.add("build_published_timestamp_seconds", "When the published build was made.", published.timestamp())
    for table, rows in sorted(description.get("rows", {}).items()):
        figures.add("published_rows", "Rows of the tables of the published build.", rows, table=table)
    try:
        with duckdb.connect(str((current / "warehouse.duckdb").resolve()), read_only=True) as connection:
            for name, (meaning, sql) in PUBLISHED_FIGURES.items():
                figures.add(name, meaning, _answer(connection, sql))
    except duckdb.Error as error:
        say(f"  the published file cannot be asked for its metrics ({str(error).splitlines()[0]})")


def _answer(connection: duckdb.DuckDBPyConnection, sql: str) -> float | None:
    """Return a figure; None where the build has no such table, or nothing in it."""
    try:
        found = connection.execute(sql).fetchall()
    except duckdb.CatalogException:
        return None
    return None if not found or found[0][0] is None else float(found[0][0])


def _bytes(megabytes: float | None) -> float | None:
    return None if megabytes is None else megabytes * MEGABYTE
