"""The addresses of the API, and who may ask what."""

import csv
import io
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version as installed_version
from typing import Annotated, Any, Literal

from fastapi import Body, Depends, FastAPI, Header, Query, Request, Response
from fastapi.responses import HTMLResponse
from fastapi.security import APIKeyHeader
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from api import documents, first_purchases, formats, problems
from api.first_purchases import FirstQuestion
from api.keys import ROLES, Keys
from api.labelled import ServedModel
from api.limits import BATCH_ROWS, BODY_BYTES, BodyLimit, RateLimit
from api.marts import LISTINGS, MOST_ROWS, Listing, cursor_of, page
from api.measures import Measured, Measures
from api.people import MODEL, Forecaster, GivenOrder
from api.problems import FieldProblem, Problem, Said, field_problem, not_valid
from api.published import Build
from api.serving import Published, Served
from api.texts import language_of
from scoring.first_purchase.model import NAME as FIRST_PURCHASE
from scoring.first_purchase.model import FirstPurchaseModel
from scoring.table.coding import Cell

VERSION = "1.0.0"


class Question(BaseModel):
    """What is to be forecast: a person's orders, or a row of features of a labelled table's model."""

    model_config = ConfigDict(extra="forbid")
    model: Annotated[str, Field(max_length=100)] | None = Field(
        None, description="name of the model; the shop's own for orders, the only other one for a row"
    )
    row: dict[str, Any] | None = None
    orders: Annotated[list[GivenOrder], Field(max_length=5_000)] | None = None


@dataclass(frozen=True)
class Call:
    """A request that may go on: what it sees of the warehouse, who asks, and in which language."""

    served: Served
    role: str
    language: str

    @property
    def build(self) -> Build:
        """The build that this call sees from beginning to end."""
        if self.served.build is None:
            raise Problem(503, "not_ready", Said("not_ready_detail"))
        return self.served.build

    @property
    def forecaster(self) -> Forecaster:
        """The churn model of that build."""
        if self.build and self.served.forecaster is None:
            raise Problem(503, "not_ready", Said("no_scores_detail"))
        assert self.served.forecaster is not None
        return self.served.forecaster

    @property
    def first_purchase(self) -> FirstPurchaseModel:
        """The model of first purchases."""
        if self.served.first_purchase is None:
            raise Problem(404, "not_found", Said("no_first_purchase_detail"))
        return self.served.first_purchase

    @property
    def headers(self) -> dict[str, str]:
        """What every answer says of the build it is from."""
        headers = {"Content-Language": self.language, "Cache-Control": "private, no-cache"}
        if self.served.build is not None:
            headers["ETag"] = self.served.build.etag
        return headers

    def labelled(self, name: str | None) -> ServedModel:
        """Return the model of a labelled table; the only one when none is named."""
        models = self.served.models
        if name is None and len(models) == 1:
            return next(iter(models.values()))
        if name is None or name not in models:
            known = ", ".join([MODEL, *models])
            raise Problem(404, "not_found", Said("model_unknown_detail", {"known": known}))
        return models[name]

    def json(self, content: Any) -> Response:
        """Answer with plain values."""
        return formats.json_answer(content, self.headers)


KEY = APIKeyHeader(name="X-API-Key", auto_error=False, description="printed once at the first start of `make api`")


