"""Who may ask what, in which form, and what a wrong question is answered."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pyarrow as pa
import pytest
import requests
from api_server import Server, serving
from builds import ROOT, query

from api.texts import TEXTS

pytestmark = pytest.mark.rows_only

AGGREGATES = ("/segments", "/segments/history", "/segments/migration", "/cohorts", "/timeline", "/version", "/features")
ORDER = {"purchased_at": "2025-03-02T10:15:00", "payment_value": 79.9}
PROBLEM = "application/problem+json"


def problem_of(answer: requests.Response, status: int) -> dict[str, Any]:
    """Return a problem after checking that it is one, and that it tells nothing of the machine."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == PROBLEM
    assert "Traceback" not in answer.text and ".py" not in answer.text
    content: dict[str, Any] = answer.json()
    assert content["status"] == status
    return content


def fields(problem: dict[str, Any]) -> set[str]:
    return {one["field"] for one in problem["errors"]}


def test_the_keys_are_for_their_owner_alone(server: Server) -> None:
    for role, key in server.keys.items():
        file = server.output.parent / f"{role}.key"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert server.output.read_text().count(key) == 1


@pytest.mark.parametrize("path", AGGREGATES)
def test_a_stakeholder_may_ask_for_aggregates_and_nobody_without_a_key(server: Server, path: str) -> None:
    answer = server.get(path, "stakeholder")
    assert answer.status_code == 200
    assert "customer_id" not in answer.text
    problem_of(server.get(path, None), 401)
    problem_of(server.get(path, None, headers={"X-API-Key": "guess"}), 401)


@pytest.mark.parametrize("path", ["/customers", "/customers/x"])
def test_people_are_for_analysts(server: Server, path: str) -> None:
    problem_of(server.get(path, "stakeholder"), 403)
    problem_of(server.post("/predict", {"orders": [ORDER]}, "stakeholder"), 403)


def test_pages_hold_everybody_once(server: Server, published_warehouse: Path) -> None:
    found: list[str] = []
    following: str | None = ""
    while following is not None:
        page = server.get("/customers", params={"limit": 5_000, **({"after": following} if following else {})}).json()
        found += [row["customer_id"] for row in page["rows"]]
        following = page["next"]
    expected = query(published_warehouse, "select customer_id from marts.customer_360 order by customer_id")
    assert found == list(expected["customer_id"])


def test_pages_of_a_key_of_several_columns_hold_every_row_once(server: Server, published_warehouse: Path) -> None:
    found: list[Any] = []
    following: str | None = ""
    while following is not None:
        page = server.get("/segments", params={"limit": 70, **({"after": following} if following else {})}).json()
        found += [(row["rfm_segment"], row["churn_risk_tier"], row["customer_state"]) for row in page["rows"]]
        following = page["next"]
    rows = query(published_warehouse, "select count(*) as rows from marts.segment_summary")["rows"].iloc[0]
    assert len(found) == len(set(found)) == rows


def test_formats_hold_the_same_rows(server: Server) -> None:
    asked = {"limit": 40, "segment": "Champions"}
    rows = server.get("/customers", params=asked).json()["rows"]
    assert rows and {row["rfm_segment"] for row in rows} == {"Champions"}
    text = server.get("/customers", params={**asked, "format": "csv"}).text
    assert [row["customer_id"] for row in csv.DictReader(io.StringIO(text))] == [row["customer_id"] for row in rows]
    stream = server.get("/customers", params=asked, headers={"Accept": "application/vnd.apache.arrow.stream"})
    assert pa.ipc.open_stream(stream.content).read_all().column("monetary").to_pylist() == [
        row["monetary"] for row in rows
    ]


def test_history_counts_people(server: Server, published_warehouse: Path) -> None:
    rows = server.get("/segments/history?limit=10000", "stakeholder").json()["rows"]
    expected = query(published_warehouse, "select count(*) as people from marts.segment_history")["people"].iloc[0]
    assert sum(row["customers"] for row in rows) == expected


