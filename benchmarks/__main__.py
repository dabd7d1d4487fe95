"""Measure every step, and rivals on the same work: ``python -m benchmarks --help``."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks import api, forecast
from benchmarks.bench import bench
from benchmarks.extract import measure_extraction
from benchmarks.mapped import measure_mapping
from benchmarks.report import write
from pipeline.base import paths
from pipeline.base.files import write_whole
from pipeline.base.outcome import exit_code_of

REQUESTS = 2_000  # of the API, of each kind
# parts with a report of their own: orders, runs and a folder to work in give its text. The larger sizes tell no more.
ALONE: dict[str, Callable[[int, int, Path], str]] = {
    "forecast": lambda orders, _, folder: (
        forecast.ABOUT + forecast.as_table(forecast.race(min(orders, 100_000), folder))
    ),
    "api": lambda *_: api.ABOUT + api.measure(REQUESTS) + "\n",
    "extract": lambda orders, runs, folder: measure_extraction(min(orders, 100_000), runs, folder),
    "mapping": lambda orders, runs, folder: measure_mapping(min(orders, 1_000_000), runs, folder),
}


def main(arguments: list[str] | None = None) -> int:
    """Measure what the command line asks for and write a report; returns an exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000], help="numbers of orders")
    parser.add_argument(
        "--part",
        choices=("pipeline", "rivals", *ALONE),
        help="the pipeline alone, the race of five tables or of forecasts, the API over what is published, extraction "
        "from a PostgreSQL, or what a shop.yml costs",
    )
    parser.add_argument("--large", action="store_true", help="10,000,000 orders instead, once; more than an hour")
    parser.add_argument("--runs", type=int, default=5, help="of each step; the report has the median")
    parser.add_argument("--no-score", action="store_true", help="leave scoring unmeasured")
    parser.add_argument("--out", type=Path, help="report to write instead of docs/benchmarks[-large][-PART].md")
    options = parser.parse_args(arguments)
    return exit_code_of(lambda: _measure(options))


def _measure(options: argparse.Namespace) -> None:
    # a report of its own: who measures the usual sizes again does not lose it, nor has to wait for it
    sizes = {10_000_000: 1} if options.large else dict.fromkeys(options.sizes, options.runs)
    name = "-".join(filter(None, ["benchmarks", "large" if options.large else "", options.part]))
    report = options.out or paths.PROJECT / "docs" / f"{name}.md"
    if options.part in ALONE:
        with tempfile.TemporaryDirectory() as folder:
            found = ALONE[options.part](max(sizes), options.runs, Path(folder))
        write_whole(report, found)
        print(found)
        return
    with_scores = not options.no_score
    measured = bench(sizes, part=options.part, with_scores=with_scores, on_size=lambda found: write(found, report))
    print(write(measured, report))


if __name__ == "__main__":
    sys.exit(main())
