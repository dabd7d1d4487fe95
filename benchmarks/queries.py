"""Time what readers ask of the published file: questions to paste, a query per chart, one person's segment."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import yaml

from pipeline.base import paths
from pipeline.base.sql import literal, name_of
from scoring.segment import Order, Segmenter

ASSETS = paths.PROJECT / "superset" / "assets"
ROWS = 1000
PEOPLE = 20


def pasted_queries() -> list[str]:
    """Return the SQL of the questions to paste."""
    return re.findall(r"```sql\n(.*?)```", (paths.PROJECT / "docs" / "questions.md").read_text(), flags=re.DOTALL)


def dashboard_queries() -> dict[str, list[str]]:
    """Return one query per chart, by dashboard: dimensions and metrics over the dataset, as Superset asks for them."""
    datasets = yaml.safe_load((ASSETS / "datasets.yaml").read_text())["datasets"]
    found: dict[str, list[str]] = {}
    for dashboard in sorted(ASSETS.glob("*/dashboard.yaml")):
        charts = [yaml.safe_load(file.read_text()) for file in sorted(dashboard.parent.glob("charts/*.yaml"))]
        title = yaml.safe_load(dashboard.read_text())["title"]
        # several titles where one would name what a shop does not have: the first is that of a shop with everything
        title = title if isinstance(title, str) else title[0]["text"]
        found[title] = [_chart_query(chart, chart["dataset"], datasets[chart["dataset"]]) for chart in charts]
    return found


def _chart_query(chart: dict[str, Any], name: str, dataset: dict[str, Any]) -> str:
    metrics = dataset.get("metrics", {})
    calculated = {column: spec["sql"] for column, spec in dataset.get("calculated", {}).items()}

    def listed(*keys: str) -> list[str]:
        values = [chart[key] for key in keys if key in chart]
        names = [one for value in values for one in (value if isinstance(value, list) else [value])]
        return [one for one in dict.fromkeys(names) if isinstance(one, str)]

    measures = [one for one in listed("metric", "metrics", "lines", "bars") if one in metrics]
    dimensions = [one for one in listed("x", "y", "by", "source", "target", "columns") if one not in metrics]
    selected = [*map(name_of, dimensions), *(f"{metrics[one]['sql']} AS {one}" for one in measures)]
    conditions = [one for column, wanted in chart.get("only", {}).items() for one in _conditions(column, wanted)]
    source = ", ".join(["*", *(f"{sql} AS {name_of(column)}" for column, sql in calculated.items())])
    text = f"SELECT {', '.join(selected) or 'count(*)'} "
    text += f" FROM (SELECT {source} FROM {dataset.get('schema', 'marts')}.{name})"
    text += f" WHERE {' AND '.join(conditions)}" if conditions else ""
    if dimensions and measures:
        text += f" GROUP BY {', '.join(str(position + 1) for position in range(len(dimensions)))}"
    return f"{text} LIMIT {ROWS}"


def _conditions(column: str, wanted: object) -> list[str]:
    """Write what a chart asks of a column: a value, one of several, or bounds and a pattern by name."""
    if isinstance(wanted, dict):
        signs = {"from": ">=", "to": "<=", "above": ">", "like": "LIKE"}
        return [f"{name_of(column)} {signs[word]} {_value(value)}" for word, value in wanted.items()]
    if isinstance(wanted, list):
        return [f"{name_of(column)} IN ({', '.join(_value(value) for value in wanted)})"]
    return [f"{name_of(column)} = {_value(wanted)}"]


def _value(value: object) -> str:
    return str(value) if isinstance(value, bool | int | float) else literal(value)


def time_queries(warehouse: Path) -> dict[str, tuple[float, float, int]]:
    """Run every query once on a published file, opened as readers open it, and segment one person some times.

    Returns
    -------
    dict of str to tuple
        Group of queries to seconds in all, seconds of the slowest, and number of queries.
    """
    groups = {"questions to paste": pasted_queries()}
    groups |= {f"dashboard {name}": queries for name, queries in dashboard_queries().items()}
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        taken = {
            group: _timed(lambda sql: connection.execute(sql).fetchall(), queries) for group, queries in groups.items()
        }
    segmenter = Segmenter.open(warehouse)
    day = datetime.combine(segmenter.as_of_date, datetime.min.time())
    orders = [
        Order(day - timedelta(days=days), Decimal("99.90"), Decimal("99.90"), Decimal("9.90"), order_id=str(days))
        for days in (300, 200, 100)
    ]
    segmenter.segment_customer(orders)  # the first one imports what it needs
    taken["one person's scores, segment and reasons from three orders"] = _timed(
        segmenter.segment_customer, [orders] * PEOPLE
    )
    return taken


def _timed(ask: Callable[[Any], object], questions: Iterable[Any]) -> tuple[float, float, int]:
    seconds = []
    for question in questions:
        started = time.monotonic()
        ask(question)
        seconds.append(time.monotonic() - started)
    return sum(seconds), max(seconds, default=0.0), len(seconds)


if __name__ == "__main__":
    print(json.dumps(time_queries(Path(sys.argv[1]))))
