"""What goes wrong, said as problem+json (RFC 9457): a title, a sentence, the fields; no trace, nobody's value."""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from api.texts import language_of, text

MEDIA_TYPE = "application/problem+json"
log = logging.getLogger("api")


@dataclass(frozen=True)
class Said:
    """A sentence of the catalogue with what fills its gaps; it gets its language when it is sent."""

    key: str
    values: Mapping[str, object] = field(default_factory=dict)

    def text(self, language: str) -> str:
        """Return the sentence."""
        return text(self.key, language, **self.values)


@dataclass(frozen=True)
class FieldProblem:
    """What is wrong with one field, by its path in the request such as ``orders.0.payment_value``."""

    field: str
    said: Said


class Problem(Exception):  # noqa: N818 - named as in the standard it follows
    """An answer that is no success.

    Parameters
    ----------
    status : int
        Of HTTP.
    title : str
        Key of the catalogue.
    detail : Said, optional
    fields : sequence of FieldProblem
    headers : mapping of str to str, optional
    """

    def __init__(
        self,
        status: int,
        title: str,
        detail: Said | None = None,
        fields: Sequence[FieldProblem] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(title)
        self.status, self.title, self.detail, self.fields = status, title, detail, tuple(fields)
        self.headers = dict(headers or {})


def not_valid(fields: Sequence[FieldProblem]) -> Problem:
    """Return the problem of a request whose fields are wrong."""
    return Problem(422, "not_valid", fields=fields)


def render(problem: Problem, language: str) -> Response:
    """Return a problem as an answer."""
    body: dict[str, object] = {
        "type": f"urn:retention-warehouse:{problem.title.replace('_', '-')}",
        "title": text(problem.title, language),
        "status": problem.status,
    }
    if problem.detail is not None:
        body["detail"] = problem.detail.text(language)
    if problem.fields:
        body["errors"] = [{"field": one.field, "problem": one.said.text(language)} for one in problem.fields]
    headers = {**problem.headers, "Content-Language": language}
    return Response(json.dumps(body, ensure_ascii=False), problem.status, headers, MEDIA_TYPE)


# What pydantic calls the faults that a caller is told in the catalogue's words; of the others its own are told.
_KNOWN = {
    "missing": "is_missing",
    "extra_forbidden": "is_unknown",
    "json_invalid": "not_json",
    "finite_number": "not_finite",
    "list_type": "not_a_list",
    "string_type": "not_a_word",
    "float_type": "not_a_number",
    "float_parsing": "not_a_number",
    "int_type": "not_a_number",
    "int_parsing": "not_a_number",
    "decimal_type": "not_a_number",
    "decimal_parsing": "not_a_number",
    "dict_type": "not_an_object",
    "model_attributes_type": "not_an_object",
}


def field_problem(error: Mapping[str, object], skip: int = 0) -> FieldProblem:
    """Translate one of pydantic's errors; ``skip`` parts of its path are ours and not the caller's."""
    path = error["loc"]
    assert isinstance(path, tuple)
    where = ".".join(str(part) for part in path[skip:]) or "body"
    known = _KNOWN.get(str(error["type"]))
    return FieldProblem(where[:200], Said(known) if known else Said("is_invalid", {"reason": str(error["msg"])}))


def install(app: FastAPI) -> None:
    """Make every failure of an app a problem."""

    def on_problem(request: Request, error: Exception) -> Response:
        assert isinstance(error, Problem)
        return render(error, language_of(request.headers.get("accept-language")))

    def on_invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        problem = not_valid([field_problem(one, skip=1) for one in error.errors()[:20]])
        return on_problem(request, problem)

    def on_http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        if error.status_code == 405:
            return on_problem(request, Problem(405, "method", headers=error.headers))
        if error.status_code == 404:
            return on_problem(request, Problem(404, "not_found", Said("not_found_detail")))
        return on_problem(
            request, Problem(error.status_code, "not_valid", fields=[FieldProblem("body", Said("not_json"))])
        )

    def on_fault(request: Request, error: Exception) -> Response:
        reference = secrets.token_hex(4)
        log.error("%s: %s %s", reference, request.method, request.url.path, exc_info=error)
        return on_problem(request, Problem(500, "fault", Said("fault_detail", {"reference": reference})))

    app.add_exception_handler(Problem, on_problem)
    app.add_exception_handler(RequestValidationError, on_invalid)
    app.add_exception_handler(HTTPException, on_http)
    app.add_exception_handler(Exception, on_fault)
