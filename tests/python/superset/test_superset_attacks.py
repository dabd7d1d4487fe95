"""What people try who may see a dashboard and want more, one lock taken out at a time; and what a bad query costs."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest
import requests
from builds import published_file
from superset_process import Server, run_in_superset, server_for
from test_superset_connection import BREAKING

pytestmark = pytest.mark.superset

# What is stolen: a person's key, and free text that a test left. {theft} is a query that gives it.
THEFTS = {
    "segment_summary": "select max(customer_id) from marts.customer_360",
    "customer_360": "select max(review_id) from marts.fct_reviews",
}
TABLES = {"segment_summary": "marts.customer_360 as t", "customer_360": "marts.fct_reviews as t"}
# Ways to write it: comments that Superset's reader and DuckDB's see differently, and none at all.
WAYS = [
    "'' -- */ || ({theft}) /*",
    "'' /* -- */ || ({theft})",
    "'' /* /* */ -- */ || ({theft}) /* */",
    "'' --\n|| ({theft})",
    "'' -- */\n || ({theft})",
    "'' /*+ */ || ({theft}) -- ",
    "'' {{# -- #}} || ({theft})",
    "'' -- ' */ || ({theft}) /* '",
    "$$ -- $$ || ({theft})",
    "$a$ /* $a$ || ({theft}) || $a$ */ $a$",
    "E'\\' || ({theft}) || ' -- '",
    "({theft})",
    "(/**/{theft})",
    "(with stolen as ({theft}) select * from stolen)",
    "(select x from ({theft}) as stolen(x))",
    "(values (({theft})))",
    "[x for x in ({theft})]",
    "case when true then ({theft}) end",
    "1) from (select 1) union all ({theft}) -- ",
    "1 union all {theft}",
    "x'; {theft}; --",
    "(select max(t)::varchar from query_table('{name}') as t)",
    "(select max(t)::varchar from query('{theft}') as t)",
    "(select max(t::varchar) from (from {table}))",
    "(select string_agg(t::varchar, chr(10)) from (from {table}))",
    "'' || /* */ (select string_agg(columns(*)::varchar, '') from {table})",
]
SQL = {"label": "stolen", "expressionType": "SQL"}
# Places to put it.
PLACES: dict[str, Callable[[str], dict[str, Any]]] = {
    "column": lambda text: {"columns": [{**SQL, "sqlExpression": text}], "metrics": []},
    "name of a column": lambda text: {"columns": [text], "metrics": ["customers"]},
    "metric": lambda text: {"columns": [], "metrics": [{**SQL, "sqlExpression": f"max({text})"}]},
    "bare metric": lambda text: {"columns": [], "metrics": [{**SQL, "sqlExpression": text}]},
    "simple metric": lambda text: {
        "columns": [],
        "metrics": [{"label": "x", "expressionType": "SIMPLE", "aggregate": "MAX", "column": {"column_name": text}}],
    },
    "where": lambda text: {"columns": ["rfm_segment"], "metrics": [], "extras": {"where": f"error({text}) is null"}},
    "having": lambda text: {
        "columns": ["rfm_segment"],
        "metrics": ["customers"],
        "extras": {"having": f"error({text}) is null"},
    },
    "order": lambda text: {
        "columns": ["rfm_segment"],
        "metrics": ["customers"],
        "orderby": [[{**SQL, "sqlExpression": f"max(error({text}))"}, True]],
    },
    "name to order by": lambda text: {"columns": ["rfm_segment"], "metrics": ["customers"], "orderby": [[text, True]]},
    "filter": lambda text: {
        "columns": ["rfm_segment"],
        "metrics": [],
        "filters": [{"col": {**SQL, "sqlExpression": f"error({text})"}, "op": "==", "val": "x"}],
    },
    "value": lambda text: {
        "columns": ["rfm_segment"],
        "metrics": [],
        "filters": [{"col": "rfm_segment", "op": "IN", "val": [text, f"' || {text} || '"]}],
    },
    "series": lambda text: {
        "columns": ["rfm_segment"],
        "series_columns": ["rfm_segment"],
        "metrics": ["customers"],
        "series_limit": 3,
        "series_limit_metric": {**SQL, "sqlExpression": f"max({text})"},
    },
    "label": lambda text: {"columns": [{**SQL, "label": text, "sqlExpression": "rfm_segment"}], "metrics": []},
    "axis": lambda text: {"columns": [{**SQL, "columnType": "BASE_AXIS", "sqlExpression": text}], "metrics": []},
    "group": lambda text: {"groupby": [{**SQL, "sqlExpression": text}], "metrics": ["customers"]},
    "order by a simple metric": lambda text: {
        "columns": ["rfm_segment"],
        "metrics": ["customers"],
        "orderby": [
            [{"label": "x", "expressionType": "SIMPLE", "aggregate": "MAX", "column": {"column_name": text}}, True]
        ],
    },
    "grain": lambda text: {"columns": ["rfm_segment"], "metrics": [], "extras": {"time_grain_sqla": text}},
    "granularity": lambda text: {"columns": ["rfm_segment"], "metrics": [], "granularity": text},
}
DASHBOARDS = {"segment_summary": "Customer segments", "customer_360": "Action lists"}


@pytest.fixture
def server(served_warehouse: Path) -> Server:
    return server_for(served_warehouse)


def requests_for(server: Server, table: str, part: int, of: int = 3) -> list[tuple[str, dict[str, Any]]]:
    """Return data requests in the name of a chart that is open to those who ask: one part of all ways and places."""
    admin = server.person("Admin")
    dataset = next(one["id"] for one in admin.listed("dataset") if one["table_name"] == table)
    dashboard = next(one["id"] for one in admin.listed("dashboard") if one["dashboard_title"] == DASHBOARDS[table])
    charts = admin.get(f"/api/v1/dashboard/{dashboard}/charts").json()["result"]
    chart = next(one["id"] for one in charts if one["form_data"]["datasource"] == f"{dataset}__table")
    found = []
    for row, way in enumerate(WAYS):
        text = way.format(theft=THEFTS[table], table=TABLES[table], name=TABLES[table].split(" ")[0])
        for column, (place, query) in enumerate(PLACES.items()):
            if (row + column) % of != part % of:
                continue
            request = {
                "datasource": {"id": dataset, "type": "table"},
                "queries": [{"row_limit": 5, "filters": [], "extras": {}, **query(text)}],
                "form_data": {"slice_id": chart, "dashboardId": dashboard},
                "force": True,
                "result_format": "json",
                "result_type": "full",
            }
            found.append((f"{place}: {text}", request))
    return found


def secrets_of(server: Server, table: str) -> list[str]:
    """Return what must not be in an answer: keys of another table than the one that may be asked."""
    sql = {
        "segment_summary": "select customer_id from marts.customer_360",
        "customer_360": "select review_id from marts.fct_reviews",
    }
    with duckdb.connect(str(published_file(server.warehouse).resolve()), read_only=True) as connection:
        return [key for (key,) in connection.execute(sql[table]).fetchall()]


def leaked(answer: str, secrets: set[str]) -> bool:
    """Whether one of the keys, 32 letters each, is in an answer."""
    return any(word in secrets for word in answer.replace('"', " ").replace("\\n", " ").replace(",", " ").split())


@pytest.mark.parametrize("role", ["Stakeholder", "Marketing", "Analyst", "Admin", ""])
def test_no_data_request_gives_another_table(server: Server, role: str) -> None:
    """On the analysts' file only people who may not ask it anyway are kept to one table."""
    part = ["Stakeholder", "Marketing", "Analyst", "Admin", ""].index(role)
    tables = {"Marketing": ["segment_summary", "customer_360"]}.get(role, ["segment_summary"])
    person, tried = server.person(role), 0
    for table in tables:
        secrets = set(secrets_of(server, table))
        given = []
        for name, request in requests_for(server, table, part):
            tried += 1
            answer = person.post(f"/api/v1/chart/data?dashboard_id={request['form_data']['dashboardId']}", json=request)
            if leaked(answer.text, secrets):
                given.append((name, answer.text[:200]))
            written = name.split(": ", 1)[1]
            if "/*" in written and not name.startswith(("value", "label", "grain", "granularity")):
                assert answer.status_code != 200 or "/login/" in answer.url, (name, answer.text[:300])
        assert given == []
    assert tried >= 100 * len(tables)


