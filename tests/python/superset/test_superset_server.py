"""A running Superset on the published warehouse: every chart's numbers, who may do what, start and publish."""

from __future__ import annotations

import contextlib
import hashlib
import html
import json
import math
import re
import shutil
import sqlite3
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
import requests
import yaml
from builds import ROOT, published_file
from requests.adapters import HTTPAdapter
from superset_process import Person, Server, run_in_superset, server_for
from test_superset_assets import compiled, of_kind
from test_superset_connection import ATTACKS

pytestmark = [pytest.mark.superset, pytest.mark.rows_only]

# Tables of persons and raw rows, in either language, and a column that only they have.
ROW_LEVEL = {
    f"{name}{language}": column
    for name, column in (("customer_360", "zip_code_prefix"), ("quarantine", "raw_row"))
    for language in ("", " (ru)")
}
# Not for stakeholders, in either language.
CLOSED = {"Action lists", "Списки для рассылок"}
PRECISE = 9


@pytest.fixture
def server(served_warehouse: Path) -> Server:
    return server_for(served_warehouse)


@pytest.fixture(params=["demo", pytest.param("olist", marks=pytest.mark.real)])
def any_server(request: pytest.FixtureRequest) -> Server:
    """Return the demo shop's dashboards, then those of the real files."""
    return server_for(request.getfixturevalue("served_warehouse" if request.param == "demo" else "olist_warehouse"))


# --- numbers


def condition(expression: str, wanted: dict[str, Any]) -> str:
    """Write a chart's condition on a column as SQL."""
    if wanted["op"] in ("IS TRUE", "IS FALSE"):
        return f"({expression}) is {wanted['op'].split()[1].lower()}"
    values = wanted["val"] if isinstance(wanted["val"], list) else [wanted["val"]]
    literals = ", ".join(str(value) if isinstance(value, int | float) else quoted(value) for value in values)
    assert wanted["op"] in ("IN", ">=", "<=", ">", "LIKE")
    return f"({expression}) {wanted['op']} " + (f"({literals})" if wanted["op"] == "IN" else literals)


def quoted(value: str) -> str:
    """Return a text as a literal."""
    return "'" + value.replace("'", "''") + "'"


def expected_rows(dataset: dict[str, Any], query: dict[str, Any], warehouse: Path) -> list[tuple[Any, ...]]:
    """Answer a chart's question with SQL of our own on the published file: its metrics, group by group."""
    columns = {one["column_name"]: one["expression"] or f'"{one["column_name"]}"' for one in dataset["columns"]}
    metrics = {one["metric_name"]: one["expression"] for one in dataset["metrics"]}
    groups = []
    for column in query["columns"]:
        expression = columns[column if isinstance(column, str) else column["label"]]
        grain = None if isinstance(column, str) else column.get("timeGrain")
        groups.append(f"date_trunc('month', {expression})" if grain == "P1M" else f"({expression})")
        assert grain in (None, "P1M")
    conditions = [query["extras"]["where"]] if query["extras"]["where"] else []
    conditions += [condition(columns[one["col"]], one) for one in query["filters"] if one.get("val") != "No filter"]
    shown = [metrics[name] for name in query["metrics"]]
    where = f" where {' and '.join(conditions)}" if conditions else ""
    grouped = f" group by {', '.join(groups)}" if groups and shown else ""
    sql = f"select {', '.join(shown or groups)} from {source_of(dataset)}{where}{grouped}"
    with duckdb.connect(str(published_file(warehouse).resolve()), read_only=True) as connection:
        return connection.execute(sql).fetchall()


def source_of(dataset: dict[str, Any]) -> str:
    """Return what a dataset is read from: its table, or for other languages a query of it."""
    return f"({dataset['sql']}) as asked" if dataset["sql"] else f"{dataset['schema']}.{dataset['table_name']}"


def comparable(value: Any) -> Any:
    """Bring a number of DuckDB and one of JSON to one form."""
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, float) and math.isnan(value):
        return None
    with contextlib.suppress(TypeError, ValueError):
        return float(f"{float(value):.{PRECISE}g}")
    return None


