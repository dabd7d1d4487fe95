"""What Superset lets through that it should not: expressions in data requests, formulas in exports, a dead warehouse.

Whoever may see a chart may ask its dataset for more than the chart shows, in SQL. Superset looks for sub-queries in it,
but reads comments differently than the database does. Three locks, each of which holds alone:

- Comments are refused, whoever asks. People without access to the database may name the dataset's saved metrics and its
  columns, and send no SQL at all.
- The finished statement of such people may read the dataset's own tables only.
- Stakeholders' datasets are in a file that holds nothing else (see `pipeline/publish/publish.py`).
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from functools import lru_cache, wraps
from typing import Any

import duckdb
import warehouse
from flask import Flask, request

# Beginnings and ends of comments, for one reader or another; refused in quotes too, whose ends they see differently.
COMMENTS = ("--", "/*", "*/", "{#", "#}")
TIME_ALIAS = "__timestamp"  # Superset's name for the column of time in older charts
NAMES_ONLY = "Only the dataset's own columns and metrics can be asked for here."

_parser = threading.local()


def refuse(message: str) -> None:
    """Answer a request with 403."""
    from superset.errors import ErrorLevel, SupersetError, SupersetErrorType
    from superset.exceptions import SupersetSecurityException

    raise SupersetSecurityException(
        SupersetError(message, SupersetErrorType.DATASOURCE_SECURITY_ACCESS_ERROR, ErrorLevel.ERROR)
    )


def parts(query: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield every part of a query that may become SQL, with what it stands for: a column, a metric or either."""
    for key in ("columns", "groupby", "series_columns"):
        yield from (("column", part) for part in query.get(key) or [])
    yield from (("metric", part) for part in query.get("metrics") or [])
    for key in ("series_limit_metric", "timeseries_limit_metric"):
        if part := query.get(key):
            yield "metric", part
    yield from (("either", part) for part, *_ in query.get("orderby") or [])
    yield from (("filter", one.get("col")) for one in query.get("filter") or [])


def clauses(query: dict[str, Any]) -> list[str]:
    """Return the conditions of a query that are written as SQL."""
    extras = query.get("extras") or {}
    return [str(extras[name]) for name in ("where", "having") if extras.get(name)]


def refuse_comments(query: dict[str, Any]) -> None:
    """Refuse a query with a comment in one of its expressions, whoever asks."""
    written = [
        part if isinstance(part, str) else str((part or {}).get("sqlExpression", "")) for _, part in parts(query)
    ]
    for text in [*written, *clauses(query)]:
        if any(mark in text for mark in COMMENTS):
            refuse("Comments are not allowed in expressions: remove " + " and ".join(m for m in COMMENTS if m in text))


def refuse_expressions(query: dict[str, Any], columns: set[str], metrics: set[str]) -> None:
    """Refuse a query that asks for more than saved metrics and columns of its dataset."""
    known = {"column": columns | {TIME_ALIAS}, "metric": metrics, "either": columns | metrics}
    for kind, part in parts(query):
        if isinstance(part, dict):
            # A column with a grain of time, or a chart's axis, is sent as an expression that is its name.
            if kind == "metric" or part.get("sqlExpression") not in columns:
                refuse(NAMES_ONLY)
        # Superset leaves out filters on columns that a dataset has not: a click on one chart narrows all others.
        elif kind != "filter" and part not in known[kind]:
            refuse(NAMES_ONLY)
    if clauses(query):
        refuse(NAMES_ONLY)


@lru_cache(maxsize=2048)
def tables_in(sql: str) -> frozenset[str]:
    """Return the tables that a statement reads and the table functions it calls, from DuckDB's own tree of it.

    Raises
    ------
    duckdb.Error
        DuckDB cannot read the statement.
    """
    if not hasattr(_parser, "connection"):
        _parser.connection = duckdb.connect(config={"enable_external_access": False})
    (text,) = _parser.connection.execute("select json_serialize_sql(?)", [sql]).fetchone()
    tree = json.loads(text)
    if tree["error"]:
        raise duckdb.ParserException(tree["error_message"])
    found, named = set(), set()
    left = [tree]
    while left:
        node = left.pop()
        if isinstance(node, list):
            left += node
        if not isinstance(node, dict):
            continue
        left += node.values()
        if "cte_map" in node:
            named |= {one["key"] for one in node["cte_map"]["map"]}
        if node.get("type") == "TABLE_FUNCTION":
            found.add(f"{node['function'].get('function_name')}()")
        elif node.get("table_name") and node["type"] == "BASE_TABLE":
            place = [node.get("catalog_name"), node.get("schema_name"), node["table_name"]]
            found.add(".".join(part for part in place if part))
    return frozenset(found - named)


