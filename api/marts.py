"""The marts that the API lists, an entry each: address, table, who may ask, in which order, filtered by what."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from api.problems import FieldProblem, Problem, Said, not_valid
from api.published import Build
from pipeline.base.sql import name_of

MOST_ROWS = 10_000
USUAL_ROWS = 100


@dataclass(frozen=True)
class Listing:
    """A table that is listed page by page.

    Parameters
    ----------
    path : str
        Address.
    table : str
        ``schema.table``.
    key : tuple of str
        Columns that name a row, without NULL: pages follow their order.
    role : str
        The least that a caller must be.
    summary : str
        What it answers.
    filters : mapping of str to str
        Name of a parameter to the column it must equal.
    totals : tuple of str
        Where rows of people are only counted: the columns to group by; `key` is then among them.
    """

    path: str
    table: str
    key: tuple[str, ...]
    role: str
    summary: str
    filters: Mapping[str, str] = field(default_factory=dict)
    totals: tuple[str, ...] = ()


# A further mart is a further line. One that a build does not hold is answered with 404.
LISTINGS: tuple[Listing, ...] = (
    Listing(
        "/segments",
        "marts.segment_summary",
        ("rfm_segment", "churn_risk_tier", "customer_state"),
        "stakeholder",
        "How large and how valuable each segment is, by risk tier and state",
        {"segment": "rfm_segment", "tier": "churn_risk_tier", "state": "customer_state"},
    ),
    Listing(
        "/segments/history",
        "marts.segment_history",
        ("month_end", "rfm_segment"),
        "stakeholder",
        "How many people were in each segment at each month end",
        {"month_end": "month_end", "segment": "rfm_segment"},
        totals=("month_end", "rfm_segment"),
    ),
    Listing(
        "/segments/migration",
        "marts.segment_migration",
        ("month_end", "from_segment", "to_segment"),
        "stakeholder",
        "How many people moved from which segment to which, by month",
        {"month_end": "month_end", "from": "from_segment", "to": "to_segment"},
    ),
    Listing(
        "/cohorts",
        "marts.cohort_retention",
        ("cohort_month", "months_since_first_order"),
        "stakeholder",
        "How many of a month's new customers come back, and what they are worth",
        {"cohort": "cohort_month", "months": "months_since_first_order"},
    ),
    Listing(
        "/timeline",
        "marts.segment_timeline",
        ("order_month", "segmentation", "segment"),
        "stakeholder",
        "Orders and revenue of today's segments, month by month",
        {"month": "order_month", "segmentation": "segmentation", "segment": "segment"},
    ),
    Listing(
        "/customers",
        "marts.customer_360",
        ("customer_id",),
        "analyst",
        "People with everything that is known of them",
        {
            "segment": "rfm_segment",
            "tier": "churn_risk_tier",
            "band": "churn_band",
            "state": "customer_state",
            "abc": "abc_class",
            "xyz": "xyz_class",
        },
    ),
    Listing(
        "/recommendations",
        "marts.recommendations",
        ("customer_id", "offer_rank"),
        "analyst",
        "What to offer to whom",
        {"customer": "customer_id"},
    ),
    Listing(
        "/next-orders",
        "marts.next_order_windows",
        ("customer_id",),
        "analyst",
        "When each person orders next",
        {"customer": "customer_id", "basis": "basis"},
    ),
    Listing("/campaigns", "marts.campaigns", ("launch_id",), "stakeholder", "Launched campaigns"),
    Listing(
        "/campaigns/results",
        "marts.campaign_results",
        ("launch_id", "measure"),
        "stakeholder",
        "What each campaign brought",
        {"campaign": "launch_id"},
    ),
)


@dataclass(frozen=True)
class Page:
    """A page: its query, what it binds, and how many rows were asked for."""

    sql: str
    values: Sequence[object]
    limit: int


def page(build: Build, listing: Listing, asked: Mapping[str, str]) -> Page:
    """Turn parameters into a query.

    Parameters
    ----------
    build : Build
    listing : Listing
    asked : mapping of str to str
        ``limit``, ``after`` and filters, as they came.

    Raises
    ------
    Problem
        404 without the table, 422 naming each parameter that is wrong.
    """
    if not build.has(listing.table):
        raise Problem(404, "not_found", Said("table_missing_detail", {"table": listing.table}))
    types = {column.name: column.type for column in build.tables[listing.table]}
    problems: list[FieldProblem] = []
    conditions: list[str] = []
    values: list[object] = []
    for name, given in asked.items():
        if name in ("limit", "after", "format"):
            continue
        column = listing.filters.get(name)
        if column is None or column not in types:
            problems.append(FieldProblem(name[:100], Said("is_unknown")))
            continue
        try:
            values.append(_typed(given, types[column]))
            conditions.append(f"{name_of(column)} = ?")
        except ValueError as error:
            problems.append(FieldProblem(name, Said("is_invalid", {"reason": str(error)})))
    limit = _limit(asked.get("limit"), problems)
    present = all(column in types for column in listing.key)
    if asked.get("after") and present:
        try:
            cursor = _read_cursor(asked["after"], [types[column] for column in listing.key])
        except ValueError:
            problems.append(FieldProblem("after", Said("not_a_cursor")))
        else:
            condition, bound = _beyond(listing.key, cursor)
            conditions.append(condition)
            values += bound
    if problems:
        raise not_valid(problems)
    where = f" where {' and '.join(conditions)}" if conditions else ""
    if listing.totals:
        group = ", ".join(listing.totals)
        source = f"select {group}, count(*) as customers from {listing.table}{where} group by {group}"
    else:
        source = f"{build.select(listing.table)}{where}"
    order = f" order by {', '.join(listing.key)}" if present else ""
    return Page(f"{source}{order} limit {limit + 1}", values, limit)


def cursor_of(listing: Listing, row: Mapping[str, Any]) -> str:
    """Return what ``after`` takes to go on behind a row."""
    text = json.dumps([row[column] for column in listing.key], default=str)
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _beyond(key: Sequence[str], cursor: Sequence[object]) -> tuple[str, list[object]]:
    """Return a condition for what follows a row in the order of its key, and what it binds."""
    parts, bound = [], []
    for place in range(len(key)):
        equal = [f"{name_of(column)} = ?" for column in key[:place]]
        parts.append(f"({' and '.join([*equal, f'{name_of(key[place])} > ?'])})")
        bound += list(cursor[: place + 1])
    return f"({' or '.join(parts)})", bound


def _read_cursor(text: str, types: Sequence[str]) -> list[object]:
    try:
        found = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, binascii.Error, RecursionError) as error:
        raise ValueError("no cursor") from error
    if not isinstance(found, list) or len(found) != len(types):
        raise ValueError("no cursor")
    return [_typed(str(value), kind) for value, kind in zip(found, types, strict=True)]


def _limit(given: str | None, problems: list[FieldProblem]) -> int:
    if given is None:
        return USUAL_ROWS
    if given.isascii() and given.isdigit() and len(given) < 9 and 1 <= int(given) <= MOST_ROWS:
        return int(given)
    problems.append(FieldProblem("limit", Said("not_between", {"least": 1, "most": MOST_ROWS})))
    return USUAL_ROWS


def _typed(given: str, kind: str) -> object:
    """Read a parameter as its column's type.

    Raises
    ------
    ValueError
        It is no such value.
    """
    if kind == "DATE":
        return date.fromisoformat(given)
    if kind in ("INTEGER", "BIGINT"):
        if len(given) > 18:
            raise ValueError("number too large")
        number = int(given)
        if kind == "INTEGER" and abs(number) >= 2**31:
            raise ValueError("number too large")
        return number
    if kind == "BOOLEAN":
        if given not in ("true", "false"):
            raise ValueError("true or false")
        return given == "true"
    return given
