"""Run dbt inside this process, and scoring beside it, on the build file."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import duckdb

from pipeline import paths
from pipeline.console import say, step
from pipeline.engine import on_spark, target
from pipeline.errors import BuildError
from pipeline.history import current, note_results
from pipeline.limits import check_quarantine
from pipeline.load import Manifest, load
from pipeline.locking import exclusive, inherited
from pipeline.measures import check_measures
from pipeline.settings import project_vars
from pipeline.sql import name_of
from pipeline.state import (
    BuildState,
    file_state,
    finished_build,
    forget_build,
    months_of,
    recipe_digest,
    remember_build,
)

# Everything that reads the scores, tests included: built after scoring.
DOWNSTREAM_OF_SCORES = "source:scores+"


# Names the first month to build anew to the models that know how to (macros/windows.sql).
WINDOW_VARIABLE = "REFRESH_FROM_MONTH"
# No fact changed: nothing in the window, everything that is global is built anew all the same.
NO_MONTH_CHANGED = "9999-01"


def build_all(variables: str | None = None, *, with_scores: bool = True) -> None:
    """Build the whole warehouse in a fresh build file: load, models and tests, scores, what depends on them.

    Parameters
    ----------
    variables : str, optional
        dbt variables as YAML, e.g. ``{as_of_date: 2018-03-01}``.
    with_scores : bool
        False leaves the scores empty, which every model allows.

    Raises
    ------
    InputError, BuildError
    """
    with exclusive(paths.warehouse_dir()):
        check_quarantine(load(), variables)
        _build(variables, with_scores=with_scores, since=None)


def refresh(variables: str | None = None, *, with_scores: bool = True, options: Sequence[str] = ()) -> bool:
    """Bring the build file up to date with what is new: the facts from the first changed month on, then what is global.

    Builds everything where the build file is not the finished build of the same code and settings, and where
    ``as_of_date`` is set by hand.

    Parameters
    ----------
    variables : str, optional
        dbt variables as YAML.
    with_scores : bool
        False leaves the scores empty.
    options : sequence of str
        Further arguments of ``dbt build``, to leave out what is not looked at.

    Returns
    -------
    bool
        Whether anything had changed.

    Raises
    ------
    InputError, BuildError
    """
    with exclusive(paths.warehouse_dir()):
        check_quarantine(load(), variables)
        before, manifest = finished_build(), Manifest(paths.landing_dir())
        recipe = recipe_digest(variables)
        if before is None or before.recipe != recipe or project_vars(variables)["as_of_date"] is not None:
            _build(variables, with_scores=with_scores, since=None, options=options)
            return True
        if before.landing == manifest.resolved_from and before.with_scores == with_scores:
            return False
        if on_spark() or before.engine != target():
            # Spark keeps no tables, and what it left in the build file is not all that a refresh reads
            _build(variables, with_scores=with_scores, since=None, options=options)
            return True
        since = before.first_changed_month(months_of(manifest.states)) or NO_MONTH_CHANGED
        say(f"  facts from {since} on" if since != NO_MONTH_CHANGED else "  no fact has changed")
        _build(variables, with_scores=with_scores, since=since, options=options)
        return True


def _build(variables: str | None, *, with_scores: bool, since: str | None, options: Sequence[str] = ()) -> None:
    """Run dbt and scoring on the landing as it is; ``since`` keeps the build file and its facts of earlier months."""
    recipe, manifest = recipe_digest(variables), Manifest(paths.landing_dir())
    if (run := current()) is not None:
        run.is_worth_keeping = True
        run.first_changed_month = since
        run.raw_rows = sum(book.raw_rows for book in manifest.books().values())
        run.quarantined_rows = sum(book.quarantined_rows for book in manifest.books().values())
    forget_build()
    if since is None:
        for leftover in (paths.build_file(), paths.build_file().with_name("build.duckdb.wal")):
            leftover.unlink(missing_ok=True)
    os.environ[WINDOW_VARIABLE] = since or ""
    # unit tests try the code, which the build that is gone on with has tried already
    build = ["build", *(["--exclude-resource-type", "unit_test"] if since is not None else []), *options]
    try:
        if with_scores:
            run_dbt([*build, "--exclude", DOWNSTREAM_OF_SCORES], variables)
            _score(variables, ())
        else:
            if since is not None:
                _forget_scores()
            run_dbt(build, variables)
    finally:
        del os.environ[WINDOW_VARIABLE]
        if on_spark():
            _stop_spark()
    check_measures(variables)
    remember_build(
        BuildState(recipe, manifest.resolved_from, months_of(manifest.states), with_scores, file_state(), target())
    )


def score(variables: str | None = None, options: Sequence[str] = ()) -> None:
    """Fit, evaluate and score on the marts of the build file, then build what depends on the scores.

    Where the build file holds no finished build, all of it is built.

    Raises
    ------
    BuildError
        Scoring, or a dependent model or test, failed.
    """
    with exclusive(paths.warehouse_dir()):
        before = finished_build()
        if before is None or on_spark() or before.engine != target():
            build_all(variables)
            return
        if (run := current()) is not None:
            run.is_worth_keeping = True
        forget_build()
        _score(variables, options)
        remember_build(replace(before, with_scores=True, file=file_state()))


def _score(variables: str | None, options: Sequence[str]) -> None:
    # A process of its own: DuckDB lets one process write, and scikit-learn's memory is given back at its end.
    outcome = subprocess.run(
        [sys.executable, "-m", "scoring", *options], cwd=paths.PROJECT, check=False, pass_fds=inherited()
    )
    if outcome.returncode:
        raise BuildError(f"Scoring failed (exit code {outcome.returncode}); its message is above.")
    if on_spark():
        from pipeline import spark_tables

        spark_tables.scores_to_spark()
    run_dbt(["build", "--select", DOWNSTREAM_OF_SCORES], variables)


def _forget_scores() -> None:
    """Empty the score tables, as a build without scores in a fresh file has them."""
    with duckdb.connect(str(paths.build_file())) as connection:
        tables = connection.execute("SELECT table_name FROM duckdb_tables() WHERE schema_name = 'scores'").fetchall()
        for (table,) in tables:
            connection.execute(f"DELETE FROM scores.{name_of(table)}")


def run_dbt(command: Sequence[str], variables: str | None = None) -> None:
    """Run one dbt command and tell its outcome in one line; failures are printed by dbt itself.

    Raises
    ------
    BuildError
        dbt could not run, or a model or test failed.
    """
    os.chdir(paths.PROJECT)
    if on_spark():
        try:
            from pipeline import spark
        except ImportError as error:
            raise BuildError(f"DBT_TARGET=spark needs .venv-spark, which make sets up ({error}).") from error
        with step("Spark") as this:
            spark.start()
            this.result = os.environ.get(spark.MASTER_VARIABLE) or "local"
    # Imported here: dbt takes two seconds to import, and most steps do without it.
    from dbt.cli.main import dbtRunner

    watched = sys.stderr.isatty()

    def on_event(event: Any) -> None:
        if watched and event.info.name == "LogStartLine":
            print(f"\r  {event.data.description[:100]:<100}", end="\r", file=sys.stderr, flush=True)

    arguments = [*command, "--log-level", "warn", "--log-level-file", "info", "--no-use-colors"]
    if variables:
        arguments += ["--vars", variables]
    with step(f"dbt {' '.join(command)}"[:60]) as this:
        try:
            outcome = dbtRunner(callbacks=[on_event]).invoke(arguments)
        finally:
            if not on_spark():
                _close_build_file()
        if outcome.exception is not None:
            raise BuildError(str(outcome.exception)) from outcome.exception
        # dbt lists the exposures too, and does nothing for them
        results = [result for result in getattr(outcome.result, "results", []) if not result.status.endswith("no-op")]
        note_results(results)
        this.result = _summary(results)
        if not outcome.success:
            failed = [result for result in results if result.status in ("error", "fail")]
            for result in failed:
                say(f"    {result.status}: {result.node.unique_id}: {(result.message or '').strip()}")
            raise BuildError(f"{len(failed)} of {len(results)} models and tests failed; nothing is published.")
    if on_spark() and command[0] == "build":
        from pipeline import spark_tables

        spark_tables.to_build_file()


def _stop_spark() -> None:
    if "pipeline.spark" in sys.modules:
        sys.modules["pipeline.spark"].stop()


def _close_build_file() -> None:
    """Close what dbt keeps open until its process ends; scoring and publishing come before that."""
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager

    if DuckDBConnectionManager._ENV is not None:
        DuckDBConnectionManager._ENV.close()
    DuckDBConnectionManager.close_all_connections()


def _summary(results: Sequence[Any]) -> str:
    kinds = [str(result.node.resource_type).rsplit(".", 1)[-1].lower() for result in results]
    models, seeds = kinds.count("model"), kinds.count("seed")
    warned = sum(result.status == "warn" for result in results)
    text = f"{models} models, {seeds} seeds, {len(kinds) - models - seeds} tests"
    return text + (f", {warned} WARNINGS" if warned else "")