def test_every_chart_shows_what_sql_on_the_marts_says(any_server: Server) -> None:
    files = compiled(any_server.warehouse)
    datasets = {dataset["uuid"]: dataset for dataset in of_kind(files, "datasets")}
    specs = {chart["uuid"]: chart for chart in of_kind(files, "charts")}
    admin = any_server.person("Admin")
    listed = admin.listed("chart")
    assert {chart["uuid"] for chart in listed} >= set(specs)
    wrong = []
    for chart in listed:
        if chart["uuid"] not in specs:
            continue
        spec = specs[chart["uuid"]]
        answer = admin.get(f"/api/v1/chart/{chart['id']}/data/?force=true")
        assert answer.status_code == 200, (chart["slice_name"], answer.text[:500])
        for query, result in zip(json.loads(spec["query_context"])["queries"], answer.json()["result"], strict=True):
            # the demo shop has launched nothing
            is_of_campaigns = datasets[spec["dataset_uuid"]]["table_name"].startswith("campaign")
            assert result["rowcount"] > 0 or is_of_campaigns, f"{chart['slice_name']} is empty"
            if not query["metrics"]:
                continue
            own = [
                tuple(map(comparable, row))
                for row in expected_rows(datasets[spec["dataset_uuid"]], query, any_server.warehouse)
            ]
            shown = [tuple(comparable(row[name]) for name in query["metrics"]) for row in result["data"]]
            limit = query["row_limit"]
            agree = sorted(shown, key=str) == sorted(own, key=str) if len(own) <= limit else set(shown) <= set(own)
            if not agree:
                wrong.append((chart["slice_name"], sorted(shown, key=str)[:3], sorted(own, key=str)[:3]))
    assert wrong == []


