"""How a command ends: an exit code and one sentence, whatever happened."""

from __future__ import annotations

import errno
import sys
import traceback
from collections.abc import Callable

from pipeline.base import paths
from pipeline.base.errors import PipelineError, StoppedByHand


def exit_code_of(body: Callable[[], None]) -> int:
    """Run the body of a command and say on standard error why it failed.

    Returns
    -------
    int
        0, or the exit code of the failure: 3 bad input, 4 a failed model, test or score, 5 another run is at work,
        130 stopped by hand, 1 anything else (a full disk, or a fault of the pipeline itself).
    """
    try:
        body()
    except PipelineError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except Exception as error:
        print(f"error: {_explain(error)}", file=sys.stderr)
        return 1
    return 0


def run_until_stopped(body: Callable[[], None]) -> None:
    """Run a body, and call it stopped by hand however Ctrl-C reaches it.

    Raises
    ------
    StoppedByHand
    """
    try:
        body()
    except KeyboardInterrupt as error:
        raise StoppedByHand from error
    except RuntimeError as error:
        # what Ctrl-C becomes while DuckDB is at work
        if str(error) == "Query interrupted":
            raise StoppedByHand from error
        raise


def _explain(error: Exception) -> str:
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
