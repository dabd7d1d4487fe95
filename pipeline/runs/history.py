"""The record of runs: what each did, what dbt said, how the build compares with earlier ones, how the alerts stood.

One JSON file per run in the warehouse folder, kept across builds and published as ``quality.runs``,
``quality.test_results``, ``quality.build_measures`` and ``quality.alerts``.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from pipeline.base import paths
from pipeline.base.console import say
from pipeline.base.errors import StoppedByHand
from pipeline.base.files import read_record, write_record
from pipeline.base.sql import insert_rows
from pipeline.runs import events
from pipeline.runs.usage import folder_mb, peak_memory_mb

RUNS_KEPT = 100
LONGEST_MESSAGE = 1000
STAMP = "%Y-%m-%d %H:%M:%S"
ID_STAMP = re.compile("[0-9]{8}T[0-9]{9}")


@dataclass
class Run:
    """One run of the pipeline.

    Attributes
    ----------
    status : str
        ``running``, ``succeeded``, ``failed``, or ``killed`` where a run ended without a word.
    results : list of dict
        What dbt said of each model, seed and test.
    measures : list of dict
        Figures of the build beside those of earlier builds.
    alerts : list of dict, optional
        How every alert stood, and what was last told of it; None where the run did not look.
    peak_memory_mb, warehouse_mb : float
        Most that one of its processes held, and what the warehouse folder took on the disk when it ended.
    """

    run_id: str
    step: str
    process: int
    started_at: str
    raw_dir: str
    ended_at: str | None = None
    seconds: float | None = None
    status: str = "running"
    exit_code: int | None = None
    message: str | None = None
    first_changed_month: str | None = None
    raw_rows: int | None = None
    quarantined_rows: int | None = None
    build_id: str | None = None
    peak_memory_mb: float | None = None
    warehouse_mb: float | None = None
    results: list[dict[str, Any]] = field(default_factory=list)
    measures: list[dict[str, Any]] = field(default_factory=list)
    alerts: list[dict[str, Any]] | None = None
    is_worth_keeping: bool = False

    def note_usage(self) -> None:
        """Note what the run has taken of the machine until now."""
        self.peak_memory_mb = peak_memory_mb()
        self.warehouse_mb = folder_mb(paths.warehouse_dir())

    def write(self) -> None:
        """Replace the run's file."""
        paths.make_warehouse_dir()
        folder = _folder()
        folder.mkdir(mode=0o700, exist_ok=True)
        write_record(folder / f"{self.run_id}.json", asdict(self))


_current: list[Run] = []


def current() -> Run | None:
    """Return the run this process is in, if any."""
    return _current[-1] if _current else None


@contextmanager
def recorded(step: str) -> Iterator[Run]:
    """Record a run: begun, and how it ended. A run that finds nothing to do leaves no record."""
    started, began = datetime.now(UTC), time.monotonic()
    run = Run(
        run_id=_new_id(started),
        step=step,
        process=os.getpid(),
        started_at=started.strftime(STAMP),
        raw_dir=str(paths.raw_dir()),
    )
    _note_killed_runs()
    run.write()
    _current.append(run)
    try:
        yield run
    except BaseException as error:
        run.status, run.exit_code = "failed", getattr(error, "exit_code", 1)
        # a name on the disk may be no text
        words = str(error).encode(errors="backslashreplace").decode().strip()
        run.message = (words or type(error).__name__)[:2000]
        run.is_worth_keeping = True
        # whoever stops a run by hand knows of it
        event = "stopped" if isinstance(error, StoppedByHand) else "failed"
        events.emit(event, run_id=run.run_id, step=step, exit_code=run.exit_code, message=run.message)
        raise
    else:
        run.status, run.exit_code = "succeeded", 0
    finally:
        _current.pop()
        run.ended_at = datetime.now(UTC).strftime(STAMP)
        run.seconds = round(time.monotonic() - began, 1)
        try:
            if run.is_worth_keeping:
                run.note_usage()
                run.write()
                if run.status == "succeeded":
                    events.emit("succeeded", run_id=run.run_id, step=step, seconds=run.seconds, build_id=run.build_id)
            else:
                (_folder() / f"{run.run_id}.json").unlink(missing_ok=True)
            _prune()
        except OSError as error:
            say(f"  the record of this run cannot be written ({error.strerror})")


def note_results(results: Sequence[Any], broken: Mapping[str, Sequence[str]]) -> None:
    """Keep what dbt said of each node in the record of this run.

    Parameters
    ----------
    results : sequence
        Results of dbt.
    broken : mapping of str to sequence of str
        What a failed test found, by the unique id of its node.
    """
    run = current()
    if run is None:
        return
    for result in results:
        node = result.node
        said = "; ".join(filter(None, [(result.message or "").strip(), *broken.get(node.unique_id, ())]))
        tested = getattr(node, "attached_node", None) or getattr(node, "model", None)
        run.results.append(
            {
                "name": node.name,
                "resource_type": str(node.resource_type).rsplit(".", 1)[-1].lower(),
                "model": str(tested).rsplit(".", 1)[-1] if tested else None,
                "status": str(result.status).rsplit(".", 1)[-1].lower(),
                "failures": result.failures,
                "seconds": round(float(result.execution_time or 0), 3),
                "message": said[:LONGEST_MESSAGE] or None,
            }
        )


