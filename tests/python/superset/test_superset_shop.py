"""What is drawn for a shop that lacks something: compiled from the demo shop's warehouse as if it did."""

from __future__ import annotations

import json
import re
import shutil
from functools import lru_cache
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest
import yaml
from builds import build_warehouse, published_file
from superset_process import run_in_superset

pytestmark = pytest.mark.superset

CODE = """
import json, bundle, catalogue
tables = catalogue.read()
facts = tables["marts.shop"].facts
facts |= {changes}
for name in {empty}:
    tables[name].is_empty = True
compiled = bundle.compile_assets(tables)
print(json.dumps(compiled.files))
"""
# The dashboards alone, once for each part that is missing.
LACKING = """
import json, bundle, catalogue
from shop import Shop
tables = catalogue.read()
datasets = bundle.load_datasets(tables)
facts = dict(tables["marts.shop"].facts)
answers = []
for name in {lacking}:
    tables["marts.shop"].facts = {{**facts, name: False}}
    shop = Shop.read(tables)
    pages = bundle.load_dashboards(shop=shop, datasets=datasets)
    answers.append({{page.spec["slug"]: {{"position": bundle.Layout(page).positions()}} for page in pages}})
print(json.dumps(answers))
"""
# What a page says, once for each way of lacking parts.
SAYING = """
import json, bundle, catalogue
from languages import TEXT_KEYS
from shop import Shop
tables = catalogue.read()
datasets = bundle.load_datasets(tables)
facts = dict(tables["marts.shop"].facts)

def texts(part):
    if isinstance(part, dict):
        for key, value in part.items():
            yield from [value] if key in TEXT_KEYS and isinstance(value, str) else texts(value)
    elif isinstance(part, list):
        for one in part:
            yield from texts(one)

answers = []
for parts in {lacking}:
    tables["marts.shop"].facts = {{**facts, **dict.fromkeys(parts, False)}}
    pages = bundle.load_dashboards(shop=Shop.read(tables), datasets=datasets)
    answers.append({{
        page.spec["slug"]: [
            *(page.spec[part] for part in ("title", "question", "lead")),
            *texts([*page.tabs, *page.spec["filters"], *page.charts.values()]),
        ]
        for page in pages
    }})
print(json.dumps(answers))
"""
# What nobody reads of in a shop that lacks these parts.
UNSAID = {
    "sellers?": ["has_sellers", "has_seller_places", "has_seller_points"],
    "reviews?": ["has_reviews"],
    "states?|regions?": ["has_places", "has_regions", "has_sellers", "has_seller_places"],
    "deliver(y|ies|ed)|late": ["has_deliveries", "has_promises"],
}
# Russian charts of names: of steps, settings and columns, of cities, of categories within a reason.
IN_ENGLISH = tuple(
    f"charts/{name}"
    for name in (
        *("data_health__parameters", "data_health__reconciliation", "data_health__slowest", "data_health__tests"),
        *(
            "data_health__emptiest",
            "action_lists__",
            "churn__what_each_value",
            "products_sellers_payments__seller_score",
        ),
    )
)
# One chart, kept to what some rows are, to what none is, to an expression that holds, and to one that does not.
KEPT = """
import json, bundle, catalogue
import languages
from shop import Shop
tables = catalogue.read()
shop = Shop.read(tables)
spec = {"title": "t", "kind": "bar", "dataset": "segment_summary", "x": "rfm_segment", "metric": "customers"}
of_segment = [{"rfm_segment": ["Champions", "Lost"]}, {"rfm_segment": "Nobody"}]
kept = [*of_segment, {"customers": {"from": 1}}, {"customers": {"from": 1e9}}]
print(json.dumps([
    [shop.chart({**spec, "only": only}, bundle.load_datasets(tables, language=language)["segment_summary"]) is not None
     for only in kept]
    for language in languages.every()
]))
"""
# Datasets that are empty until the first campaign, and without the tables of channels and costs.
UNFILLED = {"campaigns", "campaign_results", "acquisition_channels"}
BARE = {
    "currency": "GBP",
    "currency_symbol": "£",
    "currency_decimals": 3,
    "country": None,
    **{
        f"has_{part}": False
        for part in (
            *("payment_types", "installments", "items", "products", "categories", "sellers", "seller_places"),
            *("seller_points", "reviews", "deliveries", "promises", "time_of_day", "places", "regions", "points"),
        )
    },
}


