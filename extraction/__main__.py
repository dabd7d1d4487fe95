"""Take what databases and APIs hold into the raw folder: ``python -m extraction --help``."""

from __future__ import annotations

import argparse
import sys

from pipeline.base.outcome import exit_code_of


def main(arguments: list[str] | None = None) -> int:
    """Extract what ``sources.yml`` names; returns an exit code."""
    parser = argparse.ArgumentParser(prog="python -m extraction", description=__doc__)
    parser.add_argument("--whole", action="store_true", help="read tables with a cursor from their beginning too")
    options = parser.parse_args(arguments)
    return exit_code_of(lambda: _extract(whole=options.whole))


def _extract(*, whole: bool) -> None:
    # imported here: it takes a second, in which Ctrl-C is to be heard too
    from extraction.run import extract

    extract(whole=whole)


if __name__ == "__main__":
    sys.exit(main())