def placed_charts(dashboard: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the places of a dashboard's charts."""
    nodes = [node for node in dashboard["position"].values() if isinstance(node, dict)]
    return [node["meta"] for node in nodes if node.get("type") == "CHART"]


def expression_of(dataset: dict[str, Any], name: str) -> str | None:
    """Return the SQL of a dataset's column; None when it has no such column."""
    found = [column["expression"] or f'"{name}"' for column in dataset["columns"] if column["column_name"] == name]
    return found[0] if found else None


def agrees_when_narrowed(
    server: Server, ids: dict[str, int], spec: dict[str, Any], dataset: dict[str, Any], by: tuple[str, Any]
) -> bool:
    """Ask a chart as the browser does when a filter, or a click on another chart, narrows it; compare with SQL."""
    column, value = by
    (query, *_) = json.loads(spec["query_context"])["queries"]
    request = json.loads(spec["query_context"])
    request["datasource"] = {"id": ids[dataset["uuid"]], "type": "table"}
    request["form_data"]["slice_id"] = ids[spec["uuid"]]
    request["queries"] = [{**query, "filters": [*query["filters"], {"col": column, "op": "IN", "val": [value]}]}]
    answer = server.person("Admin").post("/api/v1/chart/data", json=request)
    assert answer.status_code == 200, answer.text[:500]
    data = answer.json()["result"][0]["data"]
    where = f"({expression_of(dataset, column)}) = {quoted(str(value))}"
    before = query["extras"]["where"]
    asked = {**query, "extras": {"where": f"{before} and {where}" if before else where}}
    own = expected_rows(dataset, asked, server.warehouse)
    if len(own) > query["row_limit"]:
        return bool(len(data) == query["row_limit"])
    if not query["metrics"]:
        return len(data) == len(own)
    shown = sorted((tuple(comparable(row[name]) for name in query["metrics"]) for row in data), key=str)
    return bool(shown == sorted((tuple(map(comparable, row)) for row in own), key=str))


def test_every_filter_changes_the_numbers_as_sql_says(any_server: Server) -> None:
    files = compiled(any_server.warehouse)
    datasets = {dataset["uuid"]: dataset for dataset in of_kind(files, "datasets")}
    specs = {chart["uuid"]: chart for chart in of_kind(files, "charts")}
    ids = ids_of(any_server)
    wrong, checked = [], set()
    for dashboard in of_kind(files, "dashboards", "en"):
        for one in dashboard["metadata"]["native_filter_configuration"]:
            name = one["targets"][0]["column"]["name"]
            source = datasets[one["targets"][0]["datasetUuid"]]
            with duckdb.connect(str(published_file(any_server.warehouse).resolve()), read_only=True) as connection:
                sql = f"select max({expression_of(source, name)}) from {source_of(source)}"
                (value,) = connection.execute(sql).fetchone() or (None,)
            # One chart of each dataset that the filter reaches.
            reached = {
                specs[meta["uuid"]]["dataset_uuid"]: meta
                for meta in placed_charts(dashboard)
                if meta["chartId"] not in one["scope"]["excluded"]
            }
            for meta in reached.values():
                spec = specs[meta["uuid"]]
                dataset = datasets[spec["dataset_uuid"]]
                if not agrees_when_narrowed(any_server, ids, spec, dataset, (name, value)):
                    wrong.append((dashboard["dashboard_title"], spec["slice_name"], name, value))
            checked.add(dashboard["dashboard_title"])
    assert wrong == []
    without_filters = {"Cohorts and lifetime value", "Campaigns"}
    assert checked == {one["dashboard_title"] for one in of_kind(files, "dashboards", "en")} - without_filters


def test_a_click_on_a_group_narrows_the_other_charts_as_sql_says(any_server: Server) -> None:
    """On every dashboard, take a value a chart shows and narrow every other chart that knows the column by it."""
    files = compiled(any_server.warehouse)
    datasets = {dataset["uuid"]: dataset for dataset in of_kind(files, "datasets")}
    ids = ids_of(any_server)
    specs = {chart["uuid"]: chart for chart in of_kind(files, "charts")}
    wrong, narrowed = [], {}
    for dashboard in of_kind(files, "dashboards", "en"):
        if not dashboard["metadata"]["cross_filters_enabled"]:
            continue
        metas = placed_charts(dashboard)
        best: list[tuple[str, Any, dict[str, Any]]] = []
        for meta in metas:
            spec = specs[meta["uuid"]]
            (query, *_) = json.loads(spec["query_context"])["queries"]
            texts = [column for column in query["columns"] if isinstance(column, str)]
            for column in texts:
                others = [
                    other
                    for other in metas
                    if other is not meta
                    and expression_of(datasets[specs[other["uuid"]]["dataset_uuid"]], column) is not None
                ]
                if len(others) > len(best):
                    data = any_server.person("Admin").get(f"/api/v1/chart/{ids[meta['uuid']]}/data/").json()
                    values = [row[column] for row in data["result"][0]["data"] if isinstance(row[column], str)]
                    if values:
                        best = [(column, values[0], other) for other in others]
        for column, value, other in best:
            spec = specs[other["uuid"]]
            dataset = datasets[spec["dataset_uuid"]]
            if not agrees_when_narrowed(any_server, ids, spec, dataset, (column, value)):
                wrong.append((dashboard["dashboard_title"], spec["slice_name"], column, value))
        narrowed[dashboard["dashboard_title"]] = len(best)
    assert wrong == []
    assert all(narrowed.values()), narrowed


def ids_of(server: Server) -> dict[str, int]:
    """Superset's numbers of charts and datasets."""
    listed = [*server.person("Admin").listed("chart"), *server.person("Admin").listed("dataset")]
    return {one["uuid"]: int(one["id"]) for one in listed}


# --- who may do what


def numbers_by_title(server: Server) -> dict[str, int]:
    return {one["dashboard_title"]: one["id"] for one in server.person("Admin").listed("dashboard")}


def datasets_by_name(server: Server) -> dict[str, int]:
    return {one["table_name"]: one["id"] for one in server.person("Admin").listed("dataset")}


def ask_chart_data(
    server: Server, role: str, dataset: int, columns: list[str], dashboard: int | None
) -> requests.Response:
    """Ask for columns of a dataset, row by row, in the name of a dashboard."""
    form: dict[str, Any] = {"slice_id": 1}
    if dashboard:
        form["dashboardId"] = dashboard
    request = {
        "datasource": {"id": dataset, "type": "table"},
        "queries": [{"columns": columns, "metrics": [], "row_limit": 5, "filters": [], "extras": {}}],
        "form_data": form,
        "result_format": "json",
        "result_type": "full",
    }
    where = f"?dashboard_id={dashboard}" if dashboard else ""
    return server.person(role).post(f"/api/v1/chart/data{where}", json=request)


def refused(answer: requests.Response) -> bool:
    """Whether an answer gives nothing away: an error, an empty list, or the form to log in."""
    if answer.status_code in (400, 401, 403, 404, 405, 422):
        return True
    if "/login/" in answer.url:
        return True
    with contextlib.suppress(ValueError):
        content = answer.json()
        return content.get("count") == 0 or content.get("errors") is not None
    return False


FORBIDDEN_GETS = [
    "/api/v1/database/",
    "/api/v1/database/1",
    "/api/v1/database/1/schemas/",
    "/api/v1/database/1/tables/?q=(schema_name:marts)",
    "/api/v1/dataset/",
    "/api/v1/dataset/{private}",
    "/api/v1/dataset/distinct/table_name",
    "/api/v1/dataset/export/?q=!({private})",
    "/api/v1/chart/export/?q=!(1)",
    "/api/v1/dashboard/export/?q=!(1)",
    "/api/v1/database/export/?q=!(1)",
    "/api/v1/assets/export/",
    "/api/v1/query/",
    "/api/v1/saved_query/",
    "/api/v1/log/",
    "/api/v1/rowlevelsecurity/",
    "/api/v1/security/users/",
    "/api/v1/security/roles/",
    "/api/v1/sqllab/",
    "/api/v1/dashboard/{lists}",
    "/api/v1/dashboard/{lists}/charts",
    "/api/v1/dashboard/{lists}/datasets",
    "/api/v1/datasource/table/{private}/column/customer_id/values/",
    "/sqllab/",
    "/users/list/",
    "/roles/list/",
    "/superset/dashboard/{lists}/",
]
FORBIDDEN_POSTS = [
    ("/api/v1/database/", {"database_name": "x", "sqlalchemy_uri": "duckdb:///x.duckdb"}),
    ("/api/v1/database/test_connection/", {"sqlalchemy_uri": "sqlite:////etc/passwd"}),
    ("/api/v1/dataset/", {"database": 1, "schema": "marts", "table_name": "dim_customers"}),
    ("/api/v1/dataset/get_or_create/", {"database_id": 1, "schema": "marts", "table_name": "customer_rfm"}),
    ("/api/v1/dashboard/", {"dashboard_title": "x"}),
    ("/api/v1/chart/", {"slice_name": "x", "datasource_id": 1, "datasource_type": "table", "viz_type": "table"}),
    ("/api/v1/sqllab/execute/", {"database_id": 1, "sql": "select 1", "client_id": "abc"}),
    ("/api/v1/security/users/", {"username": "x", "password": "x", "roles": [1]}),
    ("/api/v1/sqllab/estimate/", {"database_id": 1, "sql": "select 1"}),
]


@pytest.mark.parametrize("role", ["Stakeholder", "Marketing", ""])
def test_people_without_sql_reach_nothing_but_their_dashboards(server: Server, role: str) -> None:
    person = server.person(role)
    dashboards, datasets = numbers_by_title(server), datasets_by_name(server)
    marks = {"private": datasets["customer_360"], "lists": dashboards["Action lists"]}
    addresses = [address.format(**marks) for address in FORBIDDEN_GETS]
    if role == "Marketing":
        addresses = [one for one in addresses if f"dashboard/{marks['lists']}" not in one]
    answered = [address for address in addresses if not refused(person.get(address))]
    answered += [address for address, body in FORBIDDEN_POSTS if not refused(person.post(address, json=body))]
    assert len(addresses) + len(FORBIDDEN_POSTS) >= 20
    for dashboard in dashboards.values():
        for answer in (
            person.session.put(
                f"{server.base}/api/v1/dashboard/{dashboard}", json={"dashboard_title": "x"}, timeout=60
            ),
            person.session.delete(f"{server.base}/api/v1/dashboard/{dashboard}", timeout=60),
        ):
            if not refused(answer):
                answered.append(f"change of dashboard {dashboard}")
    assert answered == []


def test_stakeholders_see_their_dashboards_and_no_person(server: Server) -> None:
    dashboards, datasets = numbers_by_title(server), datasets_by_name(server)
    stakeholder = server.person("Stakeholder")
    seen = {one["dashboard_title"] for one in stakeholder.listed("dashboard")}
    assert seen == set(dashboards) - CLOSED
    for table, number in datasets.items():
        for dashboard in [None, *dashboards.values()]:
            answer = ask_chart_data(server, "Stakeholder", number, ["customer_id"], dashboard)
            assert refused(answer), (table, dashboard, answer.text[:300])
        if table in ROW_LEVEL:
            for dashboard in dashboards.values():
                answer = ask_chart_data(server, "Stakeholder", number, [ROW_LEVEL[table]], dashboard)
                assert refused(answer), (table, dashboard)


EXPRESSIONS = [
    "customer_id",
    "order_id",
    "message",
    "raw_row",
    "(select max(customer_id) from marts.customer_360)",
    "(select max(message) from quality.test_results)",
    "(select content from read_text('/etc/passwd'))",
    "read_text('/etc/passwd')",
    "getenv('HOME')",
]


def test_stakeholders_get_no_person_order_or_message_by_an_expression_either(server: Server) -> None:
    """Superset lets whoever sees a chart send expressions on its dataset; none may lead to what is not in it."""
    dashboards = numbers_by_title(server)
    admin, stakeholder = server.person("Admin"), server.person("Stakeholder")
    passed, tried = [], set()
    for title, dashboard in dashboards.items():
        if title in CLOSED:
            continue
        charts = admin.get(f"/api/v1/dashboard/{dashboard}/charts").json()["result"]
        first = {int(one["form_data"]["datasource"].split("__")[0]): one["id"] for one in charts}
        first = {dataset: chart for dataset, chart in first.items() if dataset not in tried}
        tried |= set(first)
        for dataset, chart in first.items():
            for expression in EXPRESSIONS:
                asked = {"label": "stolen", "sqlExpression": expression, "expressionType": "SQL"}
                for query in (
                    {"columns": [asked], "metrics": []},
                    {"columns": [], "metrics": [{**asked, "sqlExpression": f"max({expression})"}]},
                    {"columns": [], "metrics": [], "extras": {"where": f"{expression} is not null"}},
                ):
                    request = {
                        "datasource": {"id": dataset, "type": "table"},
                        "queries": [{"row_limit": 5, "filters": [], "extras": {}, **query}],
                        "form_data": {"slice_id": chart, "dashboardId": dashboard},
                        "result_format": "json",
                        "result_type": "full",
                    }
                    answer = stakeholder.post(f"/api/v1/chart/data?dashboard_id={dashboard}", json=request)
                    if answer.status_code == 200 and answer.json()["result"][0].get("data"):
                        passed.append((title, dataset, expression, answer.text[:200]))
    assert passed == []


PRECISE_PLACES = re.compile(r"latitude|longitude|zip_code")


def test_no_coordinate_stakeholders_see_is_finer_than_the_zip_prefix(server: Server) -> None:
    """Every place in a table open to them is the one place of its zip prefix, the same for all who live there."""
    files = compiled(server.warehouse)
    closed = {one["uuid"] for one in of_kind(files, "datasets") if one["table_name"] in ROW_LEVEL}
    placed = [
        one
        for one in of_kind(files, "datasets")
        if one["uuid"] not in closed and any(PRECISE_PLACES.search(column["column_name"]) for column in one["columns"])
    ]
    assert placed
    with duckdb.connect(str(published_file(server.warehouse).resolve()), read_only=True) as connection:
        for one in placed:
            table = source_of(one)
            # other languages list only the columns they show
            if "zip_code_prefix" in {name for name, *_ in connection.execute(f"describe from {table}").fetchall()}:
                finer = f"""
                    select count(*) from (select * from {table}) as shown
                    left join marts.dim_locations as prefix using (zip_code_prefix)
                    where shown.latitude is distinct from prefix.latitude
                        or shown.longitude is distinct from prefix.longitude
                    """
            else:  # places of whole states
                finer = f"select greatest(0, count(distinct (latitude, longitude)) - 27) from {table}"
            assert connection.execute(finer).fetchone() == (0,), table


def test_a_dashboard_shows_its_charts_to_its_audience_only(server: Server) -> None:
    dashboards, datasets = numbers_by_title(server), datasets_by_name(server)
    admin = server.person("Admin")
    for role, allowed in {"Stakeholder": False, "Marketing": True, "Analyst": True, "": False}.items():
        for title, dataset, column, open_to_all in (
            ("Action lists", "customer_360", "rfm_segment", False),
            ("Shop overview", "daily_sales", "customer_state", True),
        ):
            charts = admin.get(f"/api/v1/dashboard/{dashboards[title]}/charts").json()["result"]
            using = [one for one in charts if one["form_data"]["datasource"] == f"{datasets[dataset]}__table"]
            request = {
                "datasource": {"id": datasets[dataset], "type": "table"},
                "queries": [{"columns": [column], "metrics": [], "row_limit": 5, "filters": [], "extras": {}}],
                "form_data": {"slice_id": using[0]["id"], "dashboardId": dashboards[title]},
                "result_format": "json",
                "result_type": "full",
            }
            answer = server.person(role).post(f"/api/v1/chart/data?dashboard_id={dashboards[title]}", json=request)
            expected = allowed or (open_to_all and role != "")
            assert (answer.status_code == 200) is expected, (role, title, answer.status_code, answer.text[:300])


def test_a_request_for_numbers_is_logged_once(server: Server) -> None:
    admin = server.person("Admin")
    chart = admin.listed("chart")[0]["id"]
    with contextlib.closing(sqlite3.connect(server.home / "metadata.db")) as connection:
        (last,) = connection.execute("select max(id) from logs").fetchone()
        assert admin.get(f"/api/v1/chart/{chart}/data/?force=true").status_code == 200
        added = connection.execute("select action, user_id from logs where id > ?", [last]).fetchall()
        assert added == [("ChartDataRestApi.data", 1)]
        assert connection.execute("pragma journal_mode").fetchone() == ("wal",)


def checksum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("role", ["Admin", "Analyst", "Marketing", "Stakeholder", ""])
def test_no_attack_passes_through_sql_lab(server: Server, tmp_path: Path, role: str) -> None:
    person, database = server.person(role), server.database()
    may_ask = role in ("Admin", "Analyst")
    good = person.sql("select count(*) as orders from marts.fct_orders", database)
    assert (good.status_code == 200) is may_ask, good.text[:500]
    if may_ask:
        assert good.json()["data"][0]["orders"] > 0
    served = published_file(server.warehouse).resolve()
    before, neighbours = checksum(served), sorted(served.parent.iterdir())
    passed = []
    for attack in ATTACKS:
        answer = person.sql(attack.format(warehouse=served, folder=tmp_path), database)
        if answer.status_code == 200 and "/login/" not in answer.url:
            passed.append(attack)
    assert passed == []
    assert len(ATTACKS) >= 40
    assert list(tmp_path.iterdir()) == []
    assert sorted(served.parent.iterdir()) == neighbours
    assert checksum(served) == before


# What an analyst, who may do much, may not: {own} are numbers of things that are managed by code or belong to others.
ANALYST_FORBIDDEN: list[tuple[str, str, Any]] = [
    ("post", "/api/v1/database/", {"database_name": "x", "sqlalchemy_uri": "duckdb:///x.duckdb"}),
    ("post", "/api/v1/database/", {"database_name": "x", "sqlalchemy_uri": "sqlite:////etc/passwd"}),
    ("put", "/api/v1/database/{database}", {"allow_dml": True}),
    ("delete", "/api/v1/database/{database}", None),
    ("post", "/api/v1/database/test_connection/", {"sqlalchemy_uri": "sqlite:////etc/passwd"}),
    ("post", "/api/v1/database/validate_parameters/", {"engine": "sqlite", "parameters": {}}),
    ("get", "/api/v1/database/{database}/connection", None),
    ("get", "/api/v1/database/export/?q=!({database})", None),
    ("post", "/api/v1/database/{database}/upload/", {"type": "csv", "table_name": "x"}),
    ("put", "/api/v1/dashboard/{dashboard}", {"dashboard_title": "x"}),
    ("delete", "/api/v1/dashboard/{dashboard}", None),
    ("delete", "/api/v1/dashboard/?q=!({dashboard})", None),
    ("put", "/api/v1/chart/{chart}", {"slice_name": "x"}),
    ("delete", "/api/v1/chart/{chart}", None),
    ("delete", "/api/v1/chart/?q=!({chart})", None),
    ("put", "/api/v1/dataset/{dataset}", {"sql": "select * from read_text('/etc/passwd')"}),
    ("delete", "/api/v1/dataset/{dataset}", None),
    ("get", "/api/v1/assets/export/", None),
    ("post", "/api/v1/assets/import/", {}),
    ("post", "/api/v1/database/import/", {}),
    ("get", "/api/v1/security/users/", None),
    ("post", "/api/v1/security/users/", {"username": "x", "password": "x", "roles": [1]}),
    ("get", "/api/v1/security/roles/", None),
    ("post", "/api/v1/security/roles/", {"name": "x"}),
    ("put", "/api/v1/security/roles/1", {"name": "x"}),
    ("get", "/api/v1/rowlevelsecurity/", None),
    ("post", "/api/v1/rowlevelsecurity/", {"name": "x", "clause": "1 = 1", "tables": [1], "roles": [1]}),
    ("get", "/api/v1/log/", None),
    ("get", "/users/list/", None),
    ("get", "/roles/list/", None),
]


def test_an_analyst_reaches_nothing_that_is_not_theirs(server: Server) -> None:
    analyst, admin = server.person("Analyst"), server.person("Admin")
    marks = {kind: admin.listed(kind)[0]["id"] for kind in ("database", "dashboard", "chart", "dataset")}
    before = metadata_state(server.home)
    answered = []
    for verb, address, body in ANALYST_FORBIDDEN:
        full = server.base + address.format(**marks)
        if not refused(analyst.session.request(verb, full, json=body, timeout=60)):
            answered.append((verb, address))
    assert answered == []
    assert len(ANALYST_FORBIDDEN) >= 20
    assert metadata_state(server.home) == before


def test_a_regional_manager_sees_one_state(server: Server) -> None:
    made = server.command("add-user", "regional", "--role", "Stakeholder", "--state", "sp")
    assert made.returncode == 0, made.stderr[-2000:]
    word = re.search(r"Password\s+(\S+)", made.stdout)
    assert word
    manager = Person(server.base, "regional", word.group(1))
    dashboards, datasets = numbers_by_title(server), datasets_by_name(server)
    for title, ending in (("Shop overview", ""), ("Обзор магазина", " (ru)")):
        charts = server.person("Admin").get(f"/api/v1/dashboard/{dashboards[title]}/charts").json()["result"]
        for table in ("daily_sales", "segment_summary", "delivery_performance", "review_scores", "category_sales"):
            number = datasets[f"{table}{ending}"]
            using = [one for one in charts if one["form_data"]["datasource"] == f"{number}__table"]
            request = {
                "datasource": {"id": number, "type": "table"},
                "queries": [
                    {"columns": ["customer_state"], "metrics": [], "row_limit": 100, "filters": [], "extras": {}},
                ],
                "form_data": {"slice_id": using[0]["id"], "dashboardId": dashboards[title]},
                "result_format": "json",
                "result_type": "full",
            }
            answer = manager.post(f"/api/v1/chart/data?dashboard_id={dashboards[title]}", json=request)
            assert answer.status_code == 200, answer.text[:300]
            assert {row["customer_state"] for row in answer.json()["result"][0]["data"]} == {"SP"}, (table, title)


def test_the_first_page_is_the_overview_and_a_page_decides_its_language(server: Server) -> None:
    person = Person(server.base, "admin", (server.home / "admin_password").read_text().strip())
    assert person.get("/").url == f"{server.base}/superset/dashboard/shop-overview/"
    assert '"locale": "en"' in html.unescape(person.get("/superset/dashboard/churn/").text)
    russian = person.get("/superset/dashboard/churn-ru/").text
    assert '"locale": "ru"' in html.unescape(russian)
    assert '<html lang="ru">' in russian and 'name="viewport"' in russian
    assert person.get("/").url == f"{server.base}/superset/dashboard/shop-overview-ru/"
    # The list of languages leads to the same page in the other one.
    referrer = {"Referer": f"{server.base}/superset/dashboard/churn-ru/"}
    assert person.get("/lang/en", headers=referrer).url == f"{server.base}/superset/dashboard/churn/"
    assert person.get("/lang/xx").status_code == 404


def test_pages_carry_a_strict_policy_and_the_cookie_is_guarded(server: Server) -> None:
    answer = requests.get(f"{server.base}/login/", timeout=60)
    policy = dict(
        part.strip().split(" ", 1)
        for part in answer.headers["Content-Security-Policy"].split(";")
        if " " in part.strip()
    )
    for name in ("default-src", "connect-src", "img-src", "script-src", "font-src", "form-action", "frame-ancestors"):
        assert "'self'" in policy[name]
        assert "http" not in policy[name] and "*" not in policy[name], policy[name]
    assert "unsafe" not in policy["script-src"]
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie and "SameSite=Lax" in cookie
    # A request that changes something needs the token.
    bare = requests.Session()
    bare.cookies.update(server.person("Admin").session.cookies)
    assert bare.post(f"{server.base}/api/v1/dashboard/", json={"dashboard_title": "x"}, timeout=60).status_code == 400


def test_secrets_are_generated_and_private(server: Server) -> None:
    assert stat.S_IMODE(server.home.stat().st_mode) == 0o700
    for name in ("secret_key", "admin_password"):
        path = server.home / name
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert len(path.read_text().strip()) >= 20
    for word in ("admin", "password", "superset"):
        form = requests.post(f"{server.base}/login/", data={"username": "admin", "password": word}, timeout=60)
        assert "/login/" in form.url or form.status_code >= 400


class FromAddress(HTTPAdapter):
    """Speak from another address of the loopback, whose attempts are counted apart."""

    def init_poolmanager(self, *given: Any, **more: Any) -> None:
        super().init_poolmanager(*given, **{**more, "source_address": ("127.0.0.7", 0)})


def test_guessing_passwords_is_slowed_down(server: Server) -> None:
    session = requests.Session()
    session.mount("http://", FromAddress())
    page = session.get(f"{server.base}/login/", timeout=60).text
    token = re.search(r'csrf_token(?:"|&#34;)[^A-Za-z0-9]*(?:value="|:\s*(?:"|&#34;))([^"&]+)', page)
    data = {"username": "admin", "password": "guess", "csrf_token": token.group(1) if token else ""}
    codes = [
        session.post(f"{server.base}/login/", data=data, allow_redirects=False, timeout=60).status_code
        for _ in range(130)  # both workers count for themselves
    ]
    assert 429 in codes


# --- start, again and again


def metadata_state(home: Path) -> dict[str, Any]:
    """Return what the assets left in Superset's metadata: ids, and when they were last changed."""
    with contextlib.closing(sqlite3.connect(home / "metadata.db")) as connection:
        return {
            table: connection.execute(f"select id, uuid, changed_on from {table} order by id").fetchall()
            for table in ("dashboards", "slices", "tables", "dbs")
        } | {
            table: connection.execute(f"select count(*) from {table}").fetchall()
            for table in ("table_columns", "sql_metrics", "ab_role", "ab_permission_view_role")
        }


def test_a_second_start_does_nothing_it_need_not(server: Server) -> None:
    before = metadata_state(server.home)
    again = server.command("start")
    assert again.returncode == 0, again.stderr[-2000:]
    assert "already running" in again.stderr
    assert "dashboards  " not in again.stderr
    assert metadata_state(server.home) == before


def test_importing_again_keeps_counts_and_ids(server: Server) -> None:
    before = metadata_state(server.home)
    again = server.command("bootstrap", "--force")
    assert again.returncode == 0, again.stderr[-2000:]
    after = metadata_state(server.home)
    for table in ("dashboards", "slices", "tables", "dbs"):
        assert [row[:2] for row in after[table]] == [row[:2] for row in before[table]], table
    for table in ("table_columns", "sql_metrics", "ab_role", "ab_permission_view_role"):
        assert after[table] == before[table], table


def test_what_left_the_assets_disappears_and_peoples_own_work_stays(server: Server, tmp_path: Path) -> None:
    analyst, admin = server.person("Analyst"), server.person("Admin")
    own = analyst.post("/api/v1/dashboard/", json={"dashboard_title": "My own"})
    assert own.status_code == 201, own.text[:300]
    assets = tmp_path / "assets"
    shutil.copytree(ROOT / "superset" / "assets", assets)
    gone = yaml.safe_load((assets / "shop_overview" / "charts" / "orders.yaml").read_text())
    (assets / "shop_overview" / "charts" / "orders.yaml").unlink()
    board = assets / "shop_overview" / "dashboard.yaml"
    board.write_text(re.sub(r"\borders: 3, ", "", board.read_text(), count=1))
    code = f"""
import pathlib, settings
settings.ASSETS = pathlib.Path({str(assets)!r})
import bootstrap
print(str(bootstrap.run()).lower())
"""
    try:
        assert run_in_superset(code, server.warehouse, server.home) is True
        titles = [chart["slice_name"] for chart in admin.listed("chart")]
        assert gone["title"] not in titles
        assert "My own" in numbers_by_title(server)
    finally:
        back = server.command("bootstrap")
    assert back.returncode == 0, back.stderr[-2000:]
    assert gone["title"] in [chart["slice_name"] for chart in admin.listed("chart")]
    assert "My own" in numbers_by_title(server)
    analyst.session.delete(f"{server.base}/api/v1/dashboard/{own.json()['id']}", timeout=60)


# --- publish


@contextlib.contextmanager
def swapped(warehouse: Path, change: str) -> Iterator[None]:
    """Publish a changed copy of the current build the way publish does, and put the old one back afterwards."""
    link = warehouse / "current"
    old = link.readlink()
    build = warehouse / "builds" / "changed-by-a-test"
    shutil.copytree(link.resolve(), build)
    build.chmod(build.stat().st_mode | stat.S_IWUSR)
    for name in ("warehouse.duckdb", "stakeholders.duckdb"):
        path = build / name
        path.chmod(path.stat().st_mode | stat.S_IWUSR)
        with duckdb.connect(str(path)) as connection:
            connection.execute(change)

    def point_to(target: Path) -> None:
        fresh = warehouse / "current.test"
        fresh.symlink_to(target)
        fresh.replace(link)

    point_to(build.relative_to(warehouse))
    try:
        yield
    finally:
        point_to(old)
        shutil.rmtree(build)


def test_a_publish_is_seen_at_once_and_no_request_fails(server: Server) -> None:
    admin = server.person("Admin")
    dataset = datasets_by_name(server)["build_info"]
    request = {
        "datasource": {"id": dataset, "type": "table"},
        "queries": [{"columns": ["raw_orders"], "metrics": [], "row_limit": 5, "filters": [], "extras": {}}],
        "form_data": {},
        "result_format": "json",
        "result_type": "full",
    }

    def shown() -> int:
        answer = admin.post("/api/v1/chart/data", json=request)
        assert answer.status_code == 200, answer.text[:300]
        return int(answer.json()["result"][0]["data"][0]["raw_orders"])

    before = shown()
    assert before != 424_242
    failures: list[str] = []
    seen: list[tuple[float, int]] = []
    done = threading.Event()
    charts = [chart["id"] for chart in admin.listed("chart")][:12]

    def click(offset: int) -> None:
        turn = offset
        while not done.is_set():
            turn += 1
            try:
                if turn % 2:
                    asked_at = time.monotonic()
                    seen.append((asked_at, shown()))
                else:
                    answer = admin.get(f"/api/v1/chart/{charts[turn % len(charts)]}/data/?force=true")
                    if answer.status_code != 200:
                        failures.append(answer.text[:300])
            except (AssertionError, requests.RequestException) as error:
                failures.append(str(error))

    clickers = [threading.Thread(target=click, args=(offset,)) for offset in range(4)]
    for clicker in clickers:
        clicker.start()
    try:
        time.sleep(3)
        with swapped(server.warehouse, "update marts.build_info set raw_orders = 424242"):
            published = time.monotonic()
            time.sleep(5)
        taken_back = time.monotonic()
        time.sleep(4)
    finally:
        done.set()
        for clicker in clickers:
            clicker.join()
    assert failures == []
    # Asked after the publish: the new build. Asked after it was taken back: the old one.
    assert {value for at, value in seen if published < at < taken_back - 1} == {424_242}
    assert {value for at, value in seen if at > taken_back} == {before}
