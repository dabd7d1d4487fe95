"""REST APIs through dlt's declarative client: pages, access, waiting when told to; every value as the text it is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from extraction.declared import Secrets, Source, Table
from pipeline.base.errors import InputError

ROWS_AT_ONCE = 50_000
# An API that says "too many requests" is asked again this often, each time after as long as it asks for.
ATTEMPTS = 8
BETWEEN_NAMES = "__"


class Api:
    """An API and how it is reached.

    Parameters
    ----------
    source : Source
    secrets : Secrets
    """

    def __init__(self, source: Source, secrets: Secrets) -> None:
        from dlt.sources.helpers.requests import Client

        self._client: dict[str, Any] = {
            "base_url": secrets.fill_url(f"{source.place}.url", source.url),
            "headers": secrets.fill_all(f"{source.place}.headers", source.headers),
            "session": Client(request_max_attempts=ATTEMPTS).session,
        }
        if source.auth:
            self._client["auth"] = secrets.fill_all(f"{source.place}.auth", source.auth)
        if source.paginator:
            self._client["paginator"] = source.paginator
        self._secrets = secrets

    def close(self) -> None:
        """Leave the API."""
        self._client["session"].close()

    def read(self, table: Table, since: Any) -> Iterator[pa.Table]:
        """Read a table, or what has changed in it since.

        Parameters
        ----------
        table : Table
        since : str or None
            Lowest value of the cursor; None for all rows.

        Yields
        ------
        pyarrow.Table
            Of texts. One table: only the last row tells which columns there are.
        """
        from dlt.common.exceptions import DictValidationException
        from dlt.sources.rest_api import rest_api_resources

        params = self._secrets.fill_all(f"{table.place}.params", table.params)
        endpoint: dict[str, Any] = {"path": table.origin, "params": params}
        if since is not None:
            endpoint["params"] = {**params, table.since: since}
        if table.data:
            endpoint["data_selector"] = table.data
        if table.paginator:
            endpoint["paginator"] = table.paginator
        try:
            (resource,) = rest_api_resources(
                {"client": self._client, "resources": [{"name": table.name, "endpoint": endpoint}]}
            )
        except (DictValidationException, ValueError, TypeError) as error:
            raise InputError(f"{table.place}: dlt does not understand it ({str(error).splitlines()[0]}).") from error
        batches: list[pa.Table] = []
        rows: list[dict[str, str | None]] = []
        for row in resource:
            rows.append(dict(_flat("", row)))
            if len(rows) >= ROWS_AT_ONCE:
                batches.append(_table_of(rows))
                rows = []
        batches.append(_table_of(rows))
        whole = pa.concat_tables(batches, promote_options="default")
        if not whole.num_columns:
            # no row, no names: those that are declared
            names = dict.fromkeys([*table.key, *([table.cursor] if table.cursor else [])]) or {"id": None}
            whole = pa.schema([(name, pa.string()) for name in names]).empty_table()
        yield whole


def _flat(prefix: str, value: Any) -> Iterator[tuple[str, str | None]]:
    """Write out a row: what lies in another object is named after both, a list is its JSON."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _flat(f"{prefix}{BETWEEN_NAMES}{name}" if prefix else str(name), inner)
        return
    name = prefix or "value"
    if value is None or isinstance(value, str):
        yield name, value
    elif isinstance(value, bool | list):
        yield name, json.dumps(value, ensure_ascii=False, default=str)
    else:
        yield name, str(value)


def _table_of(rows: list[dict[str, str | None]]) -> pa.Table:
    names = list(dict.fromkeys(name for row in rows for name in row))
    return pa.table(
        {name: pa.array([row.get(name) for row in rows], pa.string()) for name in names},
        schema=pa.schema([(name, pa.string()) for name in names]),
    )


def next_since(table: Table, file: Path) -> str | None:
    """Return what the API is to be asked for: the latest value of the cursor in a file, less the overlap.

    Raises
    ------
    InputError
        The values are neither numbers nor times.
    """
    values = [value for value in pq.read_table(file, columns=[table.cursor])[table.cursor].to_pylist() if value]
    if not values:
        return None
    if all(value.isdigit() for value in values):
        if not isinstance(table.overlap, int):
            raise InputError(f"{table.place}.overlap: {table.cursor} holds numbers, so it must be a whole number.")
        return str(max(0, max(map(int, values)) - table.overlap))
    try:
        latest, text = max((datetime.fromisoformat(str(value)), str(value)) for value in values)
    except (ValueError, TypeError) as error:
        raise InputError(
            f"{table.place}.cursor: {table.cursor} holds neither whole numbers nor times of ISO 8601, all with an "
            f"offset or all without, such as 2025-01-31T10:00:00Z ({error}). Without `cursor` it is taken whole."
        ) from error
    if not table.overlap:
        return text
    if not isinstance(table.overlap, timedelta):
        raise InputError(f"{table.place}.overlap: {table.cursor} holds times, so it must be a time such as `1 day`.")
    earlier = latest - table.overlap
    if len(text) == len("2025-01-31"):
        return earlier.date().isoformat()
    return earlier.isoformat().replace("+00:00", "Z") if text.endswith("Z") else earlier.isoformat()
