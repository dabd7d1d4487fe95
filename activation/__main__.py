"""Audiences, launches and lists: ``python -m activation --help``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from activation.audiences import FILE, read_audiences
from pipeline.base import paths
from pipeline.base.outcome import exit_code_of

FORMAT_NAMES = ("csv", "email", "yandex", "meta", "google")


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns an exit code."""
    parser = argparse.ArgumentParser(prog="python -m activation", description=__doc__)
    parser.add_argument("--file", type=Path, default=FILE, help="the file of audiences")
    commands = parser.add_subparsers(dest="command", required=True)
    dry = commands.add_parser("audiences", help="dry run: who, how many, what such a number can show")
    dry.add_argument("names", nargs="*", help="some of them; all by default")
    start = commands.add_parser("launch", help="draw the arms of an audience, once")
    start.add_argument("name", help="the audience")
    start.add_argument("--redraw-global-control", action="store_true", help="start a new global control")
    out = commands.add_parser("export", help="write the list of the treated")
    out.add_argument("name", help="the audience, for its latest launch, or the launch")
    out.add_argument("--format", choices=FORMAT_NAMES, required=True)
    out.add_argument("--to", type=Path, help="folder; `lists` beside the campaigns by default")
    options = parser.parse_args(arguments)
    body = {"audiences": _audiences, "launch": _launch, "export": _export}[options.command]
    return exit_code_of(lambda: body(options))


def _audiences(options: argparse.Namespace) -> None:
    from activation.people import REASONS, open_today
    from activation.planning import plan_for, told

    declared = read_audiences(options.file)
    names = options.names or list(declared.audiences)
    with open_today() as today:
        print(f"as of {today.as_of}, {today.people:,} people")
        for note in today.notes:
            print(f"note: {note}")
        for name in names:
            selection = today.select(declared, declared.audience(name))
            plan = plan_for(selection, today, declared.settings.global_share)
            print("\n" + "\n".join(told(selection, plan, REASONS)))


def _launch(options: argparse.Namespace) -> None:
    from activation.launching import launch

    launch_id, plan = launch(
        read_audiences(options.file), options.name, redraws_global_control=options.redraw_global_control
    )
    uplift = f"{plan.smallest_uplift:+.0%} or more" if plan.smallest_uplift is not None else "nothing"
    print(f"{launch_id}: {plan.treated:,} treated, {plan.control:,} held out; can show {uplift}")
    print(f"next: python -m activation export {options.name} --format csv")


def _export(options: argparse.Namespace) -> None:
    from activation.exporting import export

    file = export(read_audiences(options.file), options.name, options.format, options.to)
    place = file.relative_to(paths.PROJECT) if file.is_relative_to(paths.PROJECT) else file
    print(place)


if __name__ == "__main__":
    sys.exit(main())
