"""The dashboards' descriptions against dbt's manifest and the published warehouse, without a running Superset."""

from __future__ import annotations

import itertools
import json
import math
import re
from functools import lru_cache
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml
from builds import ROOT, published_file
from superset_process import run_in_superset, whole

from pipeline.base.declared import read_yaml
from scoring.features import FEATURES, RHYTHM
from scoring.fitting import BOOSTED_INTERACTIONS, SHIPPABLE

pytestmark = pytest.mark.superset

ASSETS = ROOT / "superset" / "assets"
STAKEHOLDERS = {
    "Shop overview",
    "Customer segments",
    "Cohorts and lifetime value",
    "Churn",
    "Campaigns",
    "Geography",
    "Delivery and reviews",
    "Products, sellers and payments",
    "Findings",
    "Data health",
}
CODE = """
import json, bundle, catalogue
compiled = bundle.compile_assets(catalogue.read())
again = bundle.compile_assets(catalogue.read())
# what a shop without campaigns does not show is not superfluous
whole = bundle.compile_assets(catalogue.read(), is_fitted=False)
print(json.dumps({"files": compiled.files, "same": compiled.files == again.files, "unused": whole.unused}))
"""


@lru_cache
def compiled(warehouse: Path) -> dict[str, Any]:
    """Return the compiled files as data, by path."""
    home = warehouse / "superset-home"
    answer = run_in_superset(CODE, warehouse, home)
    assert answer["same"], "the same input must give the same bundle"
    assert answer["unused"]["ru"] == [], "superset/assets/ru.yaml has texts that nothing shows any more: remove them"
    return {path: yaml.safe_load(text) for path, text in answer["files"].items()}


def of_kind(files: dict[str, Any], kind: str, language: str = "") -> list[dict[str, Any]]:
    """Return what a bundle holds of a kind, in both languages or in one."""
    found = {path: content for path, content in files.items() if path.startswith(f"{kind}/")}
    if language:
        found = {path: one for path, one in found.items() if path.endswith("-ru.yaml") is (language == "ru")}
    return list(found.values())


@pytest.fixture
def files(published_warehouse: Path) -> dict[str, Any]:
    return compiled(published_warehouse)


def test_every_dataset_is_a_described_model_of_dbt(files: dict[str, Any], published_warehouse: Path) -> None:
    manifest = json.loads((published_warehouse / "dbt-target" / "manifest.json").read_text())
    described = [*manifest["nodes"].values(), *manifest["sources"].values()]
    models = {(node["schema"], node["name"]): node for node in described}
    databases = {one["database_name"]: one["uuid"] for one in of_kind(files, "databases")}
    for dataset in of_kind(files, "datasets", "en"):
        node = models[(dataset["schema"], dataset["table_name"])]
        # a column of the model whose values are shown as words has an expression too
        calculated = {column["column_name"] for column in dataset["columns"] if column["expression"]} - set(
            node["columns"]
        )
        columns = {column["column_name"] for column in dataset["columns"]} - calculated
        # Stakeholders' file lacks the columns that quote what people wrote.
        is_open = dataset["database_uuid"] == databases["Stakeholders"]
        hidden = {name for name, column in node["columns"].items() if column["config"].get("meta", {}).get("audience")}
        assert columns == set(node["columns"]) - (hidden if is_open else set()), dataset["table_name"]
        assert is_open is (node["config"].get("meta", {}).get("audience") == "stakeholders"), dataset["table_name"]
        assert dataset["sql"] is None, dataset["table_name"]
        assert dataset["description"], dataset["table_name"]
        undescribed = [column["column_name"] for column in dataset["columns"] if not column["description"]]
        assert undescribed == [], dataset["table_name"]


def test_every_metric_and_calculated_column_runs_on_the_warehouse(
    files: dict[str, Any], published_warehouse: Path
) -> None:
    with duckdb.connect(str(published_file(published_warehouse).resolve()), read_only=True) as connection:
        for dataset in of_kind(files, "datasets"):
            table = f"({dataset['sql'] or 'select * from ' + dataset['schema'] + '.' + dataset['table_name']}) as asked"
            for metric in dataset["metrics"]:
                assert metric["description"], f"{table}: {metric['metric_name']} has no description"
                connection.execute(f"select {metric['expression']} from {table}")
            for column in dataset["columns"]:
                if column["expression"]:
                    connection.execute(f"select {column['expression']} from {table} group by 1")