def test_an_unchanged_build_is_not_sent_again(server: Server) -> None:
    first = server.get("/segments")
    assert first.headers["etag"] == f'"{first.json()["build_id"]}"'
    again = server.get("/segments", headers={"If-None-Match": first.headers["etag"]})
    assert again.status_code == 304 and not again.content


def test_problems_speak_russian_to_those_who_ask_for_it(server: Server) -> None:
    problem = problem_of(server.get("/customers/nobody", headers={"Accept-Language": "ru-RU,ru;q=0.9,en;q=0.5"}), 404)
    assert problem["title"] == TEXTS["not_found"][1]
    assert problem_of(server.get("/customers/nobody"), 404)["title"] == "Not found"


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ({}, "row"),
        ({"row": {"Tenure": 1}, "orders": [ORDER]}, "row"),
        ({"row": {"Tenure": "long"}}, "row.Tenure"),
        ({"row": {"Tenure": True}}, "row.Tenure"),
        ({"row": {"Tenure": 10**400}}, "row.Tenure"),
        ({"row": {"Gender": 3}}, "row.Gender"),
        ({"row": {"tenure": 3}}, "row.tenure"),
        ({"row": {"Tenure": [1]}}, "row.Tenure"),
        ({"orders": []}, "orders"),
        ({"orders": [{"purchased_at": "2025-03-02T10:15:00"}]}, "orders.0.payment_value"),
        ({"orders": [{**ORDER, "payment_value": -1}]}, "orders.0.payment_value"),
        ({"orders": [{**ORDER, "purchased_at": "yesterday"}]}, "orders.0.purchased_at"),
        ({"orders": [{**ORDER, "purchased_at": "2999-01-01T00:00:00"}]}, "orders"),
        ({"orders": [{**ORDER, "note": "x"}]}, "orders.0.note"),
        ({"orders": [ORDER], "model": "shop"}, "orders"),
        ({"row": {}, "model": "churn"}, "row"),
    ],
)
def test_a_wrong_question_names_its_field(server: Server, content: dict[str, Any], named: str) -> None:
    assert named in fields(problem_of(server.post("/predict", content), 422))


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_no_number_is_no_number(server: Server, number: str) -> None:
    headers = {"Content-Type": "application/json"}
    row = server.ask("POST", "/predict", data=f'{{"row": {{"Tenure": {number}}}}}', headers=headers)
    assert "row.Tenure" in fields(problem_of(row, 422))
    body = f'{{"orders": [{{"purchased_at": "2025-03-02T10:15:00", "payment_value": {number}}}]}}'
    problem_of(server.ask("POST", "/predict", data=body, headers=headers), 422)
    batch = server.ask("POST", "/predict/batch", data=f'{{"rows": [{{"Tenure": {number}}}]}}', headers=headers)
    assert batch.json()["results"][0]["errors"][0]["field"] == "Tenure"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000])
@pytest.mark.parametrize("path", ["/predict", "/predict/batch", "/predict/first-purchase"])
def test_what_is_no_json_is_told(server: Server, path: str, body: bytes) -> None:
    answer = server.ask("POST", path, data=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 422)
    problem_of(answer, answer.status_code)


def test_a_batch_has_errors_by_row_and_keeps_the_order(server: Server) -> None:
    answer = server.post("/predict/batch", {"rows": [{"Tenure": 1}, {"Tenure": "x"}, 7, {"Tenure": 30}]})
    results = answer.json()["results"]
    assert ["errors" in one for one in results] == [False, True, True, False]
    assert results[0]["probability"] == server.post("/predict", {"row": {"Tenure": 1}}).json()["probability"]
    people = server.post("/predict/batch", {"people": [{"orders": [ORDER]}, {"orders": []}, {}]}).json()["results"]
    assert ["errors" in one for one in people] == [False, True, True]


def test_a_batch_goes_in_and_out_as_csv(server: Server) -> None:
    body = "Tenure;Complain;Gender\n1;1;Female\n;0;Male\nmany;0;Male\n"
    answer = server.ask("POST", "/predict/batch?format=csv", data=body, headers={"Content-Type": "text/csv"})
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["row"] for row in rows] == ["0", "1", "2"]
    assert rows[2]["errors"].startswith("Tenure:") and not rows[2]["probability"]
    single = server.post("/predict", {"row": {"Tenure": 1, "Complain": 1, "Gender": "Female"}}).json()
    assert float(rows[0]["probability"]) == single["probability"]