def runs() -> list[Run]:
    """Return the recorded runs, oldest first; a file that is not as it was written is passed over."""
    found = []
    for file in _files():
        try:
            found.append(Run(**(read_record(file, may_be_older=True) or {})))
        except TypeError:
            continue
    return found


RUN_TABLES = {
    "runs": {
        "run_id": "varchar",
        "step": "varchar",
        "started_at": "timestamp",
        "ended_at": "timestamp",
        "seconds": "double",
        "status": "varchar",
        "exit_code": "integer",
        "message": "varchar",
        "first_changed_month": "varchar",
        "raw_rows": "bigint",
        "quarantined_rows": "bigint",
        "build_id": "varchar",
        "peak_memory_mb": "double",
        "warehouse_mb": "double",
    },
    "test_results": {
        "run_id": "varchar",
        "name": "varchar",
        "resource_type": "varchar",
        "model": "varchar",
        "status": "varchar",
        "failures": "bigint",
        "seconds": "double",
        "message": "varchar",
    },
    "build_measures": {
        "run_id": "varchar",
        "measure": "varchar",
        "value": "double",
        "usual_value": "double",
        "verdict": "varchar",
    },
    "alerts": {
        "alert": "varchar",
        "title_en": "varchar",
        "title_ru": "varchar",
        "state": "varchar",
        "value": "double",
        "bound": "double",
        "n": "bigint",
        "since": "timestamp",
        "message": "varchar",
    },
}


def publish_tables(connection: duckdb.DuckDBPyConnection, schema: str) -> dict[str, int]:
    """Create the tables of runs in a schema; the run that publishes counts as succeeded.

    Returns
    -------
    dict of str to int
        Table name to its rows.
    """
    known = [run for run in runs() if run.run_id != getattr(current(), "run_id", None)]
    now = current()
    if now is not None:
        now.note_usage()
        ended = datetime.now(UTC)
        began = datetime.strptime(now.started_at, STAMP).replace(tzinfo=UTC)
        shown = Run(**{**asdict(now), "status": "succeeded", "exit_code": 0, "ended_at": ended.strftime(STAMP)})
        shown.seconds = max(0.0, round((ended - began).total_seconds(), 1))
        known.append(shown)
    finished = [run for run in known if run.status != "running"]
    rows: dict[str, list[dict[str, Any]]] = {
        "runs": [asdict(run) for run in finished],
        "test_results": [{"run_id": run.run_id, **result} for run in finished for result in run.results],
        "build_measures": [{"run_id": run.run_id, **measure} for run in finished for measure in run.measures],
        "alerts": [],  # judged on the file when all else is in it
    }
    for table, columns in RUN_TABLES.items():
        definition = ", ".join(f"{name} {kind}" for name, kind in columns.items())
        connection.execute(f"CREATE TABLE {schema}.{table} ({definition})").fetchall()
        _append(connection, schema, table, rows[table])
    return {table: len(content) for table, content in rows.items()}


def publish_alerts(file: Path, states: Sequence[Mapping[str, Any]]) -> None:
    """Write how the alerts stand into a file with the tables of runs: they were judged on that very file."""
    with duckdb.connect(str(file)) as connection:
        _append(connection, "quality", "alerts", states)


def alerts() -> list[dict[str, Any]]:
    """Return how the alerts stood when a run before this one last looked; empty where none has."""
    now = getattr(current(), "run_id", None)
    looked = (run.alerts for run in reversed(runs()) if run.alerts is not None and run.run_id != now)
    return next(looked, [])


def _append(connection: duckdb.DuckDBPyConnection, schema: str, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        columns = RUN_TABLES[table]
        arrays = [pa.array([row[name] for row in rows]) for name in columns]
        insert_rows(connection, f"{schema}.{table}", pa.table(arrays, names=list(columns)))


def _note_killed_runs() -> None:
    for run in runs():
        # in a container every run has the same number: one of this process's own is not of a run that goes on
        if run.status == "running" and (run.process == os.getpid() or not _is_alive(run.process)):
            run.status, run.message = "killed", "The run ended without a word: killed, or the machine stopped."
            run.write()
            events.emit("failed", run_id=run.run_id, step=run.step, message=run.message)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _prune() -> None:
    for file in _files()[:-RUNS_KEPT]:
        file.unlink(missing_ok=True)


def _new_id(started: datetime) -> str:
    """Name a run by when it began; names sort by age, even where the clock was set back since the last one."""
    stamps = [file.name.split("-")[0] for file in _files()]
    last = max((stamp for stamp in stamps if ID_STAMP.fullmatch(stamp)), default=None)
    if last is not None:
        counted_on = datetime.strptime(last, "%Y%m%dT%H%M%S%f").replace(tzinfo=UTC) + timedelta(milliseconds=1)
        started = max(started, counted_on)
    return f"{started.strftime('%Y%m%dT%H%M%S%f')[:-3]}-{os.getpid()}"


def _files() -> list[Path]:
    folder = _folder()
    return sorted(entry for entry in folder.iterdir() if entry.suffix == ".json") if folder.is_dir() else []


def _folder() -> Path:
    return paths.warehouse_dir() / "history"
