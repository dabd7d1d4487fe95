"""Gives a statement in SQL Lab the rows it asked for.

Superset 6.1.0 reads a statement's own limit, forgets it, since it is written to a record that another session reads
again, and then puts the limit of its menu in its place: ``limit 2`` returns a thousand rows.
"""

from __future__ import annotations

from typing import Any

from sqlglot import exp
from superset.sql.parse import LimitMethod, SQLStatement


def keep_smaller_limit(statement: SQLStatement, limit: int, method: LimitMethod) -> None:
    """Limit a statement's rows without ever giving it more than it asked for.

    Parameters
    ----------
    statement : SQLStatement
        Changed in place.
    limit : int
        Rows that Superset takes at most.
    method : LimitMethod
        How the database wants it to be written.
    """
    own = statement._parsed.args.get("limit")
    if _is_of_all(own):
        statement._parsed.set("limit", None)
        own = None
    if statement._parsed.args.get("sample") and own is None:
        # a limit before `using sample` is none that DuckDB knows
        _force(statement, limit, LimitMethod.WRAP_SQL)
    elif own is None or method != LimitMethod.FORCE_LIMIT:
        _force(statement, limit, method)
    elif _is_plain(own):
        _force(statement, min(limit, int(own.expression.name)), method)
    else:  # `limit 10 percent`, `limit 1 + 1`, `fetch first 2 rows only`
        _force(statement, limit, LimitMethod.WRAP_SQL)


def _is_of_all(own: Any) -> bool:
    """Tell whether a limit is `limit all`, which sqlglot takes for a column."""
    said = own.expression if isinstance(own, exp.Limit) else None
    return isinstance(said, exp.Column) and said.sql().lower() == "all"


def _is_plain(own: Any) -> bool:
    return (
        isinstance(own, exp.Limit)
        and isinstance(own.expression, exp.Literal)
        and own.expression.is_int
        and not own.args.get("limit_options")
    )


_force = SQLStatement.set_limit_value


def install() -> None:
    """Put it in the place of Superset's own."""

    def set_limit_value(self: SQLStatement, limit: int, method: LimitMethod = LimitMethod.FORCE_LIMIT) -> None:
        keep_smaller_limit(self, limit, method)

    SQLStatement.set_limit_value = set_limit_value
