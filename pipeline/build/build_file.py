"""The build file as others may leave it: open in another tool, or damaged."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

from pipeline.base import paths
from pipeline.base.console import say
from pipeline.base.errors import BuildError, DamagedBuildError
from pipeline.base.files import part_of
from pipeline.base.sql import is_damage

HOLDER = re.compile(r"held in (?P<program>.+?) \(PID (?P<process>[0-9]+)\)")


def take_build_file() -> None:
    """See to it that this run can write the build file that is there.

    Where another tool has it open for reading, as an analyst's often has, that tool keeps its file and this run goes on
    with a copy: DuckDB allows many readers or one writer, and a reader changes nothing.

    Raises
    ------
    BuildError
        Another program has it open for writing; the message names it.
    DamagedBuildError
    """
    with failures_of_the_build_file():
        try:
            duckdb.connect(str(paths.build_file())).close()
        except duckdb.IOException as error:
            if _holder(str(error)) is None:
                raise
            duckdb.connect(str(paths.build_file()), read_only=True).close()
            say(f"  the build file is open in {_holder(str(error))}: this run goes on with a copy of it")
            copy = part_of(paths.build_file())
            shutil.copyfile(paths.build_file(), copy)
            copy.replace(paths.build_file())


@contextmanager
def failures_of_the_build_file() -> Iterator[None]:
    """Say what a failure of DuckDB means where it is the build file's.

    Raises
    ------
    BuildError
        Another program has it open for writing.
    DamagedBuildError
        A checksum in it is wrong.
    """
    try:
        yield
    except duckdb.Error as error:
        if (holder := _holder(str(error))) is not None:
            raise BuildError(
                f"{paths.build_file()} is open for writing in {holder}. Nothing is published. Close it there, or end "
                "that program, and run again."
            ) from error
        if is_damage(str(error)):
            raise DamagedBuildError from error
        raise


def _holder(message: str) -> str | None:
    """Name the program that DuckDB says has the file open; None where it says nothing of the kind."""
    if "Could not set lock" not in message:
        return None
    found = HOLDER.search(message)
    return f"{found['program']} (process {found['process']})" if found else "another program"
