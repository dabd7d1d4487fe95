"""Take what databases and APIs hold into the raw folder: ``python -m extraction --help``."""

from __future__ import annotations

import argparse
import sys

from extraction.run import extract
from pipeline.base.outcome import exit_code_of


def main(arguments: list[str] | None = None) -> int:
    """Extract what ``sources.yml`` names; returns an exit code."""
    parser = argparse.ArgumentParser(prog="python -m extraction", description=__doc__)
    parser.add_argument("--whole", action="store_true", help="read tables with a cursor from their beginning too")
    options = parser.parse_args(arguments)
    return exit_code_of(lambda: extract(whole=options.whole))


if __name__ == "__main__":
    sys.exit(main())
