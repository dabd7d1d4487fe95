"""An audience's condition: one expression on the columns of ``customer_360`` and nothing else.

DuckDB parses it; what it parsed is walked before anything runs. No subquery, no other table, no second statement.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator
from typing import Any

import duckdb

from pipeline.base.errors import InputError
from pipeline.base.sql import name_of

TABLE = "customer_360"
# What a condition may be made of, as DuckDB calls it. A subquery, a window, a parameter or a lambda is none of these.
_ALLOWED = {
    "COLUMN_REF",
    "CONSTANT",
    "COMPARISON",
    "CONJUNCTION",
    "FUNCTION",
    "OPERATOR",
    "BETWEEN",
    "CASE",
    "CAST",
    "TYPE",
}


def check_condition(connection: duckdb.DuckDBPyConnection, condition: str, columns: dict[str, str], where: str) -> None:
    """Refuse a condition that is more than one expression, or reads a column that is not there.

    Parameters
    ----------
    connection : DuckDBPyConnection
        Parses; runs nothing of it.
    condition : str
    columns : dict of str to str
        Columns of ``customer_360`` with their types.
    where : str
        File and audience, for the message.

    Raises
    ------
    InputError
    """
    row = connection.execute(
        "SELECT json_serialize_sql(?)", [f"SELECT 1 FROM {TABLE} WHERE (\n{condition}\n)"]
    ).fetchone()
    parsed = json.loads(row[0]) if row else {"error": True}
    if parsed.get("error"):
        raise InputError(f"{where}: who is no SQL condition: {parsed.get('error_message', 'it cannot be parsed')}")
    statements = parsed["statements"]
    node = statements[0]["node"] if len(statements) == 1 else {}
    is_plain = (
        node.get("type") == "SELECT_NODE"
        and node["from_table"].get("table_name") == TABLE
        and not node["modifiers"]
        and not node["cte_map"]["map"]
        and not node["group_expressions"]
        and node["having"] is None
        and node["qualify"] is None
    )
    if not is_plain:
        raise InputError(f"{where}: who must be one condition on {TABLE}, not a query or several statements.")
    for expression in _expressions(node["where_clause"]):
        kind = expression["class"]
        if kind not in _ALLOWED:
            raise InputError(
                f"{where}: who holds a {kind.lower()}; it must be one condition on the columns of {TABLE}."
            )
        if kind == "COLUMN_REF":
            _check_column(expression["column_names"][-1], columns, f"{where}: who")


def check_sort(sort: str, columns: dict[str, str], where: str) -> str:
    """Return the order of an audience as SQL, made total by the person's id.

    Raises
    ------
    InputError
        It is not a column with ``asc`` or ``desc``.
    """
    column, _, direction = sort.partition(" ")
    direction = direction.strip().lower() or "asc"
    if direction not in ("asc", "desc"):
        raise InputError(f"{where}: sort is a column with asc or desc, not {sort!r}.")
    _check_column(column, columns, f"{where}: sort")
    return f"{name_of(column)} {direction} NULLS LAST, customer_id"


def check_stratum(column: str | None, columns: dict[str, str], where: str) -> None:
    """Refuse a stratum that is no column of ``customer_360``.

    Raises
    ------
    InputError
    """
    if column is not None:
        _check_column(column, columns, f"{where}: stratify_by")


def _check_column(name: str, columns: dict[str, str], where: str) -> None:
    known = {column.lower() for column in columns}
    if name.lower() not in known:
        near = difflib.get_close_matches(name.lower(), known, n=1)
        hint = f" Is {near[0]} meant?" if near else " docs/questions.md lists them."
        raise InputError(f"{where} reads {name}, which is no column of {TABLE}.{hint}")


def _expressions(node: Any) -> Iterator[dict[str, Any]]:
    """Walk everything that DuckDB parsed, expressions and whatever lies in them."""
    if isinstance(node, dict):
        if "class" in node:
            yield node
        for value in node.values():
            yield from _expressions(value)
    elif isinstance(node, list):
        for value in node:
            yield from _expressions(value)