def test_charts_ask_only_for_what_their_dataset_has(files: dict[str, Any]) -> None:
    datasets = {dataset["uuid"]: dataset for dataset in of_kind(files, "datasets")}
    for chart in of_kind(files, "charts"):
        dataset = datasets[chart["dataset_uuid"]]
        columns = {column["column_name"] for column in dataset["columns"]}
        metrics = {metric["metric_name"] for metric in dataset["metrics"]}
        for query in json.loads(chart["query_context"])["queries"]:
            asked = {column if isinstance(column, str) else column["label"] for column in query["columns"]}
            assert asked <= columns, chart["slice_name"]
            assert set(query["metrics"]) <= metrics, chart["slice_name"]
            assert {one["col"] for one in query["filters"]} <= columns, chart["slice_name"]
            # People without access to the database may send no SQL.
            assert query["extras"]["where"] == query["extras"]["having"] == "", chart["slice_name"]


def test_stakeholders_see_the_dashboards_over_tables_without_people_or_orders(files: dict[str, Any]) -> None:
    open_to = {}
    for path in ASSETS.glob("*/dashboard.yaml"):
        spec = yaml.safe_load(path.read_text())
        if "Stakeholder" in spec["audience"]:
            open_to[whole(spec["title"])] = path.parent
    assert set(open_to) == STAKEHOLDERS
    closed = {"action-lists", "action-lists-ru"}
    (stakeholders,) = (one for one in of_kind(files, "databases") if one["database_name"] == "Stakeholders")
    datasets = {one["uuid"]: one for one in of_kind(files, "datasets")}
    open_ones = [one for one in of_kind(files, "dashboards") if one["slug"] not in closed]
    charts = {one["uuid"]: one for one in of_kind(files, "charts")}
    assert len(open_ones) == 2 * len(STAKEHOLDERS)
    for dashboard in open_ones:
        for node in nodes(dashboard, "CHART"):
            dataset = datasets[charts[node["meta"]["uuid"]]["dataset_uuid"]]
            assert dataset["database_uuid"] == stakeholders["uuid"], (dashboard["slug"], dataset["table_name"])
        for one in dashboard["metadata"]["native_filter_configuration"]:
            for target in one["targets"]:
                if target:
                    assert datasets[target["datasetUuid"]]["database_uuid"] == stakeholders["uuid"], one["name"]
    assert not stakeholders["expose_in_sqllab"]


def test_dashboards_say_what_they_answer_and_that_they_are_managed(files: dict[str, Any]) -> None:
    dashboards = of_kind(files, "dashboards")
    assert len(dashboards) == 2 * (len(STAKEHOLDERS) + 1)
    for dashboard in dashboards:
        assert dashboard["is_managed_externally"]
        assert dashboard["certification_details"]
        assert dashboard["description"].endswith("?")
        # What stands out, with the day of the numbers, and the way to the next page and the other language.
        assert any(node["id"] == "CHART-what_stands_out_whole_shop" for node in nodes(dashboard, "CHART"))
        (first,) = (node for node in nodes(dashboard, "MARKDOWN") if "](/superset/dashboard/" in node["meta"]["code"])
        linked = re.findall(r"/superset/dashboard/([a-z-]+)/", first["meta"]["code"])
        assert set(linked) <= {one["slug"] for one in dashboards}
        other = (
            dashboard["slug"].removesuffix("-ru") if dashboard["slug"].endswith("-ru") else f"{dashboard['slug']}-ru"
        )
        assert linked[0] == other
        for tab in nodes(dashboard, "TAB") or [dashboard["position"]["GRID_ID"]]:
            inside = [node for node in nodes(dashboard, "CHART") if tab["id"] in node["parents"]]
            # The header's line counts too.
            assert len(inside) <= 14, f"{dashboard['dashboard_title']}: {tab['id']} has {len(inside)} charts"
    for chart in of_kind(files, "charts"):
        assert chart["is_managed_externally"]
        assert chart["description"], chart["slice_name"]