def create_app(keys: Keys, rate: float) -> FastAPI:
    """Make the app.

    Parameters
    ----------
    keys : Keys
    rate : float
        Requests a second that one key may send.
    """
    measures = Measures()
    limit = RateLimit(rate)

    def note(build: Build) -> None:
        measures.published.set(build.published_at.timestamp())
        measures.switches.inc()

    published = Published(note)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        published.start()
        yield
        published.stop()

    app = FastAPI(
        title="Retention Warehouse",
        version=VERSION,
        description=documents.DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_tags=documents.TAGS,
        redirect_slashes=False,
    )
    app.add_middleware(BodyLimit, most=BODY_BYTES)
    app.add_middleware(Measured, measures=measures)
    problems.install(app)

    def caller(role: str) -> Callable[..., Call]:
        def check(
            request: Request,
            key: Annotated[str | None, Depends(KEY)],
            if_none_match: Annotated[str | None, Header()] = None,
        ) -> Call:
            language = language_of(request.headers.get("accept-language"))
            if not key:
                limit.take("nobody")
                raise Problem(401, "key_missing", Said("key_missing_detail"))
            found = keys.role_of(key)
            if found is None:
                limit.take("nobody")
                raise Problem(401, "key_unknown", Said("key_missing_detail"))
            limit.take(found)
            if ROLES.index(found) < ROLES.index(role):
                raise Problem(403, "role_missing", Said("role_missing_detail", {"role": found}))
            call = Call(published.now(), found, language)
            if request.method == "GET" and if_none_match is not None and if_none_match == call.headers.get("ETag"):
                raise NotModified(call.headers)
            return call

        return check

    @app.exception_handler(NotModified)
    async def not_modified(_: Request, error: NotModified) -> Response:
        return Response(status_code=304, headers=error.headers)

    _add_server(app, published, measures)
    _add_models(app, caller, measures)
    for listing in LISTINGS:
        _add_listing(app, listing, caller(listing.role))
    return app