def test_too_much_is_refused(server: Server) -> None:
    problem_of(server.post("/predict/batch", {"rows": [{}] * 10_001}), 413)
    assert server.post("/predict/batch", {"rows": [{"Tenure": 1}] * 10_000}).status_code == 200
    try:
        large = server.ask("POST", "/predict", data=b" " * 50_000_000, headers={"Content-Type": "application/json"})
    except requests.ConnectionError:
        pass  # refused before the rest was sent
    else:
        problem_of(large, 413)

    def unannounced() -> Any:
        for _ in range(20):
            yield b" " * 1_000_000

    try:
        streamed = server.ask("POST", "/predict/batch", data=unannounced())
    except requests.ConnectionError:
        pass
    else:
        problem_of(streamed, 413)
    assert server.get("/health", None).ok


@pytest.mark.parametrize("text", ["' or 1=1 --", "x'; drop table marts.customer_360; --", "\x00", "%27", "🙂" * 50])
def test_sql_in_a_field_is_a_text(server: Server, text: str) -> None:
    for name in ("segment", "tier", "band", "state", "abc", "xyz"):
        answer = server.get("/customers", params={name: text})
        assert answer.status_code == 200 and answer.json()["rows"] == []
    for name in ("limit", "after", "format", "nothing"):
        assert name in fields(problem_of(server.get("/customers", params={name: text}), 422))
    problem_of(server.get("/customers/" + quote(text, safe="")), 404)
    answer = server.post("/predict", {"row": {"Gender": text or "x"}})
    assert answer.status_code == 200 and answer.json()["warnings"]
    problem_of(server.post("/predict", {"row": {text: 1}}), 422)
    problem_of(server.post("/predict", {"row": {}, "model": text}), 404)
    problem_of(server.get("/model/info", params={"model": text}), 404)


@pytest.mark.parametrize("text", ["' or 1=1 --", "\x00"])
def test_sql_in_a_field_of_an_order_is_a_text(server: Server, text: str) -> None:
    words = ("main_category", "payment_type", "state", "region", "order_id")
    review = {"score": 5, "known_at": "2025-03-14T09:00:00", "review_id": text}
    order = {**ORDER, **dict.fromkeys(words, text), "reviews": [review]}
    assert server.post("/predict", {"orders": [order]}).status_code == 200
    assert server.post("/predict/first-purchase", {"order": {**order, "city": text}}).status_code == 200
    batch = server.post(
        "/predict/batch", {"people": [{"orders": [order]}, {"orders": [{**ORDER, "purchased_at": text}]}]}
    )
    assert ["errors" in one for one in batch.json()["results"]] == [False, True]
    body = f"Tenure,Gender\n1,{text}\n"
    assert server.ask("POST", "/predict/batch", data=body, headers={"Content-Type": "text/csv"}).status_code == 200


def test_sql_in_a_filter_of_any_list_is_a_text(server: Server) -> None:
    document = server.get("/openapi.json", None).json()
    asked = 0
    for path, operations in document["paths"].items():
        for parameter in operations.get("get", {}).get("parameters", ()):
            if parameter["in"] == "query" and server.get(path).status_code != 404:
                answer = server.get(path, params={parameter["name"]: "x' or 1=1 --"})
                assert answer.status_code in (404, 422) or answer.json()["rows"] == [], (path, parameter["name"])
                asked += 1
    assert asked > 20


def test_odd_values_are_warned_of(server: Server) -> None:
    answer = server.post("/predict", {"row": {"Tenure": 500, "Gender": "Martian"}}).json()
    named = {one["field"]: one["problem"] for one in answer["warnings"]}
    assert "outside" in named["row.Tenure"] and "Martian" in named["row.Gender"] and "blank" in named["row.Complain"]
    odd = {**ORDER, "payment_value": 999_999, "main_category": "moon_dust"}
    people = server.post("/predict", {"orders": [odd]}).json()
    assert {"monetary_total", "last_category"} <= {one["field"] for one in people["warnings"]}