def test_every_chart_is_shown_to_those_it_is_for(server: Server) -> None:
    """What the locks let through: each saved query of each dashboard, as the browser of its audience sends it."""
    admin, asked = server.person("Admin"), 0
    for dashboard in admin.listed("dashboard"):
        title, number = dashboard["dashboard_title"], dashboard["id"]
        person = server.person("Marketing" if dashboard["slug"].startswith("action-lists") else "Stakeholder")
        for chart in admin.get(f"/api/v1/dashboard/{number}/charts").json()["result"]:
            saved = json.loads(admin.get(f"/api/v1/chart/{chart['id']}").json()["result"]["query_context"])
            dataset = int(chart["form_data"]["datasource"].split("__")[0])
            request = {
                **saved,
                "datasource": {"id": dataset, "type": "table"},
                "form_data": {**saved["form_data"], "slice_id": chart["id"], "dashboardId": number},
            }
            answer = person.post(f"/api/v1/chart/data?dashboard_id={number}", json=request)
            assert answer.status_code == 200, (title, chart["slice_name"], answer.text[:300])
            asked += 1
    assert asked > 100


WITHOUT_A_LOCK = """
import json, logging
import bootstrap
asked = json.load(open({asked!r}))
app = bootstrap.application()
app.config["WTF_CSRF_ENABLED"] = False
import guards, warehouse
people = {{}}
for name, word in asked["people"].items():
    people[name] = app.test_client()
    people[name].post("/login/", data={{"username": name.lower(), "password": word}})
def ask(role, table):
    secrets, given, good = set(asked["secrets"][table]), [], 0
    for name, request in asked["requests"][table]:
        dashboard = request["form_data"]["dashboardId"]
        answer = people[role].post(f"/api/v1/chart/data?dashboard_id={{dashboard}}", json=request)
        good += answer.status_code == 200
        text = answer.get_data(as_text=True)
        words = text.replace('"', " ").replace("\\\\n", " ").replace(",", " ").split()
        if any(word in secrets for word in words):
            given.append(name)
    return {{"given": given, "good": good}}
names = guards.refuse_comments, guards.refuse_expressions
tables = guards.refuse_tables
def names_lock(closed):
    guards.refuse_comments, guards.refuse_expressions = names if closed else (lambda *_: None, lambda *_: None)
def tables_lock(closed):
    guards.refuse_tables = tables if closed else lambda *_: None
def file_lock(closed):
    warehouse.STAKEHOLDERS.name = "stakeholders.duckdb" if closed else "warehouse.duckdb"
seen = {{}}
for role, table, locks in asked["trials"]:
    for lock, name in ((names_lock, "names"), (tables_lock, "tables"), (file_lock, "file")):
        lock(name in locks)
    seen[" ".join([role, *locks])] = ask(role, table)
print(json.dumps(seen))
"""


