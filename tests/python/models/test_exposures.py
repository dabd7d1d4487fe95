"""Every dashboard is an exposure of the marts behind it, and nothing else is."""

from __future__ import annotations

import re

import yaml
from builds import ROOT
from superset_process import whole

ASSETS = ROOT / "superset" / "assets"


def test_exposures_name_each_dashboard_and_the_marts_behind_it() -> None:
    datasets = yaml.safe_load((ASSETS / "datasets.yaml").read_text())["datasets"]
    header = yaml.safe_load((ASSETS / "header.yaml").read_text())["dataset"]
    expected = {}
    for path in ASSETS.glob("*/dashboard.yaml"):
        spec = yaml.safe_load(path.read_text())
        used = {yaml.safe_load(chart.read_text())["dataset"] for chart in (path.parent / "charts").glob("*.yaml")}
        expected[whole(spec["title"])] = {datasets[name].get("table", name) for name in used | {header}}
    exposures = yaml.safe_load((ROOT / "models" / "exposures.yml").read_text())["exposures"]
    named = r"(?:ref\('|source\('runs', ')(.*)'\)"
    actual = {one["label"]: {re.sub(named, r"\1", mart) for mart in one["depends_on"]} for one in exposures}
    assert actual == expected
