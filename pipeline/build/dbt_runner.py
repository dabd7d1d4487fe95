"""dbt inside this process: parsed once, run as often as a build needs it, its outcome told in a line each time."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any

import duckdb

from pipeline.base import dbt_internals, paths
from pipeline.base.console import say, step
from pipeline.base.engine import on_spark
from pipeline.base.errors import BuildError, DamagedBuildError
from pipeline.base.outcome import stop_if_asked
from pipeline.base.resources import LEAST_TO_BUILD, refuse_tight_limit
from pipeline.base.sql import is_damage
from pipeline.runs.history import note_results

QUIET = ("--log-level", "warn", "--log-level-file", "info", "--no-use-colors")
BROKEN_SHOWN = 5


class Dbt:
    """dbt with one set of variables; the project is parsed for the first command and kept for those that follow.

    Parameters
    ----------
    variables : str, optional
        dbt variables as YAML.
    models_at_once : int, optional
        How many models may be built at the same time; by default what the profile says.
    """

    def __init__(self, variables: str | None = None, models_at_once: int | None = None) -> None:
        refuse_tight_limit(LEAST_TO_BUILD)
        self._settings = [*QUIET, *(["--vars", variables] if variables else [])]
        if models_at_once is not None:
            self._settings += ["--threads", str(models_at_once)]
        self._manifest: Any = None

    def run(self, command: Sequence[str]) -> set[str]:
        """Run one dbt command and tell its outcome in one line; failures are printed by dbt itself.

        Returns
        -------
        set of str
            Kinds of what was run, such as ``model`` and ``unit_test``.

        Raises
        ------
        BuildError
            dbt could not run, or a model or test failed.
        """
        # what the profile and the macros read: absolute, and a name that DuckDB can open
        os.environ["WAREHOUSE_DIR"] = str(paths.warehouse_dir())
        os.environ["RAW_DIR"] = str(paths.raw_dir())
        os.chdir(paths.PROJECT)
        dbt_internals.collect_garbage_less_often()
        if on_spark():
            _start_spark()
        with step(f"dbt {' '.join(command)}"[:60]) as this:
            self._parse()
            try:
                outcome = dbt_internals.invoke_without_manifest(self._invoke, [*command])
            finally:
                if not on_spark():
                    dbt_internals.close_build_file()
            # dbt lists the exposures too, and does nothing for them
            results = [
                result for result in getattr(outcome.result, "results", []) if not result.status.endswith("no-op")
            ]
            failed = [result for result in results if result.status in ("error", "fail")]
            broken = {result.node.unique_id: self._broken_rows(result) for result in failed}
            note_results(results, broken)
            this.result = _summary(results)
            if not outcome.success:
                for result in failed:
                    say(f"    {result.status}: {result.node.unique_id}: {(result.message or '').strip()}")
                    for row in broken[result.node.unique_id]:
                        say(f"      {row}")
                if any(is_damage(result.message or "") for result in failed):
                    raise DamagedBuildError
                raise BuildError(f"{len(failed)} of {len(results)} models and tests failed; nothing is published.")
        if on_spark():
            from pipeline.build import spark_tables

            spark_tables.to_build_file()
        return {_kind(result) for result in results}

    def _parse(self) -> None:
        """Read the project; what did not change since the last time comes from dbt's own cache."""
        if self._manifest is not None:
            return
        # without the JSON: the command that follows writes it
        self._manifest = self._invoke(["parse", "--no-write-json"]).result

    def _broken_rows(self, result: Any) -> list[str]:
        """Tell what a failed test found: of a rule of a table some keys, of others rows by their first columns."""
        sql = getattr(result.node, "compiled_code", None)
        if on_spark() or _kind(result) != "test" or result.status != "fail" or not sql:
            return []
        try:
            with duckdb.connect(str(paths.build_file()), read_only=True) as connection:
                found = connection.sql(sql)
                metadata = result.node.test_metadata if hasattr(result.node, "test_metadata") else None
                if metadata is not None and metadata.name == "table_rules":
                    table = self._manifest.expect(result.node.attached_node).relation_name
                    key = metadata.kwargs.get("key") or connection.table(table).columns[:1]
                    return [_told_rule(connection, table, key, *row) for row in found.fetchall()]
                rows = found.limit(BROKEN_SHOWN).fetchall()
                return [_told_row(found.columns[:BROKEN_SHOWN], row) for row in rows]
        except duckdb.Error:
            return []  # the test's own message stands

    def _invoke(self, command: Sequence[str]) -> Any:
        # Imported here: dbt takes more than a second to import, and most steps do without it.
        from dbt.cli.main import dbtRunner

        dbt_internals.forget_environment()
        watched = sys.stderr.isatty()

        def on_event(event: Any) -> None:
            if event.info.name == "MainReportVersion":
                dbt_internals.drop_debug_events()
            if watched and event.info.name == "LogStartLine":
                print(f"\r  {event.data.description[:100]:<100}", end="\r", file=sys.stderr, flush=True)

        outcome = dbtRunner(manifest=self._manifest, callbacks=[on_event]).invoke([*command, *self._settings])
        # dbt makes a failed command of it
        stop_if_asked()
        if outcome.exception is not None:
            raise _failure(str(outcome.exception)) from outcome.exception
        return outcome


def _failure(text: str) -> BuildError:
    return DamagedBuildError() if is_damage(text) else BuildError(text)


def _start_spark() -> None:
    try:
        from pipeline.build import spark
    except ImportError as error:
        raise BuildError(f"DBT_TARGET=spark needs .venv-spark, which make sets up ({error}).") from error
    with step("Spark") as this:
        spark.start()
        this.result = os.environ.get(spark.MASTER_VARIABLE) or "local"


def _told_rule(connection: duckdb.DuckDBPyConnection, table: str, key: Sequence[str], rule: str, rows: int) -> str:
    """Name the table, the rule, and the keys of some rows that break it."""
    columns = ", ".join(key)
    is_key = rule == f"{columns} once only"
    which = f"GROUP BY {columns} HAVING count(*) > 1" if is_key else f"WHERE NOT ({rule})"
    found = connection.execute(f"SELECT {columns} FROM {table} {which} ORDER BY ALL LIMIT {BROKEN_SHOWN}").fetchall()
    shown = "; ".join(_told_row(key, row) for row in found)
    return f"{'.'.join(table.replace(chr(34), '').split('.')[-2:])}: {rule}: broken by {rows:,} rows, such as {shown}"


def _told_row(names: Sequence[str], row: Sequence[object]) -> str:
    return ", ".join(f"{name} = {value}" for name, value in zip(names, row, strict=False))


def _kind(result: Any) -> str:
    return str(result.node.resource_type).rsplit(".", 1)[-1].lower()


def _summary(results: Sequence[Any]) -> str:
    kinds = [_kind(result) for result in results]
    models, seeds = kinds.count("model"), kinds.count("seed")
    warned = sum(result.status == "warn" for result in results)
    text = f"{models} models, {seeds} seeds, {len(kinds) - models - seeds} tests"
    return text + (f", {warned} WARNINGS" if warned else "")