def test_each_lock_holds_alone_and_without_any_the_request_gives_all(server: Server, tmp_path: Path) -> None:
    trials: list[tuple[str, str, list[str]]] = [
        *[("Stakeholder", "segment_summary", locks) for locks in (["names"], ["tables"], ["file"], [])],
        *[("Marketing", "customer_360", locks) for locks in (["names"], ["tables"], [])],
    ]
    people = {}
    for role in ("Stakeholder", "Marketing"):
        server.person(role)
        people[role] = server.passwords[role]
    tables = ["segment_summary", "customer_360"]
    asked = tmp_path / "asked.json"
    asked.write_text(
        json.dumps(
            {
                "people": people,
                "trials": trials,
                "secrets": {table: secrets_of(server, table) for table in tables},
                "requests": {table: requests_for(server, table, 0, 5) for table in tables},
            }
        )
    )
    seen = run_in_superset(WITHOUT_A_LOCK.format(asked=str(asked)), server.warehouse, server.home)
    for role, _, locks in trials:
        given = seen[" ".join([role, *locks])]["given"]
        assert bool(given) is not bool(locks), (role, locks, given[:5])


def test_an_annotation_gives_no_other_charts_data(server: Server) -> None:
    """Not even a chart's that may be seen: who may see what is asked by the chart, and an annotation has none."""
    admin, stakeholder = server.person("Admin"), server.person("Stakeholder")
    (_, request), *_ = requests_for(server, "segment_summary", 0)
    for title in ("Action lists", "Customer segments"):
        number = next(one["id"] for one in admin.listed("dashboard") if one["dashboard_title"] == title)
        (chart, *_) = admin.get(f"/api/v1/dashboard/{number}/charts").json()["result"]
        for source in ("table", "line", "NATIVE"):
            layer = {"name": "x", "annotationType": "EVENT", "sourceType": source, "value": chart["id"]}
            layer |= {"show": True, "showLabel": False, "showMarkers": False}
            query = {"columns": ["rfm_segment"], "metrics": ["customers"], "annotation_layers": [layer], "row_limit": 5}
            answer = stakeholder.post("/api/v1/chart/data", json={**request, "queries": [query]})
            assert answer.status_code == 403 and "Annotations are not available" in answer.text, answer.text[:300]


