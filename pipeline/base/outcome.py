"""How a command ends: an exit code and one sentence, whatever happened."""

from __future__ import annotations

import errno
import os
import signal
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Protocol
from weakref import WeakSet

from pipeline.base import paths
from pipeline.base.console import say
from pipeline.base.errors import PipelineError, StoppedByHand
from pipeline.base.files import write_whole

_stops: list[int] = []


class Interruptible(Protocol):
    """What can be told, from another thread, to leave off; a connection of DuckDB."""

    def interrupt(self) -> None:
        """Leave off."""


_at_work: WeakSet[Interruptible] = WeakSet()


def interrupt_when_stopped(at_work: Interruptible) -> None:
    """Interrupt a connection's query when Ctrl-C comes."""
    _at_work.add(at_work)


def exit_code_of(body: Callable[[], None]) -> int:
    """Run the body of a command and say on standard error why it failed.

    Returns
    -------
    int
        0, or the exit code of the failure: 3 bad input, 4 a failed model, test or score, 5 another run is at work,
        130 stopped by hand, 1 anything else (a full disk, or a fault of the pipeline itself).
    """
    try:
        run_until_stopped(body)
    except PipelineError as error:
        say(f"error: {error}")
        return error.exit_code
    except Exception as error:
        say(f"error: {_explain(error)}")
        return 1
    return 0


def run_until_stopped(body: Callable[[], None]) -> None:
    """Run a body, and call it stopped by hand however Ctrl-C reaches it.

    Whatever is at work when it comes makes something of its own of it: dbt a failed command, DuckDB an error of
    the query, a thread nothing at all. What counts is that it came. It is listened to even where the shell that
    started this process, in the background of a script, has it ignored.

    Raises
    ------
    StoppedByHand
    """
    is_outermost = threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGINT) != _stop
    before = signal.signal(signal.SIGINT, _stop) if is_outermost else None
    try:
        with _queries_hear(is_outermost):
            body()
        stop_if_asked()
    except StoppedByHand:
        raise
    except BaseException as error:
        if _stops:
            raise StoppedByHand from error
        raise
    finally:
        if is_outermost:
            # what ends here is not asked of whatever runs next in this process
            _stops.clear()
            signal.signal(signal.SIGINT, before)


@contextmanager
def _queries_hear(is_outermost: bool) -> Iterator[None]:
    """Interrupt the queries that are at work in here when Ctrl-C comes.

    Python calls a handler when its main thread runs Python again; while DuckDB's other threads work that thread sleeps,
    and hears nothing until the query has ended. What Python does at once is to write the signal's number to a file.
    """
    if not is_outermost:
        yield
        return
    heard, told = os.pipe()
    os.set_blocking(told, False)

    def listen() -> None:
        while number := os.read(heard, 1):
            if number[0] == signal.SIGINT:
                for one in list(_at_work):
                    with suppress(Exception):  # one that is closed does nothing
                        one.interrupt()

    listener = threading.Thread(target=listen, name="listens for Ctrl-C", daemon=True)
    listener.start()
    before = signal.set_wakeup_fd(told, warn_on_full_buffer=False)
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        os.close(told)
        listener.join()
        os.close(heard)


def is_stopping() -> bool:
    """Tell whether Ctrl-C came, and the run is on its way to its end."""
    return bool(_stops)


def stop_if_asked() -> None:
    """End the run where Ctrl-C came and something that was at work has kept it to itself.

    Raises
    ------
    StoppedByHand
    """
    if _stops:
        raise StoppedByHand


def _stop(number: int, _: FrameType | None) -> None:
    _stops.append(number)
    raise KeyboardInterrupt


def _explain(error: Exception) -> str:
    """Say what an unforeseen failure means, and keep its trace for whoever mends the pipeline."""
    text = str(error).strip() or type(error).__name__
    first = text.splitlines()[0]
    unharmed = "What is published is as it was; the next run needs no repair."
    if getattr(error, "errno", None) == errno.ENOSPC or "No space left" in text:
        return f"The disk of {paths.warehouse_dir()} is full ({first}). Free some space and run again. {unharmed}"
    if isinstance(error, OSError) and error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return (
            f"{error.filename or 'A file'} may not be read or written by this user ({error.strerror}). Give the right, "
            f"or name another folder. {unharmed}"
        )
    place = paths.warehouse_dir() / "last_crash.txt"
    try:
        write_whole(place, traceback.format_exc())
        kept = f"Its trace is in {place}."
    except OSError:
        kept = "Its trace could not be kept."
    return f"A fault of the pipeline or of the machine: {type(error).__name__}: {first}. {kept} {unharmed}"
