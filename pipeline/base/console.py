"""One line per step on stderr: what it does, what came of it, how long it took."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.base.paths import as_given


class Step:
    """What a running step wants to add to its closing line."""

    def __init__(self) -> None:
        self.result = ""


def say(text: str) -> None:
    """Print one line to stderr at once, so that logs of a pipe stay in order."""
    print(as_given(text), file=sys.stderr, flush=True)


def answer(text: str) -> None:
    """Print what a command was asked for."""
    print(as_given(text))


@contextmanager
def step(name: str) -> Iterator[Step]:
    """Time a step; print its name first when a person watches, and its outcome and seconds at the end."""
    started = time.monotonic()
    if sys.stderr.isatty():
        print(f"  {name} ...", end="\r", file=sys.stderr, flush=True)
    this = Step()
    try:
        yield this
    except BaseException:
        say(f"  {name:<28} FAILED after {time.monotonic() - started:.1f} s")
        raise
    say(f"  {name:<28} {this.result:<58} {time.monotonic() - started:6.1f} s")