def nodes(dashboard: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [node for node in dashboard["position"].values() if isinstance(node, dict) and node.get("type") == kind]


def placed_charts(files: dict[str, Any], dashboard: dict[str, Any]) -> dict[int, dict[str, Any]]:
    """Return a dashboard's charts by their numbers on it."""
    charts = {chart["uuid"]: chart for chart in of_kind(files, "charts")}
    return {node["meta"]["chartId"]: charts[node["meta"]["uuid"]] for node in nodes(dashboard, "CHART")}


def columns_of(files: dict[str, Any], chart: dict[str, Any]) -> set[str]:
    (dataset,) = (one for one in of_kind(files, "datasets") if one["uuid"] == chart["dataset_uuid"])
    return {column["column_name"] for column in dataset["columns"]}


def test_a_filter_narrows_each_chart_below_it_or_the_title_says_that_it_does_not(files: dict[str, Any]) -> None:
    phrases = {}
    for file in ASSETS.glob("*/dashboard.yaml"):
        for one in yaml.safe_load(file.read_text()).get("filters", []):
            phrases[(file.parent.name, one["column"])] = one["all"]
    for path, dashboard in files.items():
        if not path.startswith("dashboards/"):
            continue
        placed = placed_charts(files, dashboard)
        tabs = {node["meta"]["chartId"]: set(node["parents"]) for node in nodes(dashboard, "CHART")}
        for one in dashboard["metadata"]["native_filter_configuration"]:
            # Periods are those of the data: a filter by the clock empties the page of a shop whose files end earlier.
            assert one["filterType"] == "filter_select", one["name"]
            column = one["targets"][0]["column"]["name"]
            offered = set(one["scope"]["rootPath"])
            below = [number for number in placed if "ROOT_ID" in offered or tabs[number] & offered]
            reached = [number for number in below if number not in one["scope"]["excluded"]]
            assert reached, one["name"]
            for number in below:
                title = placed[number]["slice_name"]
                if number in reached:
                    assert column in columns_of(files, placed[number]), (title, one["name"])
                elif not path.endswith("-ru.yaml"):
                    said = phrases[(path.split("/")[1].removesuffix(".yaml"), column)]
                    assert said in title or "whole shop" in title, (
                        f"{title} does not say that {one['name']} is not for it"
                    )


def test_states_follow_their_region_and_months_their_quarter(files: dict[str, Any]) -> None:
    within = {"customer_state_name": "customer_region", "month_name": "order_quarter"}
    for dashboard in of_kind(files, "dashboards"):
        filters = {
            one["targets"][0]["column"]["name"]: one for one in dashboard["metadata"]["native_filter_configuration"]
        }
        for narrow, wide in within.items():
            if narrow in filters and wide in filters:
                assert filters[narrow]["cascadeParentIds"] == [filters[wide]["id"]], dashboard["slug"]
        # More do not fit beside each other at 1280: a filter that is set must not hide behind a button.
        assert len(filters) <= 4, dashboard["slug"]


def test_a_click_sends_what_was_clicked_and_reaches_only_what_can_follow(files: dict[str, Any]) -> None:
    for dashboard in of_kind(files, "dashboards"):
        text = " ".join(node["meta"]["code"] for node in nodes(dashboard, "MARKDOWN")).lower()
        placed = placed_charts(files, dashboard)
        text += " ".join(chart["description"] for chart in placed.values()).lower()
        promises = "click" in text or "щёлкните" in text
        assert not promises or dashboard["slug"].removesuffix("-ru") in CLICKED, dashboard["slug"]
        if not dashboard["metadata"]["cross_filters_enabled"]:
            assert not promises, dashboard["slug"]
            continue
        for number, chart in placed.items():
            params, title = chart["params"], chart["slice_name"]
            if params.get("orientation") == "horizontal":
                # Without a series Superset 6.1 sends the length of the bar.
                assert params["groupby"], f"{title}: a click sends its value"
            if params["viz_type"] == "table" and params["query_mode"] == "raw":
                assert params["all_columns"] == ["sentence"], f"{title}: a click on a number sends the number"
            scope = dashboard["metadata"]["chart_configuration"][str(number)]["crossFilters"]["scope"]
            assert number in scope["excluded"]
            sent = (
                {*params.get("groupby", []), params.get("x_axis"), params.get("entity")}
                if params["viz_type"]
                not in (
                    "heatmap_v2",
                    "sankey_v2",
                )
                else {params.get("x_axis"), params.get("groupby"), params.get("source"), params.get("target")}
            )
            for other in set(placed) - set(scope["excluded"]):
                assert sent & columns_of(files, placed[other]), (title, placed[other]["slice_name"])


# Pages that promise what a click does. test_superset_browser.py clicks a state in a table of the first, a bar of the
# second.
CLICKED = {"shop-overview", "customer-segments"}
# Published for everyone, and on no dashboard: why.
NOT_DRAWN = {
    "shop": "what the pages are fitted to: currency, country and the parts that there are",
    "data_requirements": "why a feature shows nothing; asked when it does, and short",
    "monthly_net_revenue": "empty in most shops; a month's refunds are still coming in",
    "product_margins": "empty in most shops; ids of products, of which category_margins is the sum",
    "category_margins": "empty in most shops; a table of its own for whoever brings costs",
    "product_affinity": "ids of products, for programs; their categories are drawn",
    "repurchase_times": "for whoever times a message; half of a shop of one-time buyers is never reached",
    "next_order_calibration": "for whoever doubts a date in an analyst's list; no stakeholder's page shows such dates",
    "recommendation_evaluation": "read once before an analyst's list of offers is used; products are drawn nowhere",
    "churn_distribution": "half a percentage point a row, for one's own thresholds; ranks say more than two bars",
    "cohort_retention_by_dimension": "mixes cohorts of different age; see returning_by_origin",
    "cohort_retention_30_days": "drawn as cohort_curves, one fixed set of cohorts a line",
    "cohort_retention_30_days_by_dimension": "returning_by_origin gives the same groups one window and an interval",
    "month_end_bounds": "the bands of past month ends, to recompute segment_history; today's are drawn",
    "segment_changes": "the running month of segment_migration, whose moves are drawn; who moved is an audience",
    "monthly_sales": "daily_sales holds the same by state, and a filter reaches it",
}


def test_every_mart_for_everyone_is_drawn_or_says_why_not(files: dict[str, Any], published_warehouse: Path) -> None:
    with duckdb.connect(
        str((published_warehouse / "current" / "stakeholders.duckdb").resolve()), read_only=True
    ) as connection:
        marts = {name for (name,) in connection.execute("select table_name from duckdb_tables()").fetchall()}
    datasets = yaml.safe_load((ASSETS / "datasets.yaml").read_text())["datasets"]
    asked = {yaml.safe_load(chart.read_text())["dataset"] for chart in ASSETS.glob("*/charts/*.yaml")}
    # the headers are written by the compiler, and a chart of nothing is left out by it
    compiled_names = {one["uuid"]: one["table_name"] for one in of_kind(files, "datasets")}
    drawn = {datasets[name].get("table", name) for name in asked}
    drawn |= {compiled_names[chart["dataset_uuid"]] for chart in of_kind(files, "charts", "en")}
    assert marts - drawn == set(NOT_DRAWN)


def test_whatever_a_model_may_read_or_be_is_put_into_words_in_both_languages() -> None:
    """Which of them are shown depends on the model that ships, and no shop of the tests has had all."""
    effects = yaml.safe_load((ASSETS / "datasets.yaml").read_text())["datasets"]["churn_feature_effects"]
    words = dict(re.findall(r"when '(\w+)' then '([^']+)'", effects["calculated"]["what"]["sql"]))
    assert {feature.name for feature in (*FEATURES, RHYTHM)} - set(words) == set()
    russian = yaml.safe_load((ASSETS / "ru.yaml").read_text())["values"]
    assert set(words.values()) - set(russian["what"]) == set()
    models = {name.replace("_", " ").capitalize() for name in (*SHIPPABLE, BOOSTED_INTERACTIONS)}
    assert models - set(russian["candidate"]) == set()


# What is written alike in every language.
LATIN_NAMES = {"RFM", "ABC", "XYZ", "ROC", "AUC", "ISO", "English"}


def shown_texts(content: dict[str, Any]) -> list[str]:
    """Return what a person may read of a chart, a dataset or a dashboard."""
    found = [str(content.get(key) or "") for key in ("slice_name", "description", "certification_details")]
    found += [str(content.get("dashboard_title") or "")]
    params = content.get("params") or {}
    found += [str(params.get(key) or "") for key in ("x_axis_title", "y_axis_title", "subtitle", "yAxisTitleSecondary")]
    for part in [*content.get("columns", []), *content.get("metrics", [])]:
        found += [str(part["verbose_name"] or ""), str(part["description"] or "")]
    for one in (content.get("metadata") or {}).get("native_filter_configuration", []):
        found += [one["name"], one["description"]]
    for node in (content.get("position") or {}).values():
        if isinstance(node, dict):
            found += [str(node.get("meta", {}).get(key) or "") for key in ("text", "code", "sliceName")]
    return found


def test_the_russian_bundle_holds_no_word_of_another_language(files: dict[str, Any]) -> None:
    foreign = set()
    for kind in ("charts", "datasets", "dashboards"):
        for content in of_kind(files, kind, "ru"):
            for text in shown_texts(content):
                words = re.findall(r"[A-Za-z]{2,}", re.sub(r"\]\([^)]*\)", "]", text))
                foreign |= {(word, text[:80]) for word in words if word not in LATIN_NAMES}
    assert foreign == set()


@pytest.mark.parametrize("name", ["ru.yaml", "datasets.yaml"])
def test_no_text_is_there_twice(name: str) -> None:
    """The later of two would win without a word: states were once conditions in Russian."""
    read_yaml((ROOT / "superset" / "assets" / name).read_text())


def test_both_languages_have_the_same_pages_and_ask_the_same(files: dict[str, Any]) -> None:
    for path, english in files.items():
        if path.split("/")[0] not in ("charts", "dashboards") or path.endswith("-ru.yaml"):
            continue
        russian = files[path.replace(".yaml", "-ru.yaml")]
        assert russian["uuid"] != english["uuid"]
        if path.startswith("charts/"):
            one, other = (json.loads(content["query_context"])["queries"] for content in (english, russian))
            for query, same in zip(one, other, strict=True):
                assert [query["columns"], query["metrics"]] == [same["columns"], same["metrics"]], path
                assert [part["col"] for part in query["filters"]] == [part["col"] for part in same["filters"]], path
        else:
            assert russian["slug"] == f"{english['slug']}-ru"
            assert len(russian["position"]) == len(english["position"])


def contrast(one: str, other: str) -> float:
    """Ratio of the luminances of two colours, as the web's accessibility guidelines define it."""

    def luminance(colour: str) -> float:
        parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_colours_that_mean_an_order_differ_in_lightness() -> None:
    palette = yaml.safe_load((ASSETS / "palette.yaml").read_text())
    labels = {str(label): colour for label, colour in palette["labels"].items()}
    for scale in (["low", "medium", "high"], ["A", "B", "C"], ["X", "Y", "Z"]):
        for one, other in itertools.pairwise(scale):
            assert contrast(labels[one], labels[other]) >= 1.5, (one, other)
    for colours in palette["sequential"].values():
        for one, other in itertools.pairwise(colours):
            assert contrast(one, other) >= 1.15, (one, other)


# Labels that stand side by side on one chart, and must be told apart by their colours.
TOGETHER = [
    [
        *("Champions", "Loyal", "Potential loyalists", "New", "Promising", "Need attention"),
        *("About to sleep", "At risk", "Can't lose", "Hibernating", "Lost"),
    ],
    ["loyal", "potentially_loyal", "one_time"],
    ["low", "medium", "high"],
    ["top 1 %", "1 to 5 %", "5 to 20 %", "20 to 50 %", "rest"],
    ["A", "B", "C"],
    ["X", "Y", "Z"],
    ["Credit card", "Boleto", "Voucher", "Debit card", "Not defined"],
    ["1", "2", "3", "4", "5"],
    ["Revenue (R$)", "Orders"],
    ["Mix", "Rate"],
    ["surely_above", "surely_as", "surely_below", "within_interval"],
    ["Forecast", "What happened"],
    ["raises the risk", "lowers the risk"],
    ["supported", "negligible", "inconclusive", "not_tested", "rejected"],
    ["success", "pass", "warn", "skipped", "fail", "error"],
    ["succeeded", "failed", "killed"],
]
# How each kind of eye mixes red, green and blue light (Machado, Oliveira and Fernandes 2009, full severity).
EYES: dict[str, list[list[float]]] = {
    "full colour vision": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    "without red cones": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "without green cones": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "without blue cones": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
# CIE 1976 distance; 2.3 is the smallest that people notice with both colours side by side.
FAR_ENOUGH = 15


def seen_as(colour: str, eye: list[list[float]]) -> list[float]:
    """Return lightness, a and b (CIELAB) of a colour as an eye sees it."""
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    light = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    seen = [min(1.0, max(0.0, sum(weight * one for weight, one in zip(row, light, strict=True)))) for row in eye]
    to_xyz = [[0.4339, 0.3763, 0.1898], [0.2127, 0.7152, 0.0722], [0.0178, 0.1095, 0.8727]]  # by the white of a screen
    mixed = [sum(weight * one for weight, one in zip(row, seen, strict=True)) for row in to_xyz]
    root = [one ** (1 / 3) if one > 0.008856 else 7.787 * one + 16 / 116 for one in mixed]
    return [116 * root[1] - 16, 500 * (root[0] - root[1]), 200 * (root[1] - root[2])]


def test_colours_side_by_side_are_told_apart_by_colour_blind_readers() -> None:
    palette = yaml.safe_load((ASSETS / "palette.yaml").read_text())
    labels = {str(label): colour for label, colour in palette["labels"].items()}
    groups = [[labels[label] for label in group] for group in TOGETHER] + [palette["categorical"]]
    too_close = []
    for colours in groups:
        for one, other in itertools.combinations(colours, 2):
            for kind, eye in EYES.items():
                distance = math.dist(seen_as(one, eye), seen_as(other, eye))
                if distance < FAR_ENOUGH:
                    too_close.append((round(distance, 1), kind, one, other))
    assert too_close == []
