"""Command line of the pipeline: ``python -m pipeline --help``."""

from __future__ import annotations

import argparse
import errno
import sys
import traceback
from pathlib import Path

from pipeline import paths
from pipeline.console import say
from pipeline.errors import PipelineError, StoppedByHand

# Steps whose outcome is kept; a run that finds nothing to do leaves no record.
RECORDED = ("load", "build", "score", "publish", "warehouse", "refresh")


def main(arguments: list[str] | None = None) -> int:
    """Run one step, or the whole line of them.

    Returns
    -------
    int
        0, or the exit code of the failure: 3 bad input, 4 a failed model, test or score, 5 another run is at work,
        130 stopped by hand, 1 anything else (a full disk, or a fault of the pipeline itself).
    """
    options = _parser().parse_args(arguments)
    try:
        if options.step in RECORDED:
            from pipeline.history import recorded

            with recorded(options.step):
                _run_until_stopped(options)
        else:
            _run_until_stopped(options)
    except PipelineError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except Exception as error:
        print(f"error: {_explained(error)}", file=sys.stderr)
        return 1
    return 0


def _run_until_stopped(options: argparse.Namespace) -> None:
    try:
        _run(options)
    except KeyboardInterrupt as error:
        raise StoppedByHand from error
    except RuntimeError as error:
        # what Ctrl-C becomes while DuckDB is at work
        if str(error) == "Query interrupted":
            raise StoppedByHand from error
        raise


def _explained(error: Exception) -> str:
    """Say what an unforeseen failure means, and keep its trace for whoever mends the pipeline."""
    text = str(error).strip() or type(error).__name__
    first = text.splitlines()[0]
    unharmed = "What is published is as it was; the next run needs no repair."
    if getattr(error, "errno", None) == errno.ENOSPC or "No space left" in text:
        return f"The disk of {paths.warehouse_dir()} is full ({first}). Free some space and run again. {unharmed}"
    place = paths.warehouse_dir() / "last_crash.txt"
    try:
        place.write_text(traceback.format_exc())
        kept = f"Its trace is in {place}."
    except OSError:
        kept = "Its trace could not be kept."
    return f"A fault of the pipeline or of the machine: {type(error).__name__}: {first}. {kept} {unharmed}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m pipeline", description=__doc__)
    steps = parser.add_subparsers(dest="step", required=True)
    demo = steps.add_parser("demo", help="generate the demo shop's nine raw files")
    demo.add_argument("--orders", type=int, default=100_000, help="how many, 1 to 30,000,000")
    demo.add_argument(
        "--shop", choices=("default", "loyal"), default="default", help="mostly one-time buyers, or loyal ones"
    )
    demo.add_argument("--seed", type=int, default=7, help="another seed, another shop")
    demo.add_argument("--format", choices=("csv", "parquet"), default="csv", help="of the nine files")
    demo.add_argument(
        "--out", type=Path, default=paths.PROJECT / paths.DEMO_DEFAULT, help="folder, replaced as a whole"
    )
    demo.add_argument("--if-absent", action="store_true", help="do nothing when RAW_DIR, or the folder, holds files")
    steps.add_parser("load", help="bring the landing files up to date with RAW_DIR")
    build = steps.add_parser("build", help="load, models, tests and scores, in the build file")
    score = steps.add_parser("score", help="fit, evaluate, score, refresh what depends on the scores, publish")
    steps.add_parser("publish", help="publish the build file")
    bench = steps.add_parser("bench", help="measure every step, and rivals on the same work")
    bench.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000], help="numbers of orders")
    bench.add_argument("--part", choices=("pipeline", "rivals"), help="the pipeline alone, or the race of five tables")
    bench.add_argument("--large", action="store_true", help="10,000,000 orders instead, once; more than an hour")
    bench.add_argument("--runs", type=int, default=5, help="of each step; the median is told")
    bench.add_argument("--no-score", action="store_true", help="leave scoring unmeasured")
    bench.add_argument("--out", type=Path, help="report to write instead of docs/benchmarks[-large][-PART].md")
    steps.add_parser("status", help="what is published, since when, and what went wrong last")
    warehouse = steps.add_parser("warehouse", help="build and publish")
    warehouse.add_argument(
        "--if-changed", action="store_true", help="do nothing when the published build is up to date"
    )
    warehouse.add_argument("--if-absent", action="store_true", help="do nothing when any build is published")
    refresh = steps.add_parser("refresh", help="take what is new, rebuild what it changes, publish")
    for command in (warehouse, refresh):
        command.add_argument("--no-wait", action="store_true", help="give up when another run is at work (exit code 5)")
    for command in (build, score, warehouse, refresh):
        command.add_argument("--vars", metavar="YAML", help="dbt variables, e.g. '{as_of_date: 2018-03-01}'")
    for command in (build, warehouse, refresh):
        command.add_argument("--no-score", action="store_true", help="leave the churn scores empty")
    return parser


