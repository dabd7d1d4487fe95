"""Hold the figures of a published file against ``alerts.yml``. What is wrong with an alert is a state of its own."""

from __future__ import annotations

import calendar
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from math import isfinite
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb

from pipeline.alerts.declared import Alert, read_alerts
from pipeline.alerts.texts import message
from pipeline.base import paths
from pipeline.base.errors import InputError
from pipeline.base.outcome import stop_if_asked
from pipeline.base.resources import restrain
from pipeline.base.sql import literal
from pipeline.runs.history import STAMP

OK, FIRING, TOO_FEW, BROKEN = "ok", "firing", "not_enough_data", "cannot_be_evaluated"
LONGEST_SECONDS = 20
# These name tables and columns; DuckDB's other messages may quote what is in them, and states are shown to everyone.
_SHOWABLE = (duckdb.ParserException, duckdb.BinderException, duckdb.CatalogException)


@dataclass(frozen=True)
class Shop:
    """What alerts need to know of the file: the day it looks from, the shop's clock and currency."""

    as_of: date | None
    zone: ZoneInfo
    currency: str

    @property
    def elapsed(self) -> float | None:
        """Share of the last day's month that is over, that day included."""
        if self.as_of is None:
            return None
        last = self.as_of - timedelta(days=1)
        return last.day / calendar.monthrange(last.year, last.month)[1]


@dataclass(frozen=True)
class Figure:
    """What an alert's query answered; None for what it left out or does not know."""

    value: float | None
    n: int | None
    before: float | None


@dataclass(frozen=True)
class Verdict:
    """An alert held against the file: its state, the figures, where it fires, and what is wrong with it."""

    state: str
    figure: Figure = Figure(None, None, None)
    bound: float | None = None
    before: float | None = None
    why: str | None = None


def judge(file: Path, known: Sequence[Mapping[str, Any]], now: datetime | None = None) -> list[dict[str, Any]]:
    """Evaluate all alerts on a warehouse file.

    Parameters
    ----------
    file : Path
        A published file, or one about to be.
    known : sequence of mapping
        What the last evaluation gave, as this function returned it.
    now : datetime, optional
        The moment of the evaluation.

    Returns
    -------
    list of dict
        One per alert, in the order of the file: the columns of ``quality.alerts``, and besides ``told_state``,
        the state that was last told; ``text``, what there is to tell; ``waits_until_quiet_ends``; ``as_of_date``,
        ``earlier_value`` and ``earlier_as_of_date``, what the next change is held against.
    """
    moment = (now or datetime.now(UTC)).astimezone(UTC)
    before = {str(state["alert"]): state for state in known}
    whole = paths.alerts_file().name
    try:
        alerts = read_alerts()
    except InputError as error:
        # nothing is known of the others: they stay as they were until the file can be read again
        others = [dict(state) for state in known if state["alert"] != whole]
        return [_state_of_the_file(before.get(whole), moment, str(error)), *others]
    with _opened(file) as connection:
        shop = _shop(connection)
        judged = [
            _state(
                alert, _verdict(connection, alert, shop, before.get(alert.name)), before.get(alert.name), shop, moment
            )
            for alert in alerts
        ]
    # a file that was damaged and can be read again is told as any other that has recovered
    if whole in before and before[whole]["told_state"] != OK:
        judged.insert(0, _state_of_the_file(before[whole], moment, None))
    return judged


def _opened(file: Path) -> duckdb.DuckDBPyConnection:
    """Open a file so that a query can read it, and nothing else on the machine."""
    connection = duckdb.connect()
    restrain(connection, paths.spill_dir())
    connection.execute(f"ATTACH {literal(file.resolve())} AS warehouse (READ_ONLY)")
    connection.execute("USE warehouse")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection


def _shop(connection: duckdb.DuckDBPyConnection) -> Shop:
    row = connection.execute("SELECT max(as_of_date) FROM marts.build_info").fetchone()
    settings: dict[str, str] = dict(
        connection.execute(
            "SELECT name, value FROM marts.parameters WHERE name IN ('shop_time_zone', 'shop_currency')"
        ).fetchall()
    )
    try:
        zone = ZoneInfo(settings.get("shop_time_zone") or "UTC")
    except (KeyError, ValueError, OSError):
        zone = ZoneInfo("UTC")
    return Shop(row[0] if row else None, zone, settings.get("shop_currency") or "")


def _verdict(
    connection: duckdb.DuckDBPyConnection, alert: Alert, shop: Shop, known: Mapping[str, Any] | None
) -> Verdict:
    where = f"{paths.alerts_file().name}, alert {alert.name}"
    try:
        figure = _ask(connection, alert, where)
    except InputError as error:
        return Verdict(BROKEN, why=str(error))
    if alert.min_n is not None and (figure.n or 0) < alert.min_n:
        return Verdict(TOO_FEW, figure)
    before = figure.before
    if alert.kind == "change" and before is None:
        before = _earlier(known, shop)[0]
    bound = _bound(alert, before, shop)
    if figure.value is None or bound is None:
        return Verdict(TOO_FEW, figure, bound, before)
    word = next(iter(alert.limits))
    is_firing = {
        "above": figure.value > bound,
        "below": figure.value < bound,
        "rises_by": figure.value >= bound,
        "falls_by": figure.value <= bound,
        "target": figure.value < bound,
    }[word]
    return Verdict(FIRING if is_firing else OK, figure, bound, before)


