"""Figures of a build beside those of earlier builds of the same raw folder: half the orders are no success."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import Any

import duckdb

from pipeline.base import paths
from pipeline.base.console import say
from pipeline.base.errors import BuildError
from pipeline.base.settings import project_vars
from pipeline.runs import events, history

BUILDS_COMPARED = 5
RECENT_DAYS = 28


@dataclass(frozen=True)
class Measure:
    """A figure of the build.

    Attributes
    ----------
    kind : str
        How far it may move: ``total`` never falls, ``ratio``, ``share`` and ``score`` have a variable each.
    sql : str
        An aggregate over ``orders``, whose ``is_recent`` marks the last weeks of the data.
    """

    name: str
    kind: str
    sql: str


MEASURES = (
    Measure("orders", "total", "count(*)"),
    Measure("people", "total", "count(DISTINCT customer_id)"),
    Measure("orders_per_day_lately", "ratio", f"count(*) FILTER (WHERE is_recent) / {RECENT_DAYS}"),
    Measure("order_value_lately", "ratio", "avg(order_value) FILTER (WHERE is_recent)"),
    Measure("share_without_payment_lately", "share", "avg((payment_count = 0)::INTEGER) FILTER (WHERE is_recent)"),
    Measure("share_without_items_lately", "share", "avg((item_count = 0)::INTEGER) FILTER (WHERE is_recent)"),
    Measure("share_without_review", "share", "avg((review_score IS NULL)::INTEGER)"),
    Measure("share_without_place", "share", "avg((customer_zip_code_prefix IS NULL)::INTEGER)"),
    Measure("mean_review_score", "score", "avg(review_score)"),
)


def check_measures(variables: str | None = None) -> None:
    """Compare the build file with earlier builds, and warn or stop as ``unusual_build`` says.

    Raises
    ------
    BuildError
        A figure is unusual, and ``unusual_build`` is ``stop``.
    """
    settings = project_vars(variables)
    mode = settings["unusual_build"]
    run = history.current()
    if run is None:
        return
    earlier = [
        {measure["measure"]: measure["value"] for measure in known.measures}
        for known in history.runs()
        if known.status == "succeeded" and known.measures and known.raw_dir == run.raw_dir
    ][-BUILDS_COMPARED:]
    values = _values()
    run.measures = []
    unusual: list[str] = []
    for measure in MEASURES:
        value = values[measure.name]
        before = [known[measure.name] for known in earlier if known.get(measure.name) is not None]
        usual = median(before) if before else None
        # what has always grown is compared with the last time, not with the middle of the last times
        if before and measure.kind == "total":
            usual = before[-1]
        verdict = "first" if usual is None else "unusual" if _is_unusual(measure, value, usual, settings) else "usual"
        if verdict == "unusual" and mode != "off":
            unusual.append(f"{measure.name} is {_shown(value)}, was {_shown(usual)}")
        run.measures.append({"measure": measure.name, "value": value, "usual_value": usual, "verdict": verdict})
    if not unusual:
        return
    told = "; ".join(unusual)
    if mode == "stop":
        raise BuildError(
            f"This build is unlike the ones before it: {told}. Nothing is published. Look at the raw files; "
            "if they are right, run once with --vars '{unusual_build: warn}'."
        )
    say(f"  WARNING: this build is unlike the ones before it: {told}")
    events.emit("warned", run_id=run.run_id, message=told)


def _values() -> dict[str, float | None]:
    listed = ", ".join(f"({measure.sql})::DOUBLE AS {measure.name}" for measure in MEASURES)
    with duckdb.connect(str(paths.build_file()), read_only=True) as connection:
        found = connection.execute(
            f"""WITH bounds AS (SELECT max(order_date) AS last_day FROM marts.fct_orders),
            orders AS (
                SELECT fct_orders.*, fct_orders.order_date > bounds.last_day - {RECENT_DAYS} AS is_recent
                FROM marts.fct_orders AS fct_orders CROSS JOIN bounds)
            SELECT {listed} FROM orders"""
        ).fetchall()
    return dict(zip((measure.name for measure in MEASURES), found[0], strict=True))


def _is_unusual(measure: Measure, value: float | None, usual: float, settings: dict[str, Any]) -> bool:
    if value is None:
        return True
    if measure.kind == "total":
        return value < usual * (1 - float(settings["unusual_max_loss"]))
    if measure.kind == "ratio":
        limit = float(settings["unusual_max_ratio"])
        return usual > 0 and not 1 / limit <= value / usual <= limit
    return abs(value - usual) > float(settings[f"unusual_max_{measure.kind}_change"])


def _shown(value: float | None) -> str:
    return "missing" if value is None else f"{value:,.3f}".rstrip("0").rstrip(".")