def _run(options: argparse.Namespace) -> None:
    # Steps are imported when they are run: dbt alone takes two seconds to import.
    if options.step == "demo":
        if options.if_absent and _has_raw_files():
            return
        from pipeline.demo import generate

        generate(options.out, options.orders, seed=options.seed, shop=options.shop, file_format=options.format)
    elif options.step == "load":
        from pipeline.load import load

        load()
    elif options.step == "build":
        from pipeline.build import build_all

        build_all(options.vars, with_scores=not options.no_score)
    elif options.step == "score":
        from pipeline.build import score
        from pipeline.publish import publish

        score(options.vars)
        publish(options.vars)
    elif options.step == "publish":
        from pipeline.publish import publish

        publish()
    elif options.step == "bench":
        from pipeline.bench import bench
        from pipeline.bench.report import write

        # a report of its own: who measures the usual sizes again does not lose it, nor has to wait for it
        sizes = {10_000_000: 1} if options.large else dict.fromkeys(options.sizes, options.runs)
        name = "-".join(filter(None, ["benchmarks", "large" if options.large else "", options.part]))
        report = options.out or paths.PROJECT / "docs" / f"{name}.md"
        with_scores = not options.no_score
        found = bench(sizes, part=options.part, with_scores=with_scores, on_size=lambda found: write(found, report))
        print(write(found, report))
    elif options.step == "status":
        from pipeline.status import status

        print("\n".join(status()))
    elif options.step in ("warehouse", "refresh"):
        from pipeline.locking import exclusive

        # one lock around building and publishing: what is published is what this run has built
        with exclusive(paths.warehouse_dir(), wait=not options.no_wait):
            if options.step == "warehouse":
                _warehouse(options)
            else:
                _refresh(options)


def _warehouse(options: argparse.Namespace) -> None:
    from pipeline.build import build_all
    from pipeline.publish import is_current, publish, published

    if options.if_absent and published():
        return
    if options.if_changed and is_current(options.vars, with_scores=not options.no_score):
        say("  warehouse: up to date (raw files, code and settings are those of the published build)")
        return
    say(f"  raw files from {paths.raw_dir()}")
    build_all(options.vars, with_scores=not options.no_score)
    publish(options.vars, with_scores=not options.no_score)


def _refresh(options: argparse.Namespace) -> None:
    from pipeline.build import refresh
    from pipeline.publish import is_current, publish

    if is_current(options.vars, with_scores=not options.no_score):
        say("  refresh: nothing new (raw files, code and settings are those of the published build)")
        return
    say(f"  raw files from {paths.raw_dir()}")
    refresh(options.vars, with_scores=not options.no_score)
    publish(options.vars, with_scores=not options.no_score)


def _has_raw_files() -> bool:
    folder = paths.raw_dir()
    return folder.is_dir() and any(folder.iterdir())


if __name__ == "__main__":
    sys.exit(main())