def _ask(connection: duckdb.DuckDBPyConnection, alert: Alert, where: str) -> Figure:
    """Run an alert's query.

    Raises
    ------
    InputError
        It cannot be run, or answers with something else than one row with a number.
    """
    too_long = threading.Timer(LONGEST_SECONDS, connection.interrupt)
    try:
        statements = connection.extract_statements(alert.sql)
        if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
            raise InputError(f"{where}: sql must be one SELECT, and nothing else.")
        too_long.start()
        answer = connection.execute(statements[0])
        names = [str(column[0]).lower() for column in answer.description or []]
        rows = answer.fetchmany(2)
    except duckdb.InterruptException as error:
        stop_if_asked()
        raise InputError(f"{where}: sql took longer than {LONGEST_SECONDS} seconds. Read a smaller mart.") from error
    except duckdb.Error as error:
        words = str(error).strip().splitlines()[0] if isinstance(error, _SHOWABLE) else type(error).__name__
        raise InputError(
            f"{where}: sql cannot be run: {words.rstrip('.!')}. Correct it; docs/questions.md lists tables."
        ) from error
    finally:
        too_long.cancel()
    strange = sorted(set(names) - {"value", "n", "before"})
    if "value" not in names or strange or len(set(names)) != len(names):
        raise InputError(
            f"{where}: sql must answer with value, and where wanted n and before; it has {', '.join(names)}."
        )
    if alert.min_n is not None and "n" not in names:
        raise InputError(f"{where}: min_n asks for a column n in sql, which it has not. Add it, or leave min_n out.")
    if len(rows) > 1:
        raise InputError(f"{where}: sql must answer with one row; it has more.")
    row = dict(zip(names, rows[0] if rows else [None] * len(names), strict=True))
    n = _as_number(row.get("n"), f"{where}: n of sql")
    return Figure(
        _as_number(row["value"], f"{where}: value of sql"),
        int(n) if n is not None else None,
        _as_number(row.get("before"), f"{where}: before of sql"),
    )


def _as_number(value: Any, where: str) -> float | None:
    if value is None:
        return None
    if isinstance(value, str | bytes | bool):
        raise InputError(f"{where} is no number. Cast it to one.")
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        raise InputError(f"{where} is no number. Cast it to one.") from None
    return number if isfinite(number) else None


def _bound(alert: Alert, before: float | None, shop: Shop) -> float | None:
    """Return the figure at which an alert fires; None where there is nothing to hold it against yet."""
    word, limit = next(iter(alert.limits.items()))
    if alert.kind == "value":
        return limit
    if alert.kind == "change":
        # a share of nothing is nothing, and a share of less than nothing has no direction
        return before * (1 + (limit if word == "rises_by" else -limit)) if before and before > 0 else None
    due = shop.elapsed if alert.is_paced else 1.0
    return limit * due * (1 - alert.limits["tolerance"]) if due is not None else None


def _earlier(known: Mapping[str, Any] | None, shop: Shop) -> tuple[float | None, str | None]:
    """Return the value a change is held against: that of the last evaluation whose data ended on an earlier day.

    Building the same data again compares with what it compared with before.
    """
    if known is None or known.get("as_of_date") is None or shop.as_of is None:
        return None, None
    if known["as_of_date"] < shop.as_of.isoformat():
        return known["value"], known["as_of_date"]
    return known.get("earlier_value"), known.get("earlier_as_of_date")


def _state(
    alert: Alert, verdict: Verdict, known: Mapping[str, Any] | None, shop: Shop, moment: datetime
) -> dict[str, Any]:
    earlier_value, earlier_as_of = _earlier(known, shop)
    has_told = known["told_state"] if known else OK
    text = None
    if verdict.state in (OK, FIRING, BROKEN) and verdict.state != has_told:
        text = message(
            alert,
            verdict.state,
            value=verdict.figure.value,
            bound=verdict.bound,
            before=verdict.before,
            n=verdict.figure.n,
            why=verdict.why,
            currency=shop.currency,
        )
    is_quiet = alert.quiet_hours is not None and alert.quiet_hours.hold(moment.astimezone(shop.zone).time())
    return {
        "alert": alert.name,
        "title_en": alert.title["en"],
        "title_ru": alert.title["ru"],
        "state": verdict.state,
        "value": verdict.figure.value,
        "bound": verdict.bound,
        "n": verdict.figure.n,
        "since": _since(known, verdict.state, moment),
        "message": verdict.why,
        "told_state": has_told,
        "text": text,
        "waits_until_quiet_ends": is_quiet,
        "as_of_date": shop.as_of.isoformat() if shop.as_of else None,
        "earlier_value": earlier_value,
        "earlier_as_of_date": earlier_as_of,
    }


def _state_of_the_file(known: Mapping[str, Any] | None, moment: datetime, why: str | None) -> dict[str, Any]:
    """Return the state of ``alerts.yml`` itself, which stands among its alerts while it cannot be read."""
    name, state = paths.alerts_file().name, BROKEN if why else OK
    has_told = known["told_state"] if known else OK
    return {
        "alert": name,
        "title_en": name,
        "title_ru": name,
        "state": state,
        "value": None,
        "bound": None,
        "n": None,
        "since": _since(known, state, moment),
        "message": why,
        "told_state": has_told,
        "text": None if state == has_told else (why or f"{name} can be read again."),
        "waits_until_quiet_ends": False,
        "as_of_date": None,
        "earlier_value": None,
        "earlier_as_of_date": None,
    }


def _since(known: Mapping[str, Any] | None, state: str, moment: datetime) -> str:
    return str(known["since"]) if known and known["state"] == state else moment.strftime(STAMP)
