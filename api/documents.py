"""What the API says of itself: parts of its OpenAPI document, and a page of it that needs nothing from elsewhere."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import Path, Query

from api.formats import ARROW, CSV, JSON
from api.problems import MEDIA_TYPE

DESCRIPTION = (
    "Segments, cohorts and forecasts of the published warehouse, and forecasts of the models learned from labelled "
    "tables. A key of the role stakeholder may ask for aggregates; one of the role analyst for people and forecasts "
    "too. Every answer is from one build: its id is the ETag. Problems are told in English or Russian "
    "(Accept-Language)."
)
TAGS = [
    {"name": "models", "description": "Forecasts, and what they rest on"},
    {"name": "customers", "description": "People; for the role analyst"},
    {"name": "aggregates", "description": "Segments, cohorts, months"},
    {"name": "server", "description": "For those who run it; no key needed"},
]
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
}

ModelName = Annotated[
    str | None,
    Query(max_length=100, description="`churn`, `first-purchase`, or the name of a labelled table's"),
]
CustomerId = Annotated[
    str, Path(max_length=200, description="as in `/customers`", examples=["8d50f5eadf50201ccdcedfb9e2ac8455"])
]

_PROBLEM = {
    MEDIA_TYPE: {
        "schema": {
            "type": "object",
            "required": ["type", "title", "status"],
            "properties": {
                "type": {"type": "string"},
                "title": {"type": "string"},
                "status": {"type": "integer"},
                "detail": {"type": "string"},
                "errors": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "properties": {"field": {"type": "string"}, "problem": {"type": "string"}},
                    },
                },
            },
        }
    }
}
_OBJECT = {JSON: {"schema": {"type": "object"}}}
_MEANINGS = {
    304: "the build has not changed since the ETag that was sent",
    400: "the request cannot be read",
    401: "no key, or one that is not known",
    403: "the key's role may not ask this",
    404: "there is no such thing",
    405: "another method is needed",
    413: "too large",
    422: "a field is wrong; each is named",
    429: "too many requests",
    503: "nothing is published yet",
}
_PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"description": meaning} if status == 304 else {"description": meaning, "content": _PROBLEM}
    for status, meaning in _MEANINGS.items()
}
ANSWERS: dict[int | str, dict[str, Any]] = {200: {"description": "the answer", "content": _OBJECT}, **_PROBLEMS}
TABLES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "rows, in the format asked for",
        "content": {**_OBJECT, CSV: {"schema": {"type": "string"}}, ARROW: {"schema": {"type": "string"}}},
    },
    **_PROBLEMS,
}
READY: dict[int | str, dict[str, Any]] = {200: {"description": "ready", "content": _OBJECT}, 503: _PROBLEMS[503]}
TEXT: dict[int | str, dict[str, Any]] = {
    200: {"description": "text of Prometheus", "content": {"text/plain": {"schema": {"type": "string"}}}}
}
_ORDERS = [
    {"purchased_at": "2025-03-02T10:15:00", "payment_value": 79.9, "main_category": "health_beauty", "state": "SP"},
    {"purchased_at": "2025-05-30T18:40:00", "payment_value": 120, "payment_type": "credit_card"},
]
QUESTIONS: dict[str, Any] = {
    "orders": {"summary": "A person's orders, for the shop's own model", "value": {"orders": _ORDERS}},
    "row": {
        "summary": "A row of features, for a labelled table's model; its names are in /features?model=...",
        "value": {"row": {"Tenure": 4, "Complain": 1, "PreferedOrderCat": "Mobile"}},
    },
}
FIRST_QUESTIONS: dict[str, Any] = {
    "checkout": {
        "summary": "A first order at the checkout",
        "value": {
            "order": {
                "purchased_at": "2025-03-02T10:15:00",
                "payment_value": 79.9,
                "order_value": 79.9,
                "freight_value": 15.1,
                "main_category": "health_beauty",
                "payment_type": "credit_card",
                "max_installments": 1,
                "city": "sao paulo",
                "state": "SP",
            }
        },
    },
    "delivered": {
        "summary": "The same once it was delivered and reviewed",
        "value": {
            "order": {
                "purchased_at": "2025-03-02T10:15:00",
                "payment_value": 79.9,
                "main_category": "health_beauty",
                "delivered_at": "2025-03-12T12:00:00",
                "estimated_delivery_date": "2025-03-20",
                "reviews": [{"score": 5, "known_at": "2025-03-14T09:00:00"}],
            }
        },
    },
}
BATCHES: dict[str, Any] = {
    "people": {"summary": "Orders of several people", "value": {"people": [{"orders": _ORDERS}]}},
    "rows": {
        "summary": "Rows of features",
        "value": {"rows": [{"Tenure": 4, "Complain": 1}, {"Tenure": 20, "Complain": 0}]},
    },
}
BATCH_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            JSON: {
                "schema": {
                    "type": "object",
                    "additionalProperties": False,
                    "properties": {
                        "model": {"type": "string"},
                        "rows": {"type": "array", "maxItems": 10_000, "items": {"type": "object"}},
                        "people": {"type": "array", "maxItems": 10_000, "items": {"type": "object"}},
                    },
                },
                "examples": BATCHES,
            },
            CSV: {"schema": {"type": "string"}, "example": "Tenure,Complain\n4,1\n20,0\n"},
        },
    }
}


def example(value: Any) -> dict[int | str, dict[str, Any]]:
    """Return an answer with an example."""
    return {200: {"description": "the answer", "content": {JSON: {"schema": {"type": "object"}, "example": value}}}}


def listing_parameters(filters: Mapping[str, str], most: int) -> dict[str, Any]:
    """Return the parameters of a listing, as OpenAPI writes them."""
    parameters = [
        ("limit", {"type": "integer", "minimum": 1, "maximum": most, "default": 100}, "rows of a page"),
        ("after", {"type": "string"}, "`next` of the page before; in CSV and Arrow its header X-Next"),
        ("format", {"type": "string", "enum": ["json", "csv", "arrow"]}, "of the answer; else what Accept asks for"),
        *((name, {"type": "string"}, f"rows whose {column} is this") for name, column in filters.items()),
    ]
    return {
        "parameters": [
            {"name": name, "in": "query", "required": False, "schema": schema, "description": text}
            for name, schema, text in parameters
        ]
    }


_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222 }}
h2 {{ margin-top: 2.5rem; border-bottom: 1px solid #ccc }}
section {{ margin: 1.5rem 0 }} h3 {{ margin: 0; font-size: 1rem }}
code, pre {{ font: 14px/1.5 ui-monospace, monospace; background: #f4f4f4 }}
pre {{ padding: .6rem; overflow-x: auto }} code {{ padding: 0 .2rem }}
b {{ display: inline-block; min-width: 3.6rem; color: #05538a }}
table {{ border-collapse: collapse; margin: .4rem 0 }} td {{ padding: .1rem .8rem .1rem 0; vertical-align: top }}
</style>
<h1>{title}</h1><p>{description}</p>
<p>Send your key in the header <code>X-API-Key</code>. The whole description for programs:
<a href="/openapi.json">openapi.json</a>.</p>
{body}
</html>"""


