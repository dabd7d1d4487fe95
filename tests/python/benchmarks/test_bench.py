"""The benchmark runs, writes its table, and lets no rival through whose tables are not ours."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest

from benchmarks.bench import (
    BENCH_PYTHON,
    LOAD,
    MERGED,
    OUTPUTS,
    PANDAS,
    POLARS,
    PUBLISH,
    RATIOS,
    SCORING,
    WAREHOUSE,
    Size,
    bench,
)
from benchmarks.equality import TABLES, check_equal
from benchmarks.measuring import Figures, OutOfMemoryError, measure
from benchmarks.queries import dashboard_queries, pasted_queries
from benchmarks.report import STEPS, render
from pipeline.base import paths
from pipeline.base.errors import BuildError

pytestmark = pytest.mark.long

ORDERS = 400


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Size:
    """Give the smallest benchmark there is."""
    if not BENCH_PYTHON.exists():
        pytest.skip("`make test` sets up .venv-bench")
    (size,) = bench({ORDERS: 1}, with_scores=False, folder=tmp_path_factory.mktemp("bench"))
    return size


def test_every_step_is_measured_and_every_rival_is_equal(measured: Size) -> None:
    assert set(STEPS) - set(measured.steps) == {SCORING, WAREHOUSE}
    assert all(figures.median > 0 and figures.peak_mb[0] > 10 for figures in measured.steps.values())
    assert measured.equal_rows > 2 * ORDERS


def test_the_floor_builds_every_model(measured: Size) -> None:
    models = {one["model"] for one in measured.models}
    files = {file.stem for file in (paths.PROJECT / "models").rglob("*") if file.suffix in (".sql", ".py")}
    assert files <= models


def test_the_report_shows_every_step_ratio_and_group_of_queries(measured: Size) -> None:
    report = render([measured])
    assert [step for step in STEPS if f"| {step} |" in report] == [step for step in STEPS if step in measured.steps]
    assert all(f"| {name} |" in report for *_, name in RATIOS)
    assert all(f"| {group} |" in report for group in measured.queries)
    assert str(paths.PROJECT) not in report


def test_there_is_a_query_for_every_chart_and_question() -> None:
    charts = list((paths.PROJECT / "superset" / "assets").glob("*/charts/*.yaml"))
    assert sum(len(queries) for queries in dashboard_queries().values()) == len(charts) > 0
    assert len(pasted_queries()) > 10


@pytest.mark.parametrize("table", TABLES)
def test_one_wrong_cell_of_a_rival_is_found(published_warehouse: Path, tmp_path: Path, table: str) -> None:
    build_file, rival = published_warehouse / "build.duckdb", tmp_path / "rival"
    script = [sys.executable, "-m", "benchmarks.pandas_rival", str(published_warehouse / "landing"), str(rival)]
    measure(script, {}, Figures())
    assert check_equal(build_file, rival) > 0
    frame = pd.read_parquet(rival / f"{table}.parquet")
    column = {"fct_orders": "payment_value", "cohort_retention": "orders"}.get(table, frame.columns[1])
    row = frame.index[frame[column].notna()][-1]
    wrong = frame[column].iloc[0] if frame[column].iloc[0] != frame.loc[row, column] else frame[column].max()
    frame.loc[row, column] = wrong if wrong != frame.loc[row, column] else frame[column].min()
    frame.to_parquet(rival / f"{table}.parquet", index=False)
    with pytest.raises(BuildError, match=table):
        check_equal(build_file, rival)


def test_a_rival_that_wants_too_much_memory_is_out() -> None:
    figures = Figures()
    command = [sys.executable, "-c", "import numpy; numpy.ones(10**9); print('done')"]
    with pytest.raises(OutOfMemoryError, match="held more than 2 GB"):
        measure(command, {}, figures, memory=2 * 2**30)
    assert not figures.is_measured
    report = render([Size(10, steps={STEPS[0]: Figures([1.0], [1.0], [1.0]), PANDAS: figures})])
    assert f"| {PANDAS} | out of memory (12 GB) |" in report


def test_memory_that_is_only_reserved_is_not_held() -> None:
    figures = Figures()
    # private, as an allocator's memory is: a limit on the data segment would count it
    code = "import mmap; kept = mmap.mmap(-1, 4 * 2**30, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS); print(len(kept))"
    command = [sys.executable, "-c", code]
    assert measure(command, {}, figures, memory=2**30) == f"{4 * 2**30}\n"
    assert figures.is_measured and not figures.is_out_of_memory


def test_the_rivals_can_be_measured_alone(tmp_path: Path) -> None:
    if not BENCH_PYTHON.exists():
        pytest.skip("`make test` sets up .venv-bench")
    (size,) = bench({ORDERS: 1}, part="rivals", folder=tmp_path)
    assert set(size.steps) == {LOAD, OUTPUTS, PANDAS, POLARS, MERGED}
    report = render([size])
    assert POLARS in report and PUBLISH not in report and "## Models" not in report


def test_an_interrupted_benchmark_tells_what_it_has(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks", "--sizes", str(ORDERS), "--runs", "1", "--no-score"]
    process = subprocess.Popen(
        [*command, "--out", str(tmp_path / "report.md")], cwd=paths.PROJECT, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    told = next(line for line in process.stderr if f"{LOAD}:" in line)
    time.sleep(1)  # the next step is at work by now
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130, told + process.stderr.read()
    report = (tmp_path / "report.md").read_text()
    assert f"| {PUBLISH} |" not in report
    assert re.search(rf"\| {re.escape(LOAD)} \| [0-9.]+ s", report)


def test_a_failed_step_loses_nothing_that_was_measured(tmp_path: Path) -> None:
    told: list[Sequence[Size]] = []
    with pytest.raises(FileNotFoundError):
        bench({ORDERS: 1}, rival_python=tmp_path / "nowhere", with_scores=False, folder=tmp_path, on_size=told.append)
    ((size,),) = told
    assert size.steps[PANDAS].is_measured and not size.steps[POLARS].is_measured
    assert f"| {POLARS} | - |" in render([size])


def test_a_step_that_fails_says_why(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"RAW_DIR|missing|does not exist"):
        measure(
            [sys.executable, "-m", "pipeline", "load"],
            {"RAW_DIR": str(tmp_path / "nowhere"), "WAREHOUSE_DIR": str(tmp_path / "warehouse")},
            Figures(),
        )
