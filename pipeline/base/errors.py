"""Errors that a person can act on, each with the exit code the command line returns for it."""

from __future__ import annotations


class PipelineError(Exception):
    """A failure whose message says what is wrong and what to do; shown without a traceback."""

    exit_code = 1


class InputError(PipelineError):
    """The raw files cannot be used: nothing was built."""

    exit_code = 3


class BuildError(PipelineError):
    """A model, a test or a score failed: nothing was published."""

    exit_code = 4


class DamagedBuildError(BuildError):
    """The build file is not as it was written: DuckDB keeps a checksum of each of its blocks, and one is wrong."""

    def __init__(self) -> None:
        super().__init__("The build file is damaged. Nothing is published; `make warehouse` builds it again.")


class BusyError(PipelineError):
    """Another run holds the warehouse, and this one was told not to wait."""

    exit_code = 5


class StoppedByHand(PipelineError):  # noqa: N818 - nothing is in error
    """Somebody pressed Ctrl-C: nothing was published."""

    exit_code = 130

    def __init__(self) -> None:
        super().__init__("stopped by hand. What is published is as it was; the next run needs no repair.")