BY_SEGMENT: dict[str, Any] = {"columns": ["rfm_segment"], "metrics": ["customers"]}
# An honest expression in every place that takes one.
WRITTEN: dict[str, Callable[[str], dict[str, Any]]] = {
    "column": lambda more: {"columns": [{**SQL, "sqlExpression": f"rfm_segment {more}"}], "metrics": []},
    "metric": lambda more: {"columns": [], "metrics": [{**SQL, "sqlExpression": f"sum(customers) {more}"}]},
    "where": lambda more: {**BY_SEGMENT, "extras": {"where": f"rfm_segment <> 'x' {more}"}},
    "having": lambda more: {**BY_SEGMENT, "extras": {"having": f"sum(customers) > 0 {more}"}},
    "order": lambda more: {**BY_SEGMENT, "orderby": [[{**SQL, "sqlExpression": f"sum(customers) {more}"}, True]]},
    "filter": lambda more: {
        **BY_SEGMENT,
        "filters": [{"col": {**SQL, "sqlExpression": f"rfm_segment {more}"}, "op": "!=", "val": "x"}],
    },
    "series": lambda more: {
        **BY_SEGMENT,
        "series_columns": ["rfm_segment"],
        "series_limit": 3,
        "series_limit_metric": {**SQL, "sqlExpression": f"sum(customers) {more}"},
    },
}


@pytest.mark.parametrize("role", ["Analyst", "Admin"])
def test_a_comment_is_refused_whoever_asks(server: Server, role: str) -> None:
    """Those who may ask anything have SQL Lab for it; in a chart a comment hides from one reader what another runs."""
    (_, request), *_ = requests_for(server, "segment_summary", 0)
    person = server.person(role)
    for place, query in WRITTEN.items():
        codes = {}
        for more in ("", "/* x */", "/* '*/", "-- x\n", "{# x #}"):
            queries = [{"row_limit": 5, "filters": [], "extras": {}, **query(more)}]
            codes[more] = person.post("/api/v1/chart/data", json={**request, "queries": queries}).status_code
        assert codes.pop("") == 200, place
        assert set(codes.values()) == {403}, (place, codes)


def test_charts_of_the_older_kind_take_no_expression_either(server: Server) -> None:
    """Maps are asked for at another address, and their expressions are cleaned before anybody looks at them."""
    admin, stakeholder = server.person("Admin"), server.person("Stakeholder")
    dashboard = next(one["id"] for one in admin.listed("dashboard") if one["dashboard_title"] == "Geography")
    charts = admin.get(f"/api/v1/dashboard/{dashboard}/charts").json()["result"]
    older = [one for one in charts if one["form_data"]["viz_type"].startswith(("country_map", "deck_"))]

    def asked(changes: dict[str, Any], chart: dict[str, Any]) -> requests.Response:
        form = {**chart["form_data"], "slice_id": chart["id"], "dashboardId": dashboard, "force": True, **changes}
        address = f"/superset/explore_json/?form_data={json.dumps({'slice_id': chart['id']})}&dashboard_id={dashboard}"
        return stakeholder.post(address, data={"form_data": json.dumps(form)})

    assert {one["form_data"]["viz_type"] for one in older} >= {"country_map", "deck_scatter"}
    for one in older:
        shown = asked({}, one)
        assert shown.status_code == 200 and not shown.json().get("errors"), (one["slice_name"], shown.text[:500])
    chart = next(one for one in older if one["form_data"]["viz_type"] == "country_map")
    theft = "'' -- */ || (select max(customer_id) from marts.customer_360) /*"
    sneaked = {**SQL, "sqlExpression": f"max({theft})"}
    where = {"clause": "WHERE", "expressionType": "SQL", "sqlExpression": f"error({theft}) is null"}
    for changes in (
        {"metric": sneaked},
        {"metric": {**SQL, "sqlExpression": "count(*)"}},
        {"entity": theft},
        {"adhoc_filters": [where]},
        {"adhoc_filters": [{**where, "clause": "HAVING"}]},
        {"adhoc_filters": [{**where, "sqlExpression": "1 = 1"}]},
    ):
        answer = asked(changes, chart)
        assert answer.status_code != 200, (changes, answer.text[:300])


PATIENCE_SECONDS = 5  # of `bounds.py`
FORMULA = "=1+1"


