"""Command line of the pipeline: ``python -m pipeline --help``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.base import paths
from pipeline.base.console import answer, say
from pipeline.base.errors import DamagedBuildError, InputError, PipelineError
from pipeline.base.outcome import exit_code_of, run_until_stopped

# What a step imports it imports when it runs: dbt alone takes two seconds.


def _load(_: argparse.Namespace) -> None:
    from pipeline.landing.load import load

    load()


def _build(options: argparse.Namespace) -> None:
    from pipeline.build.build import build_all

    build_all(options.vars, with_scores=not options.no_score)


def _score(options: argparse.Namespace) -> None:
    from pipeline.build.build import score
    from pipeline.publish.publish import publish

    score(options.vars, options.horizons)
    publish(options.vars)


def _publish(_: argparse.Namespace) -> None:
    from pipeline.publish.publish import publish

    publish()


def _warehouse(options: argparse.Namespace) -> None:
    from pipeline.build.build import build_all
    from pipeline.publish.publish import is_current, publish, published

    if options.if_absent and published():
        return
    if options.if_changed and is_current(options.vars, with_scores=not options.no_score):
        say("  warehouse: up to date (raw files, code and settings are those of the published build)")
        return
    say(f"  raw files from {paths.raw_dir()}")
    is_first = not paths.current_link().is_symlink()
    build_all(options.vars, with_scores=not options.no_score)
    publish(options.vars, with_scores=not options.no_score)
    if is_first:
        from pipeline.propose import propose

        say("  what this shop's own data say of the settings (again: python -m pipeline propose)")
        for line in propose():
            say(f"    {line}")


def _refresh(options: argparse.Namespace) -> None:
    from pipeline.build.build import build_all, refresh
    from pipeline.publish.publish import is_current, publish

    with_scores = not options.no_score
    if is_current(options.vars, with_scores=with_scores):
        say("  refresh: nothing new (raw files, code and settings are those of the published build)")
        return
    say(f"  raw files from {paths.raw_dir()}")
    try:
        refresh(options.vars, with_scores=with_scores)
        publish(options.vars, with_scores=with_scores)
    except DamagedBuildError:
        say("  the build file is damaged: everything is built again from the landing")
        build_all(options.vars, with_scores=with_scores)
        publish(options.vars, with_scores=with_scores)


def _status(_: argparse.Namespace) -> None:
    from pipeline.status import status

    lines, fault = status()
    answer("\n".join(lines))
    if fault:
        raise PipelineError(fault)


def _propose(_: argparse.Namespace) -> None:
    from pipeline.propose import propose

    answer("\n".join(propose()))


def _backup(options: argparse.Namespace) -> None:
    from pipeline.backup import backup

    answer(str(backup(Path(options.to))))


def _restore(options: argparse.Namespace) -> None:
    from pipeline.backup import restore

    restore(Path(options.file))


def _map(options: argparse.Namespace) -> None:
    if options.suggest:
        from pipeline.mapping.suggest import suggest

        print(suggest(Path(options.suggest)), end="")
        return
    from pipeline.mapping.check import check_shop

    lines, is_fit = check_shop()
    answer("\n".join(lines))
    if not is_fit:
        raise InputError("shop.yml does not fit the files yet; what to change is listed above.")


def _alerts(_: argparse.Namespace) -> None:
    from pipeline.alerts.telling import dry_run

    lines, is_fit = dry_run()
    answer("\n".join(lines))
    if not is_fit:
        raise InputError("not every alert can be evaluated; what to change is said above.")


def _notify(_: argparse.Namespace) -> None:
    """Do nothing but what every step with alerts does at its end."""


def _watch(_: argparse.Namespace) -> None:
    from pipeline.watch import watch

    watch()


@dataclass(frozen=True)
class Step:
    """One word of the command line.

    Attributes
    ----------
    help : str
        One line.
    body : callable
        What it does, with the options of the command line.
    options : sequence of str
        Names in ``OPTIONS``.
    is_recorded : bool
        Whether its outcome is kept; a run that finds nothing to do leaves no record all the same.
    is_exclusive : bool
        Whether one lock is around all of it: what is published is what this run has built.
    has_alerts : bool
        Whether what the alerts have to say is sent when it is done.
    """

    help: str
    body: Callable[[argparse.Namespace], None]
    options: Sequence[str] = ()
    is_recorded: bool = True
    is_exclusive: bool = False
    has_alerts: bool = False


OPTIONS: dict[str, dict[str, Any]] = {
    "--if-changed": {"action": "store_true", "help": "do nothing when the published build is up to date"},
    "--if-absent": {"action": "store_true", "help": "do nothing when any build is published"},
    "--no-wait": {"action": "store_true", "help": "give up when another run is at work (exit code 5)"},
    "--vars": {"metavar": "YAML", "help": "dbt variables, e.g. '{as_of_date: 2018-03-01}'"},
    "--horizons": {
        "nargs": "+",
        "type": int,
        "default": [],
        "metavar": "DAYS",
        "help": "further windows of the forecast, each with its own card, e.g. 30 90 180 365",
    },
    "--to": {"metavar": "FOLDER", "default": "data/backups", "help": "where backups are kept"},
    "--from": {"metavar": "FILE", "dest": "file", "required": True, "help": "the backup"},
    "--check": {"action": "store_true", "help": "a dry run of shop.yml: nothing is kept (what `map` does anyway)"},
    "--suggest": {"metavar": "FILE", "help": "print a first shop.yml for a file of transactions"},
    "--no-score": {"action": "store_true", "help": "leave the churn scores empty"},
}

STEPS = {
    "load": Step("bring the landing files up to date with RAW_DIR", _load),
    "map": Step("a dry run of shop.yml, or a first one", _map, ("--check", "--suggest"), is_recorded=False),
    "build": Step("load, models, tests and scores, in the build file", _build, ("--vars", "--no-score")),
    "score": Step(
        "judge and fit again, score, refresh what depends on the scores, publish",
        _score,
        ("--horizons", "--vars"),
        has_alerts=True,
    ),
    "publish": Step("publish the build file", _publish, has_alerts=True),
    "warehouse": Step(
        "build and publish",
        _warehouse,
        ("--if-changed", "--if-absent", "--no-wait", "--vars", "--no-score"),
        is_exclusive=True,
        has_alerts=True,
    ),
    "refresh": Step(
        "take what is new, rebuild what it changes, publish",
        _refresh,
        ("--no-wait", "--vars", "--no-score"),
        is_exclusive=True,
        has_alerts=True,
    ),
    "backup": Step(
        "copy landing, published builds, campaigns and Superset's metadata; secrets apart",
        _backup,
        ("--to",),
        is_recorded=False,
    ),
    "restore": Step("put a backup back into empty folders", _restore, ("--from",), is_recorded=False),
    "alerts": Step("a dry run of alerts.yml: how each stands, and what would be told", _alerts, is_recorded=False),
    "notify": Step(
        "send what the alerts have to say, as every refresh does at its end",
        _notify,
        ("--no-wait",),
        is_exclusive=True,
        has_alerts=True,
    ),
    "propose": Step("settings that the published data suggest", _propose, is_recorded=False),
    "watch": Step("refresh whenever the raw folder changes, at most once a minute", _watch, is_recorded=False),
    "status": Step("what is published, since when, and what went wrong last", _status, is_recorded=False),
}


def main(arguments: list[str] | None = None) -> int:
    """Run one step, or the whole line of them; returns the exit code of :func:`pipeline.base.outcome.exit_code_of`."""
    options = _parser().parse_args(arguments)
    step = STEPS[options.step]
    return exit_code_of(lambda: _run_recorded(step, options) if step.is_recorded else _run(step, options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m pipeline", description=__doc__)
    steps = parser.add_subparsers(dest="step", required=True)
    for name, step in STEPS.items():
        command = steps.add_parser(name, help=step.help)
        for option in step.options:
            command.add_argument(option, **OPTIONS[option])
    return parser


def _run_recorded(step: Step, options: argparse.Namespace) -> None:
    from pipeline.runs.history import recorded
    from pipeline.runs.metrics import measured

    with measured(options.step), recorded(options.step):
        run_until_stopped(lambda: _run(step, options))


def _run(step: Step, options: argparse.Namespace) -> None:
    if "--vars" in step.options:
        from pipeline.base.settings import project_vars
        from pipeline.mapping.mapping import settings_of_shop

        options.vars = settings_of_shop(options.vars)
        project_vars(options.vars)  # a setting that cannot be meant stops the run before anything is read
    if not step.is_exclusive:
        _do(step, options)
        return
    from pipeline.base.locking import exclusive

    with exclusive(paths.warehouse_dir(), wait=not options.no_wait):
        _do(step, options)


def _do(step: Step, options: argparse.Namespace) -> None:
    step.body(options)
    if step.has_alerts:
        from pipeline.alerts.telling import tell

        tell()


if __name__ == "__main__":
    sys.exit(main())