class NotModified(Exception):  # noqa: N818 - nothing is in error
    """The caller has this build's answer already."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        super().__init__()
        self.headers = dict(headers)


Caller = Callable[[str], Callable[..., Call]]


def _add_server(app: FastAPI, published: Published, measures: Measures) -> None:
    @app.get("/", tags=["server"], summary="What is here", responses=documents.example({"name": "Retention Warehouse"}))
    def root() -> Response:
        return formats.json_answer(
            {"name": "Retention Warehouse", "version": VERSION, "documentation": "/docs", "openapi": "/openapi.json"},
            {},
        )

    @app.get(
        "/health",
        tags=["server"],
        summary="Whether the server is alive",
        responses=documents.example({"status": "alive"}),
    )
    def health() -> Response:
        return formats.json_answer({"status": "alive"}, {})

    @app.get(
        "/ready", tags=["server"], summary="Whether a build is loaded, and how old it is", responses=documents.READY
    )
    def ready() -> Response:
        build = published.now().build
        if build is None:
            raise Problem(503, "not_ready", Said("not_ready_detail"))
        age = time.time() - build.published_at.timestamp()
        return formats.json_answer(
            {
                "status": "ready",
                "build_id": build.build_id,
                "published_at": build.published_at,
                "age_seconds": round(max(age, 0.0), 1),
                "as_of_date": build.segmenter.as_of_date,
                "models": sorted(published.now().models),
            },
            {"ETag": build.etag},
        )

    @app.get("/metrics", tags=["server"], summary="Counters for Prometheus", responses=documents.TEXT)
    def metrics() -> Response:
        return Response(measures.text(), media_type="text/plain; version=0.0.4")

    @app.get("/docs", include_in_schema=False)
    def docs() -> HTMLResponse:
        return HTMLResponse(documents.render(app.openapi()), headers=documents.HEADERS)


def _add_models(app: FastAPI, caller: Caller, measures: Measures) -> None:
    anybody = Annotated[Call, Depends(caller("stakeholder"))]
    analyst = Annotated[Call, Depends(caller("analyst"))]

    @app.get(
        "/version",
        tags=["models"],
        summary="Versions of the API, the build and the models",
        responses=documents.ANSWERS,
    )
    def version(call: anybody) -> Response:
        build, forecaster, first = call.served.build, call.served.forecaster, call.served.first_purchase
        return call.json(
            {
                "api": VERSION,
                "build_id": build.build_id if build else None,
                "models": {
                    **({MODEL: forecaster.model.version} if forecaster else {}),
                    **({FIRST_PURCHASE: first.version} if first else {}),
                    **{name: served.model.version for name, served in call.served.models.items()},
                },
                "duckdb": installed_version("duckdb"),
                "scikit-learn": installed_version("scikit-learn"),
            }
        )

    @app.get(
        "/model/info", tags=["models"], summary="What a model is, and how far to trust it", responses=documents.ANSWERS
    )
    def model_info(call: anybody, model: documents.ModelName = None) -> Response:
        if model in (None, MODEL):
            return call.json(call.forecaster.information())
        if model == FIRST_PURCHASE:
            return call.json(first_purchases.information(call.first_purchase))
        served = call.labelled(model).model
        return call.json(
            {
                "model": served.name,
                "version": served.version,
                "label": served.label,
                "positive": served.positive,
                "threshold": served.threshold,
                **served.facts,
                "build_id": call.served.build.build_id if call.served.build else None,
            }
        )

    @app.get("/features", tags=["models"], summary="What a model wants to know", responses=documents.ANSWERS)
    def features(call: anybody, model: documents.ModelName = None) -> Response:
        if model in (None, MODEL):
            return call.json({"model": MODEL, "features": call.forecaster.describe()})
        if model == FIRST_PURCHASE:
            return call.json({"model": model, "features": first_purchases.describe(call.first_purchase)})
        served = call.labelled(model)
        return call.json({"model": served.model.name, "example": served.example(), "features": served.describe()})

    @app.post("/predict", tags=["models"], summary="Forecast one person, with reasons", responses=documents.ANSWERS)
    def predict(call: analyst, question: Annotated[Question, Body(openapi_examples=documents.QUESTIONS)]) -> Response:
        if (question.row is None) == (question.orders is None):
            raise not_valid([FieldProblem("row", Said("row_or_orders"))])
        if question.orders is not None:
            if question.model not in (None, MODEL):
                call.labelled(question.model)
                raise not_valid([FieldProblem("orders", Said("needs_row"))])
            forecaster = call.forecaster
            try:
                person = forecaster.person(question.orders)
            except ValueError:
                said = Said("no_valid_order", {"day": call.build.segmenter.as_of_date})
                raise not_valid([FieldProblem("orders", said)]) from None
            measures.predictions.labels(MODEL).inc()
            answer = forecaster.tell([person], call.language)[0]
            return call.json({**answer, "model": forecaster.model.version, "build_id": call.build.build_id})
        if question.model == MODEL:
            raise not_valid([FieldProblem("row", Said("needs_orders"))])
        served = call.labelled(question.model)
        checked = served.check(question.row, "row.")
        if checked.problems:
            raise not_valid(checked.problems)
        measures.predictions.labels(served.model.name).inc()
        answer = served.told(served.model.answer(checked.row), checked.warnings, call.language)
        return call.json({**answer, **_whence(call, served)})

    @app.post(
        "/predict/first-purchase",
        tags=["models"],
        summary="Whether a new customer comes back, at the checkout or after delivery and review, with reasons",
        responses=documents.ANSWERS,
    )
    def predict_first_purchase(
        call: analyst,
        question: Annotated[FirstQuestion, Body(openapi_examples=documents.FIRST_QUESTIONS)],
    ) -> Response:
        model = call.first_purchase
        answer = first_purchases.tell(model, question, call.language)
        measures.predictions.labels(FIRST_PURCHASE).inc()
        build_id = call.served.build.build_id if call.served.build else None
        return call.json({**answer, "model": model.version, "build_id": build_id})

    _add_batch(app, caller("analyst"), measures)

    @app.get(
        "/customers/{customer_id}",
        tags=["customers"],
        summary="Everything that is known of one person",
        responses=documents.ANSWERS,
    )
    def customer(call: analyst, customer_id: documents.CustomerId) -> Response:
        found = call.build.row_of(customer_id)
        if found is None:
            raise Problem(404, "not_found", Said("customer_unknown_detail"))
        return call.json({**found, "build_id": call.build.build_id})


def _add_batch(app: FastAPI, check: Callable[..., Call], measures: Measures) -> None:
    async def body_of(request: Request) -> bytes:
        return await request.body()

    @app.post(
        "/predict/batch",
        tags=["models"],
        summary="Forecast up to 10,000 people, in their order",
        responses=documents.TABLES,
        openapi_extra=documents.BATCH_BODY,
    )
    def predict_batch(
        request: Request,
        call: Annotated[Call, Depends(check)],
        body: Annotated[bytes, Depends(body_of)],
        model: documents.ModelName = None,
        format: Annotated[Literal["json", "csv"] | None, Query(description="of the answer")] = None,
    ) -> Response:
        is_csv = formats.CSV in request.headers.get("content-type", "")
        if is_csv:
            rows: Sequence[object] = _read_csv(body)
            kind = "rows"
        else:
            model, kind, rows = _read_batch(body, model)
        if len(rows) > BATCH_ROWS:
            raise Problem(413, "too_many_rows", Said("too_many_rows_detail", {"most": BATCH_ROWS, "given": len(rows)}))
        if kind == "people":
            if model not in (None, MODEL):
                raise not_valid([FieldProblem("people", Said("needs_row"))])
            name, answers, whence = MODEL, _people(call, rows), _own(call)
        else:
            if model == MODEL:
                raise not_valid([FieldProblem("rows", Said("needs_orders"))])
            served = call.labelled(model)
            name, answers, whence = served.model.name, _rows(call, served, rows, is_csv), _whence(call, served)
        measures.predictions.labels(name).inc(len(rows))
        wanted = formats.format_of(format, request.headers.get("accept"))
        if wanted == "csv":
            return _batch_csv(answers, call)
        return call.json({"results": answers, **whence})


def _add_listing(app: FastAPI, listing: Listing, check: Callable[..., Call]) -> None:
    def answer(request: Request, call: Annotated[Call, Depends(check)]) -> Response:
        asked = dict(request.query_params)
        wanted = asked.get("format")
        if wanted is not None and wanted not in formats.FORMATS:
            raise not_valid([FieldProblem("format", Said("not_allowed", {"allowed": ", ".join(formats.FORMATS)}))])
        wanted = formats.format_of(wanted, request.headers.get("accept"))
        asked_page = page(call.build, listing, asked)
        table = call.build.arrow(asked_page.sql, asked_page.values)
        headers, following = call.headers, None
        if table.num_rows > asked_page.limit:
            table = table.slice(0, asked_page.limit)
            following = cursor_of(listing, table.slice(asked_page.limit - 1).to_pylist()[0])
            headers["X-Next"] = following
        if wanted == "arrow":
            return formats.arrow_answer(table, headers)
        if wanted == "csv":
            rows = zip(*(column.to_pylist() for column in table.columns), strict=True)
            return formats.csv_answer(table.column_names, list(rows), headers)
        content = {"rows": table.to_pylist(), "next": following, "build_id": call.build.build_id}
        return formats.json_answer(content, headers)

    app.get(
        listing.path,
        tags=["customers" if listing.role == "analyst" else "aggregates"],
        summary=listing.summary,
        responses=documents.TABLES,
        openapi_extra=documents.listing_parameters(listing.filters, MOST_ROWS),
        operation_id=listing.path.strip("/").replace("/", "_"),
    )(answer)


def _whence(call: Call, served: ServedModel) -> dict[str, Any]:
    return {"model": served.model.version, "build_id": call.served.build.build_id if call.served.build else None}


def _own(call: Call) -> dict[str, Any]:
    return {"model": call.forecaster.model.version, "build_id": call.build.build_id}


def _read_batch(body: bytes, model: str | None) -> tuple[str | None, str, Sequence[object]]:
    try:
        given = json.loads(body)
    except (ValueError, RecursionError):
        raise not_valid([FieldProblem("body", Said("not_json"))]) from None
    if not isinstance(given, dict):
        raise not_valid([FieldProblem("body", Said("not_an_object"))])
    unknown = [name for name in given if name not in ("model", "rows", "people")]
    if unknown:
        raise not_valid([FieldProblem(name[:100], Said("is_unknown")) for name in unknown[:20]])
    named = given.get("model", model)
    if named is not None and not isinstance(named, str):
        raise not_valid([FieldProblem("model", Said("not_a_word"))])
    kinds = [kind for kind in ("rows", "people") if given.get(kind) is not None]
    if len(kinds) != 1:
        raise not_valid([FieldProblem("rows", Said("row_or_orders"))])
    rows = given[kinds[0]]
    if not isinstance(rows, list):
        raise not_valid([FieldProblem(kinds[0], Said("not_a_list"))])
    return named, kinds[0], rows


def _read_csv(body: bytes) -> list[dict[str, str]]:
    try:
        text = body.decode("utf-8-sig")
        first = text.split("\n", 1)[0]
        reader = csv.reader(
            io.StringIO(text, newline=""), delimiter=";" if first.count(";") > first.count(",") else ","
        )
        lines = [line for line in reader if line]
    except (UnicodeDecodeError, csv.Error):
        raise not_valid([FieldProblem("body", Said("not_csv"))]) from None
    if not lines:
        raise not_valid([FieldProblem("body", Said("not_csv"))])
    names = [name.strip() for name in lines[0]]
    # a line of another length gets names that no model knows, and its own error
    return [
        dict(zip([*names, *[f"column {place + 1}" for place in range(len(names), len(line))]], line, strict=False))
        for line in lines[1:]
    ]


def _rows(call: Call, served: ServedModel, rows: Sequence[object], is_text: bool) -> list[dict[str, Any]]:
    checked = [served.check(row, is_text=is_text) for row in rows]
    good = [place for place, one in enumerate(checked) if not one.problems]
    answers = served.model.answers([checked[place].row for place in good])
    told = dict(zip(good, answers, strict=True))
    return [
        served.told(told[place], one.warnings, call.language) if place in told else _errors(one.problems, call.language)
        for place, one in enumerate(checked)
    ]


def _people(call: Call, rows: Sequence[object]) -> list[dict[str, Any]]:
    forecaster = call.forecaster
    results: list[dict[str, Any] | None] = []
    people, places = [], []
    for place, row in enumerate(rows):
        try:
            orders = People.model_validate(row).orders
            people.append(forecaster.person(orders))
            places.append(place)
            results.append(None)
        except ValidationError as error:
            found = [field_problem(dict(one)) for one in error.errors()[:20]]
            results.append(_errors(found, call.language))
        except ValueError:
            said = Said("no_valid_order", {"day": call.build.segmenter.as_of_date})
            results.append(_errors([FieldProblem("orders", said)], call.language))
    told = dict(zip(places, forecaster.tell(people, call.language), strict=True))
    return [told[place] if result is None else result for place, result in enumerate(results)]


class People(BaseModel):
    """One person of a batch."""

    model_config = ConfigDict(extra="forbid")
    orders: Annotated[list[GivenOrder], Field(max_length=5_000)]


def _errors(found: Sequence[FieldProblem], language: str) -> dict[str, Any]:
    return {"errors": [{"field": one.field, "problem": one.said.text(language)} for one in found]}


def _batch_csv(answers: Sequence[Mapping[str, Any]], call: Call) -> Response:
    names = ["row", "probability", "band", "is_positive", "reason_1", "reason_2", "reason_3", "warnings", "errors"]
    lines: list[list[Cell | int]] = []
    for place, answer in enumerate(answers):
        if "errors" in answer:
            lines.append(
                [place, *[None] * 7, "; ".join(f"{one['field']}: {one['problem']}" for one in answer["errors"])]
            )
            continue
        reasons = [f"{one['text']} ({one['direction']})" for one in answer["reasons"][:3]]
        lines.append(
            [
                place,
                answer["probability"],
                answer["band"],
                str(answer["decision"]["is_positive"]).lower(),
                *reasons,
                *[None] * (3 - len(reasons)),
                "; ".join(f"{one['field']}: {one['problem']}" for one in answer["warnings"]),
                None,
            ]
        )
    return formats.csv_answer(names, lines, call.headers)
