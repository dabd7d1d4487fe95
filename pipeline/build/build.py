"""Build the build file: dbt inside this process, and scoring beside it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace

import duckdb

from pipeline.base import paths
from pipeline.base.console import say
from pipeline.base.dbt_internals import is_plain
from pipeline.base.engine import on_spark, target
from pipeline.base.errors import BuildError, InputError
from pipeline.base.locking import exclusive, inherited
from pipeline.base.resources import is_disk_scarce, models_at_once
from pipeline.base.settings import project_vars
from pipeline.base.sql import name_of
from pipeline.build.build_file import failures_of_the_build_file, take_build_file
from pipeline.build.dbt_runner import Dbt
from pipeline.build.measures import check_measures
from pipeline.build.state import (
    BuildState,
    are_unit_tests_passed,
    file_state,
    finished_build,
    forget_build,
    months_of,
    note_unit_tests_passed,
    recipe_digest,
    remember_build,
)
from pipeline.landing.limits import check_quarantine
from pipeline.landing.load import Manifest, load
from pipeline.landing.settle import Landed
from pipeline.runs.history import current

# Everything that reads the scores, tests included: built after scoring.
DOWNSTREAM_OF_SCORES = "source:scores+"
# What scoring found out and applies until something it rests on changes.
CHURN_MODEL = "churn_model.json"


# Names the first month to build again to the models that know how to (macros/dbt_internals/windows.sql).
WINDOW_VARIABLE = "DBT_ENV_CUSTOM_ENV_REFRESH_FROM_MONTH"
# No fact changed: nothing in the window, everything that is global is built again all the same.
NO_MONTH_CHANGED = "9999-01"
# Tells the tables to compress their ids (macros/dbt_internals/tables.sql).
COMPRESS_VARIABLE = "COMPRESS_IDS"


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
        check_quarantine(load(variables), variables)
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
        check_quarantine(load(variables), variables)
        before, manifest = finished_build(), Manifest(paths.landing_dir())
        recipe = recipe_digest(variables)
        if before is None or before.recipe != recipe or project_vars(variables)["as_of_date"] is not None:
            _build(variables, with_scores=with_scores, since=None, options=options)
            return True
        if before.landing == manifest.resolved_from and before.with_scores == with_scores:
            return False
        if on_spark() or before.engine != target() or is_plain():
            # Spark keeps no tables, and what it left in the build file is not all that a refresh reads
            _build(variables, with_scores=with_scores, since=None, options=options)
            return True
        since = before.first_changed_month(months_of(manifest.states)) or NO_MONTH_CHANGED
        if since != NO_MONTH_CHANGED:
            since = min(since, _last_seen_month() or since)
        say(f"  facts from {since} on" if since != NO_MONTH_CHANGED else "  no fact has changed")
        _build(variables, with_scores=with_scores, since=since, options=options)
        return True


def _last_seen_month() -> str | None:
    """Find the month in which the data of the build file ended.

    What comes later may be taken for the thin tail of an export today and for a running month tomorrow, and is then
    seen although nothing in it has changed.
    """
    take_build_file()  # a refresh opens it here first
    with duckdb.connect(str(paths.build_file()), read_only=True) as connection:
        row = connection.execute(
            "SELECT strftime(as_of_date - 1, '%Y-%m') FROM intermediate.int_shop_calendar"
        ).fetchone()
    return row[0] if row else None


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
    else:
        take_build_file()
    os.environ[WINDOW_VARIABLE] = since or ""
    # unit tests try the code on rows of their own: as long as it is the same, what they said holds
    is_tried = since is not None or are_unit_tests_passed(recipe, target())
    build = ["build", *(_without_unit_tests() if is_tried else []), *options]
    dbt = _dbt(variables, manifest)
    try:
        if with_scores:
            tested = dbt.run([*build, "--exclude", DOWNSTREAM_OF_SCORES])
            _score(dbt, (), with_unit_tests=not is_tried)
        else:
            if since is not None:
                _forget_scores()
            tested = dbt.run(build)
        if "unit_test" in tested:
            note_unit_tests_passed(recipe, target())
    finally:
        del os.environ[WINDOW_VARIABLE]
        if on_spark():
            _stop_spark()
    if not options:
        _prove_landing(manifest)
    with failures_of_the_build_file():
        check_measures(variables)
    remember_build(
        BuildState(recipe, manifest.resolved_from, months_of(manifest.states), with_scores, file_state(), target())
    )


def score(variables: str | None = None, horizons: Sequence[int] = ()) -> None:
    """Judge, fit and score on the marts of the build file, then build what depends on the scores.

    The models are judged again whether or not anything has changed. Where the build file holds no finished build, all
    of it is built.

    Parameters
    ----------
    variables : str, optional
        dbt variables, YAML.
    horizons : sequence of int
        Days of further forecasts, beside the one of the marts.

    Raises
    ------
    BuildError
        Scoring, or a dependent model or test, failed.
    """
    if horizons and on_spark():
        raise InputError("Further horizons are scored on DuckDB only: leave HORIZONS out, or unset DBT_TARGET.")
    options = ["--horizon", *map(str, horizons)] if horizons else []
    with exclusive(paths.warehouse_dir()):
        (paths.warehouse_dir() / CHURN_MODEL).unlink(missing_ok=True)
        before = finished_build()
        if before is None or on_spark() or before.engine != target():
            build_all(variables)
            before = finished_build()
            if before is None or not horizons:
                return
        if (run := current()) is not None:
            run.is_worth_keeping = True
        forget_build()
        take_build_file()
        _score(_dbt(variables, Manifest(paths.landing_dir())), options, with_unit_tests=False)
        remember_build(replace(before, with_scores=True, file=file_state()))


def _dbt(variables: str | None, manifest: Manifest) -> Dbt:
    if on_spark():
        return Dbt(variables)
    orders = manifest.books().get("orders", Landed()).landed_rows
    if is_disk_scarce(orders, paths.build_file()):
        say("  little room on the disk: ids are compressed, which takes longer")
        os.environ[COMPRESS_VARIABLE] = "yes"
    return Dbt(variables, models_at_once(orders))


def _score(dbt: Dbt, options: Sequence[str], *, with_unit_tests: bool) -> None:
    # A process of its own: DuckDB lets one process write, and scikit-learn's memory is given back at its end.
    outcome = subprocess.run(
        [sys.executable, "-m", "scoring", *options], cwd=paths.PROJECT, check=False, pass_fds=inherited()
    )
    if outcome.returncode:
        raise BuildError(f"Scoring failed (exit code {outcome.returncode}); its message is above.")
    if on_spark():
        from pipeline.build import spark_tables

        spark_tables.scores_to_spark()
    dbt.run(["build", "--select", DOWNSTREAM_OF_SCORES, *([] if with_unit_tests else _without_unit_tests())])


def _without_unit_tests() -> list[str]:
    """Return the words that keep dbt from unit tests, and from what its variable names: an option takes its place."""
    kinds = {"unit_test", *os.environ.get("DBT_EXCLUDE_RESOURCE_TYPES", "").split()}
    return [word for kind in sorted(kinds) for word in ("--exclude-resource-type", kind)]


def _prove_landing(manifest: Manifest) -> None:
    """Compare what the build says it was made from with the landing it was to be made from.

    Raises
    ------
    BuildError
        They are not the same: nothing may be published.
    """
    landed = {f"raw_{table}": book.raw_rows for table, book in manifest.books().items()}
    with failures_of_the_build_file(), duckdb.connect(str(paths.build_file()), read_only=True) as connection:
        found = connection.execute("FROM marts.build_info")
        names = [name for name, *_ in found.description]
        counts = found.fetchone() or ()
    built = {name: count for name, count in zip(names, counts, strict=False) if name in landed}
    if wrong := [name for name in built if built[name] != landed[name]]:
        told = ", ".join(f"{name} is {built[name]:,} and should be {landed[name]:,}" for name in wrong)
        raise BuildError(f"The build is of other raw files than those of {paths.raw_dir()}: {told}.")


def _forget_scores() -> None:
    """Empty the score tables, as a build without scores in a fresh file has them."""
    with duckdb.connect(str(paths.build_file())) as connection:
        tables = connection.execute("SELECT table_name FROM duckdb_tables() WHERE schema_name = 'scores'").fetchall()
        for (table,) in tables:
            connection.execute(f"DELETE FROM scores.{name_of(table)}")


def _stop_spark() -> None:
    if "pipeline.build.spark" in sys.modules:
        sys.modules["pipeline.build.spark"].stop()
