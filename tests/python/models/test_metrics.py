"""The core metrics: dbt's semantic definitions and the dashboards' saved metrics must give the same number."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from builds import ROOT, query

AGGREGATIONS = {"sum": "sum({})", "count_distinct": "count(distinct {})", "average": "avg({})"}


class Definitions:
    """Semantic models and metrics of dbt's manifest, translated to SQL on the published marts."""

    def __init__(self, manifest: dict[str, Any]) -> None:
        self.metrics = {metric["name"]: metric for metric in manifest["metrics"].values()}
        self.measures = {
            measure["name"]: (model["node_relation"]["alias"], measure)
            for model in manifest["semantic_models"].values()
            for measure in model["measures"]
        }

    def sql(self, name: str) -> str:
        metric = self.metrics[name]
        parameters = metric["type_params"]
        if metric["type"] == "ratio":
            top, bottom = (self.sql(parameters[part]["name"]) for part in ("numerator", "denominator"))
            return f"(cast({top} as double) / nullif({bottom}, 0))"
        mart, measure = self.measures[parameters["measure"]["name"]]
        return f"(select {AGGREGATIONS[measure['agg']].format(measure['expr'])} from marts.{mart})"


def saved_metrics() -> dict[str, tuple[str, str]]:
    """Return the dashboards' metrics: dataset.metric to its mart and SQL."""
    datasets = yaml.safe_load((ROOT / "superset" / "assets" / "datasets.yaml").read_text())["datasets"]
    return {
        f"{dataset}.{name}": (spec.get("table", dataset), metric["sql"])
        for dataset, spec in datasets.items()
        for name, metric in spec.get("metrics", {}).items()
    }


@pytest.mark.parametrize(
    "warehouse_fixture", ["published_warehouse", pytest.param("olist_warehouse", marks=pytest.mark.real)]
)
def test_dashboards_and_dbt_agree_on_every_core_metric(warehouse_fixture: str, request: pytest.FixtureRequest) -> None:
    warehouse: Path = request.getfixturevalue(warehouse_fixture)
    definitions = Definitions(json.loads((warehouse / "dbt-target" / "manifest.json").read_text()))
    saved = saved_metrics()
    compared = []
    for name, metric in definitions.metrics.items():
        for dashboards_name in metric["config"]["meta"].get("superset", []):
            mart, sql = saved[dashboards_name]
            expected = query(warehouse, f"select {definitions.sql(name)} as value")["value"].item()
            actual = query(warehouse, f"select {sql} as value from marts.{mart}")["value"].item()
            assert actual == pytest.approx(expected, rel=1e-9), f"{name} and {dashboards_name}"
            compared.append(name)
    core = {
        "orders",
        "revenue",
        "average_order_value",
        "active_customers",
        "repeat_rate",
        "retention_rate",
        "late_share",
    }
    assert core | {"mean_review_score"} <= set(compared)