def test_a_large_export_escapes_formulas_as_a_small_one_does(server: Server) -> None:
    analyst = server.person("Analyst")
    database = server.database()
    statement = f"select '{FORMULA}' as \"@cell\", -1.5 as number from range(3)"
    sent = {"database_id": database, "sql": statement, "client_id": "streamed01", "queryLimit": 10, "runAsync": False}
    assert analyst.post("/api/v1/sqllab/execute/", json=sent).status_code == 200
    small = analyst.get("/api/v1/sqllab/export/streamed01/").text
    large = analyst.post(
        "/api/v1/sqllab/export_streaming/", data={"client_id": "streamed01", "filename": "x.csv", "expected_rows": "3"}
    ).text
    expected = [["'@cell", "number"], *[["'=1+1", "-1.5"]] * 3]
    assert list(csv.reader(io.StringIO(large.lstrip("\ufeff")))) == expected
    assert list(csv.reader(io.StringIO(small.lstrip("\ufeff")))) == expected


def workers_of(server: Server) -> set[int]:
    """Return the numbers of gunicorn's worker processes."""
    master = int((server.home / "gunicorn.pid").read_text())
    children = Path(f"/proc/{master}/task/{master}/children")
    if not children.exists():
        pytest.skip("this system does not list a process's children")
    return {int(number) for number in children.read_text().split()}


def is_healthy(server: Server) -> bool:
    """Whether the health check answers 200."""
    with contextlib.suppress(requests.RequestException):
        return requests.get(f"{server.base}/health", timeout=30).status_code == 200
    return False


def test_a_broken_database_and_a_killed_worker_come_back(server: Server) -> None:
    analyst, database = server.person("Analyst"), server.database()
    stakeholder = server.person("Stakeholder")
    for statement in BREAKING:
        broken = analyst.sql(statement, database)
        assert broken.status_code != 200, statement
        assert is_healthy(server), statement
        assert analyst.sql("select count(*) from marts.fct_orders", database).status_code == 200, statement
    before = workers_of(server)
    os.kill(min(before), signal.SIGSEGV)
    for _ in range(600):
        after = workers_of(server)
        if len(after) == len(before) and after != before and is_healthy(server):
            break
        time.sleep(0.2)
    assert len(after) == len(before) and min(before) not in after
    assert stakeholder.get("/api/v1/me/").status_code == 200


def test_health_is_bad_when_the_warehouse_cannot_be_read(server: Server) -> None:
    assert is_healthy(server)
    link = server.warehouse / "current"
    target = link.readlink()
    try:
        link.unlink()
        answer = requests.get(f"{server.base}/health", timeout=30)
        assert answer.status_code == 503
    finally:
        link.symlink_to(target)
    assert is_healthy(server)


@pytest.mark.parametrize("name", ["warehouse.duckdb", "stakeholders.duckdb", "build.json"])
def test_health_is_bad_when_what_is_published_is_damaged(server: Server, name: str) -> None:
    assert is_healthy(server)
    file = (server.warehouse / "current").resolve() / name
    kept, mode = file.read_bytes(), file.stat().st_mode
    middle = len(kept) // 2
    damaged = kept[:middle] + bytes(letter ^ 0x5A for letter in kept[middle : middle + 2]) + kept[middle + 2 :]
    try:
        file.chmod(0o644)
        file.write_bytes(damaged)
        assert not is_healthy(server)
    finally:
        file.write_bytes(kept)
        file.chmod(mode)
    assert is_healthy(server)


@pytest.mark.long
def test_forty_endless_queries_of_one_do_not_stop_the_others(server: Server) -> None:
    analyst, database = server.person("Analyst"), server.database()
    endless = "select count(*) from range(10000000) as one, range(1000000) as other where random() > 2"
    answers: list[str] = []
    cookies, headers = analyst.session.cookies.get_dict(), dict(analyst.session.headers)

    def ask(number: int) -> None:
        sent = {"database_id": database, "sql": endless, "client_id": f"endless{number:03}", "runAsync": False}
        with contextlib.suppress(requests.RequestException):
            answer = requests.post(
                f"{server.base}/api/v1/sqllab/execute/", json=sent, cookies=cookies, headers=headers, timeout=120
            )
            answers.append(answer.text)

    people = [threading.Thread(target=ask, args=(number,)) for number in range(40)]
    for one in people:
        one.start()
    time.sleep(5 + PATIENCE_SECONDS)
    started = time.monotonic()
    assert server.person("Stakeholder").get("/api/v1/me/").status_code == 200
    assert is_healthy(server)
    waited = time.monotonic() - started
    for one in people:
        one.join()
    # Each worker runs six at a time, and answers the others as it comes to them.
    assert sum("Busy" in answer for answer in answers) >= 16, answers[:3]
    assert waited < 60, f"others waited {waited:.0f} s"
