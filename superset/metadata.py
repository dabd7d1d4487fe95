"""Superset's metadata kept out of a chart's way: one commit per request, and a SQLite file that answers at once.

Measured on a request for a chart's numbers past the cache, most of the time went into Superset's own state, not into
the warehouse: six commits, each of which waits for the disk and makes SQLAlchemy read user, dataset and database again.
"""

from __future__ import annotations

import sqlite3
from typing import Any

from sqlalchemy.pool import QueuePool
from superset.utils.log import DBEventLogger

# What a request for numbers logs besides itself. Lost with them is only how its time was divided.
STEPS = {
    "ChartDataRestApi.json_dumps",
    "QueryObject.post_processing",
    "_get_data_response",
    "execute_sql",
    "load_into_dataframe",
}


class RequestLogger(DBEventLogger):  # type: ignore[misc]  # Superset is untyped
    """Logs who asked for what and how long it took, as Superset does, but not the steps within one request.

    Nor visitors without an account: their rows have no name in them, and anybody could fill the disk with them.
    """

    def log(self, user_id: int | None, action: str, *args: Any, **kwargs: Any) -> None:
        """Write an event to the table of logs, unless it is a step or nobody's."""
        if user_id is not None and action not in STEPS:
            super().log(user_id, action, *args, **kwargs)


class MetadataFile(sqlite3.Connection):
    """A connection to the metadata's SQLite file.

    With a write-ahead log readers and the writer do not wait for each other, and a commit does not wait for the disk.
    A power cut may cost the last few commits; it cannot damage the file.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.execute("pragma journal_mode = wal")
        self.execute("pragma synchronous = normal")


def engine_options(uri: str) -> dict[str, Any]:
    """Return how SQLAlchemy connects to the metadata; other databases than SQLite have good settings of their own."""
    if not uri.startswith("sqlite"):
        return {}
    # SQLAlchemy 1.4 opens a file of SQLite again for every transaction, and SQLite then reads its schema again.
    return {"poolclass": QueuePool, "connect_args": {"factory": MetadataFile}}