def test_other_addresses_and_methods(server: Server) -> None:
    problem_of(server.get("/nothing"), 404)
    assert "allow" in {name.lower() for name in server.ask("DELETE", "/segments").headers}
    problem_of(server.ask("DELETE", "/segments"), 405)
    problem_of(server.get("/model/info?model=nobody"), 404)


def test_the_examples_of_the_description_are_answered(server: Server) -> None:
    document = server.get("/openapi.json", None).json()
    sent = 0
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            for media, content in operation.get("requestBody", {}).get("content", {}).items():
                examples = [one["value"] for one in content.get("examples", {}).values()]
                examples += [content["example"]] if "example" in content else []
                for example in examples:
                    body = example if isinstance(example, str) else json.dumps(example)
                    answer = server.ask(method.upper(), path, data=body, headers={"Content-Type": media})
                    assert answer.status_code == 200, (path, example, answer.text)
                    assert "errors" not in answer.text
                    sent += 1
            if (method == "get" and not operation.get("parameters")) or path.startswith(("/segments", "/cohorts")):
                assert server.ask(method.upper(), path).ok
    assert sent >= 5


def test_the_lines_of_the_readme_are_answered(server: Server) -> None:
    readme = (ROOT / "README.md").read_text()
    blocks = re.findall(r"```(sh|python)\n(.*?)```", readme, flags=re.DOTALL)
    ran = 0
    for kind, block in blocks:
        if "localhost:8089" not in block:
            continue
        text = block.replace("http://localhost:8089", server.address).replace("data/api", str(server.output.parent))
        program = ["bash", "-euo", "pipefail", "-c", text] if kind == "sh" else [sys.executable, "-c", text]
        done = subprocess.run(
            program, env={**os.environ, "no_proxy": "*"}, capture_output=True, text=True, check=False, timeout=120
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout
        ran += 1
    assert ran == 2


def test_the_page_of_the_description_names_every_address_and_needs_nothing_else(server: Server) -> None:
    page = server.get("/docs", None)
    for path in server.get("/openapi.json", None).json()["paths"]:
        assert f"<code>{path}</code>" in page.text
    assert "<script" not in page.text and "http://" not in page.text and "https://" not in page.text


def test_information_says_how_far_to_trust_a_model(server: Server, published_warehouse: Path) -> None:
    own = server.get("/model/info", "stakeholder").json()
    expected = query(
        published_warehouse, "select * from marts.churn_model_metrics where is_shipped and role = 'test'"
    ).iloc[0]
    assert own["metrics"]["roc_auc"] == pytest.approx(expected["roc_auc"])
    assert own["threshold"] == expected["decision_threshold"]
    features = server.get("/features?model=shop", "stakeholder").json()
    assert server.post("/predict", {"row": features["example"]}).status_code == 200
    assert {one["name"] for one in features["features"]} == set(features["example"])
    assert all(one["share_missing"] is not None for one in server.get("/features").json()["features"])


def test_counters_name_routes_and_no_customer(server: Server) -> None:
    server.get("/customers/a-secret-id")
    text = server.get("/metrics", None).text
    assert 'route="/customers/{customer_id}"' in text and "a-secret-id" not in text
    assert "api_predictions_total" in text


def test_a_key_has_its_share_of_time(published_warehouse: Path, models_folder: Path, tmp_path: Path) -> None:
    with serving(published_warehouse, tmp_path / "home", models_folder, rate=2) as slow:
        answers = [slow.get("/version") for _ in range(12)]
        refused = [answer for answer in answers if answer.status_code == 429]
        assert refused and int(refused[0].headers["retry-after"]) >= 1
        problem_of(refused[0], 429)
        assert slow.get("/version", "stakeholder").ok


def test_without_a_warehouse_it_says_so(tmp_path: Path) -> None:
    with serving(tmp_path / "none", tmp_path / "home", tmp_path / "models") as empty:
        assert empty.get("/health", None).ok
        for path in ("/ready", "/segments", "/model/info"):
            problem_of(empty.get(path), 503)
