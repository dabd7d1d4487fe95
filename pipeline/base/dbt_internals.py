"""Every place where Python reaches into dbt's own parts; those in SQL are in ``macros/dbt_internals``.

dbt promises none of these, so each says what it gains and what breaks without it. ``DBT_PLAIN=1`` switches off all
that only save time, here and in the macros: slower, and the same warehouse, which a test builds once that way
(``test_dbt_internals.py``). dbt's versions are exact, and whoever raises them runs that test first.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Callable
from functools import partial
from typing import Any

from pipeline.base import paths
from pipeline.base.outcome import is_stopping

# dbt makes objects by the hundred thousand and keeps nearly all of them
OBJECTS_BETWEEN_COLLECTIONS = 100_000
DEBUG_LEVELS = ("debug", "test")


def is_plain() -> bool:
    """Tell whether dbt is left as it comes (``DBT_PLAIN=1``)."""
    return os.environ.get("DBT_PLAIN") == "1"


def forget_environment() -> None:
    """Let the next command see the environment as it is now.

    dbt remembers the variables of a process's first command, and the month that a refresh begins with is one of them.
    Without it: a second refresh in one process builds from the month of the first.
    """
    from dbt_common.events.functions import reset_metadata_vars

    reset_metadata_vars()


def given_variables() -> dict[str, Any]:
    """Return the variables of the command that dbt is running.

    Without it: a setting that cannot be meant is noticed by ``python -m pipeline`` and not by ``dbt build``.
    """
    from dbt.flags import get_flags

    return dict(getattr(get_flags(), "VARS", None) or {})


def collect_garbage_less_often() -> None:
    """Look for garbage at every 100,000th new object instead of every 700th.

    Without it: slower, and some 20 MB less memory.
    """
    if not is_plain():
        gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS)


def drop_debug_events() -> None:
    """Let dbt look at an event's level first: it writes out each of thousands, twice, and then drops nearly all.

    Without it: slower, and Ctrl-C while it reads the project shows dbt's stack; what else is printed and logged is the
    same.
    """
    from dbt_common.events.event_manager_client import get_event_manager

    manager = get_event_manager()
    if not is_plain() and not any(logger.level in DEBUG_LEVELS for logger in manager.loggers):
        setattr(manager, "fire_event", partial(_fire_unless_debug, manager.fire_event))  # noqa: B010


def _fire_unless_debug(fire: Callable[..., None], event: Any, level: Any = None, *others: Any, **named: Any) -> None:
    # what dbt makes of Ctrl-C is its own stack; one sentence says what it is
    if (level or event.level_tag()) not in DEBUG_LEVELS and not is_stopping():
        fire(event, level, *others, **named)


def close_build_file() -> None:
    """Close what dbt keeps open until its process ends.

    Without it: scoring, a process of its own, finds the build file locked. dbt's own setting, ``keep_open: false``,
    closes it whenever no model happens to run.
    """
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager

    if DuckDBConnectionManager._ENV is not None:
        DuckDBConnectionManager._ENV.close()
    DuckDBConnectionManager.close_all_connections()


def invoke_without_manifest(invoke: Callable[[list[str]], Any], command: list[str]) -> Any:
    """Run a command and leave its artefacts; the manifest, slow to write, only where dbt has parsed something again.

    The manifest that is written gets the time of dbt's cache, and is that of the cache as long as the two are equal:
    what the clock says, and whether somebody set it, means nothing.
    Without it: every command writes the same manifest again.
    """
    cache, manifest = paths.target_dir() / "partial_parse.msgpack", paths.dbt_manifest()
    if not is_plain() and _time_of(cache) is not None and _time_of(cache) == _time_of(manifest):
        outcome = invoke([*command, "--no-write-json"])
        if outcome.result is not None:
            outcome.result.write(str(paths.target_dir() / "run_results.json"))
        return outcome
    outcome = invoke(command)
    if (parsed_at := _time_of(cache)) is not None and manifest.exists():
        os.utime(manifest, ns=(parsed_at, parsed_at))
    return outcome


def _time_of(file: Any) -> int | None:
    try:
        return int(file.stat().st_mtime_ns)
    except OSError:
        return None


def mend_dbt_spark(execute: Callable[..., None], submission: type) -> None:
    """Put right in dbt-spark what keeps the models from running, or from giving DuckDB's answers.

    Never switched off, for without it nothing is built on Spark: ANSI mode is switched off with every statement, values
    of seeds enter statements without being escaped, and Python models run on Databricks only.

    Parameters
    ----------
    execute : callable
        Runs a statement for a cursor of dbt.
    submission : type
        Runs a Python model.
    """
    from dbt.adapters.spark import session
    from dbt.adapters.spark.impl import SparkAdapter

    session.Cursor.execute = execute
    session.SessionConnectionWrapper._fix_binding = classmethod(lambda _, value: value)
    SparkAdapter.default_python_submission_method = property(lambda _: "session")
    SparkAdapter.python_submission_helpers = property(lambda _: {"session": submission})
