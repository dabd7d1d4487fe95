"""Rows as JSON, CSV or an Arrow stream."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
from fastapi import Response
from pydantic_core import to_json

CSV = "text/csv"
ARROW = "application/vnd.apache.arrow.stream"
JSON = "application/json"
FORMATS = {"json": JSON, "csv": CSV, "arrow": ARROW}


def format_of(asked: str | None, accept: str | None) -> str:
    """Return the format of an answer: what ``format=`` says, else what ``Accept`` names, else JSON."""
    if asked:
        return asked
    named = accept or ""
    return next((name for name, media in FORMATS.items() if media in named), "json")


def json_answer(content: Any, headers: Mapping[str, str], status: int = 200) -> Response:
    """Return plain values as JSON; what is no number there (NaN, infinity) becomes null."""
    return Response(to_json(content, inf_nan_mode="null"), status, dict(headers), JSON)


def csv_answer(names: Sequence[str], rows: Sequence[Sequence[Any]], headers: Mapping[str, str]) -> Response:
    """Return rows as CSV with a line of names."""
    target = io.StringIO()
    writer = csv.writer(target, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(rows)
    return Response(target.getvalue().encode(), 200, dict(headers), f"{CSV}; charset=utf-8")


def arrow_answer(table: pa.Table, headers: Mapping[str, str]) -> Response:
    """Return a table as an Arrow stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return Response(sink.getvalue().to_pybytes(), 200, dict(headers), ARROW)


def compact(value: Any) -> str:
    """Return plain values as a short JSON text."""
    return json.dumps(value, separators=(",", ":"), default=str)