@lru_cache
def drawn(warehouse: Path, changes: str, empty: str = "[]") -> dict[str, Any]:
    """Return the compiled files as data, by path."""
    code = CODE.format(changes=repr(json.loads(changes)), empty=empty)
    answer = run_in_superset(code, warehouse, warehouse / "superset-home")
    return {path: yaml.safe_load(text) for path, text in answer.items()}


def charts_of(files: dict[str, Any]) -> list[dict[str, Any]]:
    return [content for path, content in files.items() if path.startswith("charts/")]


def dashboards_of(files: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {content["slug"]: content for path, content in files.items() if path.startswith("dashboards/")}


def test_a_shop_of_orders_and_payments_sees_no_reais_no_brazil_and_nothing_it_lacks(published_warehouse: Path) -> None:
    files = drawn(published_warehouse, json.dumps(BARE))
    shown = {path: yaml.safe_dump(content) for path, content in files.items() if not path.startswith("datasets/")}
    assert [path for path, text in shown.items() if "R$" in text or "BRL" in text or "brazil" in text] == []
    metrics = [metric for path, one in files.items() if path.startswith("datasets/") for metric in one["metrics"]]
    assert {metric["currency"]["symbol"] for metric in metrics if metric["currency"]} == {"GBP"}
    # as exact as the currency, and other numbers as they were
    exact = [metric["d3format"] for metric in metrics if metric["currency"] and metric["d3format"]]
    assert {",.3f"} <= set(exact) <= {",.3f", ",.0f"}
    assert [path for path, text in shown.items() if "-,.2f" in text] == []
    assert [metric["verbose_name"] for metric in metrics if "R$" in metric["verbose_name"]] == []
    assert "Revenue (£)" in {chart["slice_name"] for chart in charts_of(files)}
    asked = {name for chart in charts_of(files) for name in _asked(chart)}
    assert not asked & {"late_share", "mean_review_score", "customer_state_name", "customer_region", "payment"}
    boards = dashboards_of(files)
    assert not {"geography", "delivery-and-reviews", "products-sellers-and-payments"} & set(boards)
    filters = {one["name"] for board in boards.values() for one in board["metadata"]["native_filter_configuration"]}
    assert "Segment" in filters
    assert not {"State", "Region", "Category", "Seller's state"} & filters


def _asked(chart: dict[str, Any]) -> set[str]:
    queries = json.loads(chart["query_context"])["queries"]
    columns = {one if isinstance(one, str) else one["label"] for query in queries for one in query["columns"]}
    return columns | {metric for query in queries for metric in query["metrics"]}


def test_rows_stay_full_and_no_tab_is_empty_whatever_is_missing(published_warehouse: Path) -> None:
    whole = _row_widths(dashboards_of(drawn(published_warehouse, "{}")))
    lacking = [name for name in BARE if name.startswith("has_")]
    answers = run_in_superset(
        LACKING.format(lacking=lacking), published_warehouse, published_warehouse / "superset-home"
    )
    for name, boards in zip(lacking, answers, strict=True):
        for (slug, row), width in _row_widths(boards).items():
            assert width in (12, whole.get((slug, row))), (name, slug, row)
        for slug, board in boards.items():
            for node in board["position"].values():
                if isinstance(node, dict) and node.get("type") in ("TAB", "ROW", "TABS"):
                    assert node["children"], (name, slug, node["id"])


def test_no_page_speaks_of_what_the_shop_does_not_have_nor_leads_to_a_page_that_is_not_there(
    published_warehouse: Path,
) -> None:
    code = SAYING.format(lacking=list(UNSAID.values()))
    answers = run_in_superset(code, published_warehouse, published_warehouse / "superset-home")
    for words, pages in zip(UNSAID, answers, strict=True):
        said = [
            (slug, text)
            for slug, texts in pages.items()
            for text in texts
            if re.search(rf"\b({words})\b", re.sub(r"\]\([^)]*\)", "]", text), re.IGNORECASE)
        ]
        assert said == [], words
        linked = {
            one for texts in pages.values() for text in texts for one in re.findall(r"dashboard/([a-z-]+)/", text)
        }
        assert {slug.removesuffix("-ru") for slug in linked} <= set(pages), words


def _row_widths(boards: dict[str, dict[str, Any]]) -> dict[tuple[str, str], int]:
    return {
        (slug, key): sum(board["position"][child]["meta"]["width"] for child in node["children"])
        for slug, board in boards.items()
        for key, node in board["position"].items()
        if isinstance(node, dict) and node.get("type") == "ROW"
    }


def test_a_shop_that_has_everything_sees_everything(published_warehouse: Path) -> None:
    files = drawn(published_warehouse, "{}")
    described = list(Path(__file__).parents[3].glob("superset/assets/*/charts/*.yaml"))
    boards = dashboards_of(files)
    english = [path for path in files if path.startswith("charts/") and not path.endswith("-ru.yaml")]
    # nobody has been written to yet, and the demo shop's further tables are asked for by themselves
    unfilled = [file for file in described if yaml.safe_load(file.read_text())["dataset"] in UNFILLED]
    assert unfilled
    headers = [slug for slug in boards if not slug.endswith("-ru")]
    assert len(english) == len(described) - len(unfilled) + len(headers)
    assert any(chart["params"].get("select_country") == "brazil" for chart in charts_of(files))


def test_states_of_another_country_are_bars(published_warehouse: Path) -> None:
    # nobody groups the states of another country, and a filter of states has then none to follow
    changes = {"country": "US", "middle_latitude": 39.0, "middle_longitude": -98.0, "has_regions": False}
    files = drawn(published_warehouse, json.dumps(changes))
    filters = [
        one
        for board in dashboards_of(files).values()
        for one in board["metadata"]["native_filter_configuration"]
        if one["targets"][0].get("column", {}).get("name") in ("customer_state_name", "customer_region")
    ]
    assert filters
    assert {(one["targets"][0]["column"]["name"], *one["cascadeParentIds"]) for one in filters} == {
        ("customer_state_name",)
    }
    assert [chart["slice_name"] for chart in charts_of(files) if chart["viz_type"] == "country_map"] == []
    (bars,) = (chart for path, chart in files.items() if path.endswith("geography__customers_by_state.yaml"))
    assert (bars["viz_type"], bars["params"]["groupby"]) == ("echarts_timeseries_bar", ["customer_state_name"])
    heat = [chart["params"]["viewport"] for chart in charts_of(files) if chart["viz_type"] == "deck_heatmap"]
    assert {(one["latitude"], one["longitude"]) for one in heat} == {(39.0, -98.0)}


def test_a_table_without_rows_has_no_chart(published_warehouse: Path) -> None:
    empty = [f"marts.{name}" for name in ("churn_model_metrics", "churn_calibration", "delivery_performance")]
    files = drawn(published_warehouse, "{}", repr(empty))
    # nor a filter that would offer nothing
    offered = dashboards_of(files)["geography"]["metadata"]["native_filter_configuration"]
    assert "Quarter" not in {one["name"] for one in offered}
    assert not {"ROC AUC by model", "Models compared on the test period"} & {
        chart["slice_name"] for chart in charts_of(files)
    }


def test_a_chart_that_no_row_is_kept_to_is_left_out_in_either_language(published_warehouse: Path) -> None:
    answer = run_in_superset(KEPT, published_warehouse, published_warehouse / "superset-home")
    assert answer == [[True, False, True, False], [True, False, True, False]]


def test_charts_come_and_go_with_the_rows_they_are_kept_to(published_warehouse: Path, tmp_path: Path) -> None:
    code = (
        "import json, bootstrap, bundle, catalogue\ntables = catalogue.read()\n"
        "print(json.dumps([bundle.drawn(tables), bootstrap.fingerprints(tables)['assets']]))"
    )
    before, digest_before = run_in_superset(code, published_warehouse, tmp_path / "home")
    warehouse = tmp_path / "warehouse"
    shutil.copytree((published_warehouse / "current").resolve(), warehouse / "current")
    with duckdb.connect(str(warehouse / "current" / "stakeholders.duckdb")) as connection:
        connection.execute("delete from marts.segment_migration where from_segment <> to_segment")
        # what else is known of the table stays as it was
        assert connection.execute("select count(*) from marts.segment_migration").fetchall()[0][0] > 0
    after, digest_after = run_in_superset(code, warehouse, tmp_path / "home")
    gone = set(before) - set(after)
    assert gone
    assert all(name.startswith("customer_segments/moves") for name in gone), gone
    assert digest_before != digest_after


def test_no_chart_shows_a_name_of_the_warehouse_where_people_expect_words(published_warehouse: Path) -> None:
    """Verdicts, categories and kinds of faults are read as words: no_clear_difference is not one."""
    files = drawn(published_warehouse, "{}")
    datasets = {one["uuid"]: one for path, one in files.items() if path.startswith("datasets/")}
    shown, foreign = set(), set()
    with duckdb.connect(str(published_file(published_warehouse).resolve()), read_only=True) as connection:
        for path, chart in files.items():
            if not path.startswith("charts/"):
                continue
            for query in json.loads(chart["query_context"])["queries"]:
                sql = _sql(query, datasets[chart["dataset_uuid"]])
                rows = connection.execute(f"{sql} limit 2000").fetchall()
                texts = {value for row in rows for value in row if isinstance(value, str)}
                shown |= {(path, text) for text in texts if re.search(r"[a-z0-9]_[a-z0-9]", text)}
                if path.endswith("-ru.yaml") and not path.startswith(IN_ENGLISH):
                    foreign |= {(path, text) for text in texts if re.search(r"[a-z]{3} [a-z]{3}", text)}
    assert shown == set()
    assert foreign == set(), "superset/assets/ru.yaml lacks, under `values`, `phrases` or `templates`"


# --- the whole road, once


@pytest.mark.long
def test_no_chart_is_empty_for_a_shop_of_three_tables(demo_raw: Path, tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    kept = {
        "olist_orders_dataset": ["order_id", "customer_id", "order_purchase_timestamp"],
        "olist_customers_dataset": ["customer_id", "customer_unique_id"],
        "olist_order_payments_dataset": ["order_id", "payment_sequential", "payment_value"],
    }
    for stem, columns in kept.items():
        table = pd.read_csv(demo_raw / f"{stem}.csv", dtype=str)
        table["order_purchase_timestamp"] = table.get("order_purchase_timestamp", pd.Series(dtype=str)).str[:10]
        table[columns].to_csv(raw / f"{stem}.csv", index=False)
    warehouse = build_warehouse(raw, tmp_path / "warehouse", variables={"shop_currency": "GBP", "shop_country": "GB"})
    answer = run_in_superset(CODE.format(changes={}, empty=[]), warehouse, tmp_path / "home")
    files = {path: yaml.safe_load(text) for path, text in answer.items()}
    datasets = {one["uuid"]: one for path, one in files.items() if path.startswith("datasets/")}
    with duckdb.connect(str(published_file(warehouse).resolve()), read_only=True) as connection:
        for chart in charts_of({path: one for path, one in files.items() if not path.endswith("-ru.yaml")}):
            for query in json.loads(chart["query_context"])["queries"]:
                sql = _sql(query, datasets[chart["dataset_uuid"]])
                rows = connection.execute(sql).fetchall()
                assert any(value is not None for row in rows for value in row), (chart["slice_name"], sql)


def _sql(query: dict[str, Any], dataset: dict[str, Any]) -> str:
    expressions = {
        column["column_name"]: column["expression"] or column["column_name"] for column in dataset["columns"]
    }
    metrics = {metric["metric_name"]: metric["expression"] for metric in dataset["metrics"]}
    columns = [expressions[one if isinstance(one, str) else one["label"]] for one in query["columns"]]
    conditions = [_condition(expressions[one["col"]], one) for one in query["filters"] if one["op"] != "TEMPORAL_RANGE"]
    shown = ", ".join([*columns, *(metrics[name] for name in query["metrics"])])
    where = f" where {' and '.join(conditions)}" if conditions else ""
    grouped = f" group by {', '.join(columns)}" if columns and query["metrics"] else ""
    # a dataset of another language is a query on the table, and named for its language
    table = f"{dataset['schema']}.{dataset['table_name'].removesuffix(' (ru)')}"
    return f"select {shown} from {table}{where}{grouped}"


def _condition(column: str, one: dict[str, Any]) -> str:
    if one["op"] in ("IS TRUE", "IS FALSE"):
        return f"({column}) {one['op']}"
    if one["op"] == "IN":
        return f"({column}) in ({', '.join(_literal(value) for value in one['val'])})"
    return f"({column}) {one['op']} {_literal(one['val'])}"


def _literal(value: Any) -> str:
    """Write a value as SQL."""
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else str(value)
