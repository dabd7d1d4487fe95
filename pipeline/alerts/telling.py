"""Tell people of alerts: once per change of state, when the quiet hours are over, and again where nobody heard."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from pipeline.alerts.judging import BROKEN, judge
from pipeline.base import paths
from pipeline.base.console import say
from pipeline.base.errors import InputError
from pipeline.runs import events, history


def judge_safely(file: Path) -> list[dict[str, Any]] | None:
    """Judge the alerts on a file that is about to be published; None, and a line that says so, where that fails."""
    try:
        return judge(file, history.alerts())
    except Exception as error:
        _say_failed(error)
        return None


def tell(now: datetime | None = None) -> None:
    """Judge the alerts on what is published, unless this run's publish has, and send what is due.

    The record of the run is written after each message: a run that is killed repeats one of them at most. Nothing that
    goes wrong here fails the run.
    """
    try:
        _tell(now)
    except Exception as error:
        _say_failed(error)


def _say_failed(error: Exception) -> None:
    first = (str(error).strip() or "no reason given").splitlines()[0]
    say(f"  the alerts cannot be judged ({type(error).__name__}: {first}); all else goes on")


def _tell(now: datetime | None) -> None:
    run, file = history.current(), paths.current_link() / "warehouse.duckdb"
    if run is None or not file.exists():
        return
    known = history.alerts()
    if run.alerts is None:
        run.alerts = judge(file, known, now)
    told = 0
    for state in run.alerts:
        if state["text"] is None or state["waits_until_quiet_ends"]:
            continue
        heard = events.emit(
            "alert",
            alert=state["alert"],
            state=state["state"],
            value=state["value"],
            n=state["n"],
            message=state["text"],
        )
        if heard:
            state["told_state"], state["text"], told = state["state"], None, told + 1
            run.is_worth_keeping = True
            run.write()
    run.is_worth_keeping |= _standing(run.alerts) != _standing(known)
    firing = [str(state["alert"]) for state in run.alerts if state["state"] == "firing"]
    waiting = sum(state["text"] is not None for state in run.alerts)
    broken = [str(state["message"]) for state in run.alerts if state["state"] == BROKEN]
    if firing or told or waiting:
        say(f"  alerts: {', '.join(firing) or 'none'} firing; {told} told, {waiting} waiting")
    for why in broken:
        say(f"  {why}")


def _standing(states: list[dict[str, Any]]) -> list[list[Any]]:
    """Return what the next evaluation goes on from."""
    return [[state[name] for name in ("alert", "state", "value", "bound", "as_of_date")] for state in states]


def dry_run() -> tuple[list[str], bool]:
    """Judge the alerts on what is published and tell nobody.

    Returns
    -------
    tuple
        Lines for people, and whether every alert can be evaluated.

    Raises
    ------
    InputError
        Nothing is published yet.
    """
    file = paths.current_link() / "warehouse.duckdb"
    if not file.exists():
        raise InputError("Nothing is published yet: run `make warehouse`.")
    states = judge(file, history.alerts())
    lines = []
    for state in states:
        figures = "  ".join(f"{name} {state[name]:g}" for name in ("value", "bound", "n") if state[name] is not None)
        lines.append(f"{state['alert']:<32} {state['state']:<20} {figures}")
        if state["text"] is not None:
            when = "after the quiet hours" if state["waits_until_quiet_ends"] else "now"
            lines.append(f"    would be told {when}: {state['text']}")
        elif state["message"]:
            lines.append(f"    {state['message']}")
    return lines or ["no alerts are declared"], all(state["state"] != BROKEN for state in states)
