"""Measure this machine: each step of the pipeline, what readers ask, and rivals on the same work, side by side."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.equality import TABLES, check_equal
from benchmarks.measuring import Figures, OutOfMemoryError, measure
from benchmarks.new_day import write_day
from pipeline.base import paths
from pipeline.base.console import say

RIVALS = Path(__file__).parent
# polars is no part of the product and lives beside it
BENCH_PYTHON = paths.PROJECT / ".venv-bench" / "bin" / "python"
TO_WARM_UP = 1_000
# What ours may take at thirty million orders. A rival that needs more is out of the race, and not the machine.
RIVALS_MEMORY = 12 * 2**30
NO_UNIT_TESTS = ("--exclude-resource-type", "unit_test")
# tests that look at other tables too would need those built
ONLY_THEIR_TESTS = ("--indirect-selection", "cautious", *NO_UNIT_TESTS)

LOAD = "load: raw CSV to landed Parquet"
BUILD = "`dbt build`: every model, every data test"
TESTS = "`dbt test`: the data tests alone"
OUTPUTS = "`dbt build` of the five tables below, with their tests"
FLOOR = "floor: the same compiled SQL of every model, no dbt, no tests"
PANDAS = "pandas: the five tables"
POLARS = "polars: the five tables"
MERGED = "pandas, merge everything: five tables with wrong figures"
PUBLISH = "publish"
SCORING = "scoring: judge, fit, score, cluster"
WAREHOUSE = "`make warehouse`: all of it, from the raw files"
FIRST_DAY = "the first new day after a whole load: `make refresh`, without scores"
NEW_DAY = "one new day like all that follow: `make refresh`, without scores"

# what is divided, by which steps together, and how that is called
RATIOS = (
    (BUILD, (FLOOR,), "whole `dbt build` with tests / floor"),
    (PANDAS, (OUTPUTS,), "pandas / `dbt build` of the same tables"),
    (POLARS, (OUTPUTS,), "polars / `dbt build` of the same tables"),
    (MERGED, (OUTPUTS,), "merge everything / `dbt build` of the same tables"),
    (NEW_DAY, (LOAD, BUILD, PUBLISH), "one new day / load, whole `dbt build` and publish"),
)


@dataclass
class Size:
    """All that was measured at one number of orders.

    Attributes
    ----------
    steps : dict of str to Figures
    queries : dict
        Group of queries to, per run, seconds in all, seconds of the slowest, and number.
    models : list of dict
        What each model takes alone, most expensive first.
    equal_rows : int
        Rows in which the rivals' tables were found equal to the marts.
    """

    orders: int
    steps: dict[str, Figures] = field(default_factory=dict)
    queries: dict[str, list[tuple[float, float, int]]] = field(default_factory=dict)
    models: list[dict[str, Any]] = field(default_factory=list)
    equal_rows: int = 0


def bench(
    sizes: Mapping[int, int],
    *,
    rival_python: Path = BENCH_PYTHON,
    part: str | None = None,
    with_scores: bool = True,
    folder: Path | None = None,
    on_size: Callable[[Sequence[Size]], object] = lambda found: None,
) -> list[Size]:
    """Measure every step and rival at each size.

    Parameters
    ----------
    sizes : mapping of int to int
        Orders of each generated shop, and how often each step runs; the steps take turns, so that a busy minute of the
        machine hits all alike.
    rival_python : Path
        Interpreter that has polars.
    part : str, optional
        ``"pipeline"`` leaves out the five tables and their rivals, ``"rivals"`` all but them. Everything by default.
    with_scores : bool
        False leaves scoring, and what contains it, unmeasured.
    folder : Path, optional
        Where to work; a temporary folder by default.
    on_size : callable, optional
        Given all that is measured after each size, and when the measuring ends early: nothing of it is lost.

    Returns
    -------
    list of Size

    Raises
    ------
    pipeline.base.errors.BuildError
        A step failed, or a rival's tables are not ours.
    """
    found: list[Size] = []
    for orders, runs in sizes.items():
        with tempfile.TemporaryDirectory(dir=folder, ignore_cleanup_errors=True) as work:
            shop = _Shop(orders, Path(work), rival_python, part=part, with_scores=with_scores)
            try:
                shop.measure_runs(runs)
            finally:
                # a failed step and Ctrl-C included: what took an hour to measure is told
                if shop.size.steps:
                    found.append(shop.size)
                    on_size(found)
    return found


class _Shop:
    """A generated shop and the folder its runs share: dbt's cache is warm, landing and build file are made again."""

    def __init__(self, orders: int, work: Path, rival_python: Path, *, part: str | None, with_scores: bool) -> None:
        self.size = Size(orders)
        self._raw, self._warehouse, self._target = work / "raw", work / "warehouse", work / "dbt-target"
        self._out, self._rival_python, self._part, self._with_scores = work / "out", rival_python, part, with_scores
        self._environment = {
            "RAW_DIR": str(self._raw),
            "WAREHOUSE_DIR": str(self._warehouse),
            "DBT_TARGET_PATH": str(self._target),
            "DBT_LOG_PATH": str(work / "dbt-logs"),
        }

    def measure_runs(self, runs: int) -> None:
        # the first build parses the project and tries the unit tests, whatever the number of orders
        self._generate(min(self.size.orders, TO_WARM_UP))
        self._run("", "pipeline", "build", "--no-score")
        self._generate(self.size.orders)
        for run in range(1, runs + 1):
            self._once(is_profiled=run == runs)

    def _generate(self, orders: int) -> None:
        self._run("", "demo", "--orders", str(orders), "--out", str(self._raw))

    @property
    def _build(self) -> Path:
        return self._warehouse / "build.duckdb"

    def _once(self, *, is_profiled: bool) -> None:
        self._forget_days()
        shutil.rmtree(self._warehouse / "landing", ignore_errors=True)
        self._out.mkdir(exist_ok=True)
        self._run(LOAD, "pipeline", "load")
        if self._part != "pipeline":
            self._race()
        if self._part != "rivals":
            self._pipeline(is_profiled=is_profiled)

    def _race(self) -> None:
        landing = self._warehouse / "landing"
        select = [part for table in TABLES for part in ("--select", f"+{table}")]
        self._run(OUTPUTS, "benchmarks.dbt_part", "--fresh", "build", *select, *ONLY_THEIR_TESTS)
        with_pandas = self._rival(PANDAS, "benchmarks.pandas_rival", str(landing), str(self._out / "pandas"))
        script = str(RIVALS / "polars_rival.py")
        with_polars = self._rival(POLARS, script, str(landing), str(self._out / "polars"), python=self._rival_python)
        for rival, has_finished in (("pandas", with_pandas), ("polars", with_polars)):
            if has_finished:
                self.size.equal_rows = check_equal(self._build, self._out / rival)
        self._rival(MERGED, "benchmarks.merge_everything", str(landing), str(self._out / "merged"))

    def _pipeline(self, *, is_profiled: bool) -> None:
        self._run(BUILD, "pipeline", "build", "--no-score")
        floor = ["benchmarks.floor", str(self._target), str(self._build), str(self._out / "floor.duckdb")]
        self._run(FLOOR, *floor)
        if is_profiled:
            self.size.models = json.loads(self._run("", *floor, "--profile"))
        self._run(PUBLISH, "pipeline", "publish")
        for day, step in enumerate((FIRST_DAY, NEW_DAY), start=1):
            write_day(self._raw, day)
            self._run(step, "pipeline", "refresh", "--no-score")
        self._run(TESTS, "benchmarks.dbt_part", "test", *NO_UNIT_TESTS)
        if self._with_scores:
            self._run(SCORING, "scoring")
            shutil.rmtree(self._warehouse / "landing")
            self._run(WAREHOUSE, "pipeline", "warehouse")
        printed = self._run("", "benchmarks.queries", str(self._warehouse / "current" / "warehouse.duckdb"))
        for group, taken in json.loads(printed).items():
            self.size.queries.setdefault(group, []).append(tuple(taken))

    def _forget_days(self) -> None:
        for day in self._raw.glob("*_day_*.csv"):
            day.unlink()

    def _rival(self, step: str, module: str, *arguments: str, python: Path | None = None) -> bool:
        try:
            self._run(step, module, *arguments, python=python, memory=RIVALS_MEMORY)
        except OutOfMemoryError:
            say(f"  {self.size.orders:>10,} orders: {step}: out of memory")
            return False
        return True

    def _run(
        self, step: str, module: str, *arguments: str, python: Path | None = None, memory: int | None = None
    ) -> str:
        command = [str(python), module] if python else [sys.executable, "-m", module]
        figures = self.size.steps.setdefault(step, Figures()) if step else Figures()
        printed = measure([*command, *arguments], self._environment, figures, memory=memory)
        if step:
            say(f"  {self.size.orders:>10,} orders: {step}: {figures.seconds[-1]:.1f} s")
        return printed