def render(document: Mapping[str, Any]) -> str:
    """Return an OpenAPI document as a page to read: no script, nothing fetched."""
    parts = []
    for tag in TAGS:
        parts.append(f"<h2>{html.escape(tag['name'].capitalize())}</h2><p>{html.escape(tag['description'])}</p>")
        for path, operations in document["paths"].items():
            for method, operation in operations.items():
                if tag["name"] in operation.get("tags", ()):
                    parts.append(_operation(path, method.upper(), operation))
    information = document["info"]
    return _PAGE.format(
        title=html.escape(information["title"]),
        description=html.escape(information["description"]),
        body="\n".join(parts),
    )


def _marked(text: str) -> str:
    return re.sub("`([^`]+)`", r"<code>\1</code>", html.escape(text))


def _operation(path: str, method: str, operation: Mapping[str, Any]) -> str:
    rows = "".join(
        f"<tr><td><code>{html.escape(one['name'])}</code></td><td>{_marked(one.get('description', ''))}</td></tr>"
        for one in operation.get("parameters", ())
        if one["in"] != "header"
    )
    found = (
        f"<section><h3><b>{method}</b><code>{html.escape(path)}</code></h3><p>{html.escape(operation['summary'])}</p>"
    )
    if rows:
        found += f"<table>{rows}</table>"
    for media, content in operation.get("requestBody", {}).get("content", {}).items():
        for named in content.get("examples", {}).values():
            body = html.escape(json.dumps(named["value"], indent=1))
            found += f"<p>{html.escape(named['summary'])}:</p><pre>{body}</pre>"
        if "example" in content:
            found += f"<p>As {media}:</p><pre>{html.escape(content['example'])}</pre>"
    return found + "</section>"