def own_tables(dataset: Any) -> frozenset[str]:
    """Return the tables that a dataset and its saved expressions read."""
    own = tables_in(dataset.sql or f"select 1 from {in_quotes(dataset.schema)}.{in_quotes(dataset.table_name)}")
    for saved in [*dataset.columns, *dataset.metrics]:
        if saved.expression and "from" in saved.expression.lower():
            own |= tables_in(f"select {saved.expression}")
    return own


def in_quotes(name: str) -> str:
    """Return a name in quotes."""
    return '"' + name.replace('"', '""') + '"'


def refuse_tables(sql: str, dataset: Any) -> None:
    """Refuse a finished statement that reads another table than its dataset does."""
    try:
        foreign = tables_in(sql) - own_tables(dataset)
    except duckdb.Error:
        foreign = frozenset({"a statement that cannot be read"})
    if foreign:
        refuse(NAMES_ONLY)


def may_ask_anything(database: Any) -> bool:
    """Whether the person may send a database any statement anyway."""
    from superset import security_manager  # type: ignore[attr-defined]  # our folder is not that package

    return bool(security_manager.can_access_database(database))


def check_unless_allowed(database: Any, check: Callable[..., None], *given: Any) -> None:
    """Do a check, and pass over what it refuses to people who may ask anything.

    Whether they may takes longer than the check, so an honest request is not asked.
    """
    from superset.exceptions import SupersetSecurityException

    try:
        check(*given)
    except SupersetSecurityException:
        if not may_ask_anything(database):
            raise


def guard_queries() -> None:
    """Check what every chart, table, filter and export asks, at the one place where all of it becomes SQL."""
    from superset.common.query_context_processor import QueryContextProcessor
    from superset.models.helpers import ExploreMixin

    write, annotate = ExploreMixin.get_query_str_extended, QueryContextProcessor.get_annotation_data

    @wraps(write)
    def get_query_str_extended(self: Any, query_obj: dict[str, Any], mutate: bool = True) -> Any:
        refuse_comments(query_obj)
        columns = {column.column_name for column in self.columns}
        metrics = {metric.metric_name for metric in self.metrics}
        check_unless_allowed(self.database, refuse_expressions, query_obj, columns, metrics)
        written = write(self, query_obj, mutate)
        check_unless_allowed(self.database, refuse_tables, written.sql, self)
        return written

    @wraps(annotate)
    def get_annotation_data(self: Any, query_obj: Any) -> Any:
        # An annotation is another chart's data; Superset does not ask for all kinds whether the person may see it.
        if query_obj.annotation_layers and not may_ask_anything(self._query_context.datasource.database):
            refuse("Annotations are not available here.")
        return annotate(self, query_obj)

    ExploreMixin.get_query_str_extended = get_query_str_extended
    QueryContextProcessor.get_annotation_data = get_annotation_data


def guard_exports() -> None:
    """Escape cells that a spreadsheet would run as formulas in large exports, as Superset does in small ones."""
    from superset.commands.streaming_export.base import BaseStreamingCSVExportCommand
    from superset.utils.csv import escape_value

    def escaped(cells: Any) -> list[Any]:
        return [escape_value(cell) if isinstance(cell, str) else cell for cell in cells]

    class EscapedRows:
        def __init__(self, rows: Any) -> None:
            self._rows = rows

        def fetchmany(self, size: int) -> list[list[Any]]:
            return [escaped(row) for row in self._rows.fetchmany(size)]

    write_header = BaseStreamingCSVExportCommand._write_csv_header
    process = BaseStreamingCSVExportCommand._process_rows

    def _write_csv_header(self: Any, columns: list[str], *more: Any) -> Any:
        return write_header(self, escaped(columns), *more)

    def _process_rows(self: Any, result_proxy: Any, *more: Any) -> Any:
        return process(self, EscapedRows(result_proxy), *more)

    BaseStreamingCSVExportCommand._write_csv_header = _write_csv_header
    BaseStreamingCSVExportCommand._process_rows = _process_rows


def health() -> tuple[str, int] | None:
    """Answer a health check: 200 when both published files are whole and can be read, else 503. Others go on."""
    if request.endpoint != "health.health":
        return None
    try:
        for keeper in (warehouse.ANALYSTS, warehouse.STAKEHOLDERS):
            keeper.look()
    except (duckdb.Error, OSError):
        return "The published warehouse cannot be read", 503
    return ("OK", 200) if warehouse.is_whole() else ("The published warehouse is damaged: make refresh", 503)


def install(app: Flask) -> None:
    """Put all of it in place; once per process, before the first request."""
    guard_queries()
    guard_exports()
    app.before_request(health)
