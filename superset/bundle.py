"""Compiles the descriptions under ``assets/`` into what Superset imports.

Columns, their types and their descriptions come from the published warehouse, where publish keeps dbt's; metrics from
``datasets.yaml``; charts from one short file each; positions, ids and queries are computed. The same input gives the
same bundle, byte for byte.
"""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import charts
import palette
import roles
import settings
import yaml
from catalogue import Table
from charts import AssetError, Dataset, Metric
from shop import Shop

NAMESPACE = uuid.UUID("5f0c5c1e-52f5-5d0b-9a0d-0f6e7c4a5100")
VERSION = "1.0.0"
# Superset's record of a published file: its name for people -> the file, which the connection opens by this name.
DATABASES = {"Warehouse": "warehouse.duckdb", "Stakeholders": "stakeholders.duckdb"}
CERTIFIED_BY = "Retention Warehouse"
MANAGED = "Managed by code under superset/assets: edits here are lost at the next start. Save a copy to make it yours."
GRID_COLUMNS = 12
# Superset's grid counts heights in eighths of this many pixels' rows.
# Heights of a section's title, and of each line of text below it on a narrow screen.
TITLE_HEIGHT, LINE_HEIGHT, LINE_CHARACTERS = 4.5, 2.5, 150
HEADER_HEIGHT, HEADER_TEXT_WIDTH = 19, 6


@dataclass
class Dashboard:
    """A dashboard as its folder describes it."""

    folder: str
    spec: dict[str, Any]
    charts: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def uuid(self) -> str:
        """Stable id."""
        return identity("dashboard", self.folder)

    @property
    def rows(self) -> list[dict[str, Any]]:
        """All rows of all sections."""
        return [row for tab in self.tabs for section in tab["sections"] for row in section.get("rows", [])]

    @property
    def tabs(self) -> list[dict[str, Any]]:
        """Tabs; a dashboard without any has one that has no title."""
        if "tabs" not in self.spec:
            self.spec["tabs"] = [{"title": "", "sections": self.spec["sections"]}]
        return list(self.spec["tabs"])


@dataclass
class Bundle:
    """The files to import, and which ids are ours."""

    files: dict[str, str]
    dashboards: list[Dashboard]
    uuids: dict[str, set[str]]


def identity(*parts: str) -> str:
    """Return the id of an asset, made of its name: the same on every machine."""
    return str(uuid.uuid5(NAMESPACE, "/".join(parts)))


def slug(title: str) -> str:
    """Return the file name that belongs to a title."""
    return re.sub(r"[^a-z0-9]+", "_", title.lower().replace("%", "percent").replace("r$", "brl")).strip("_")


def load_dashboards(assets: Path = settings.ASSETS) -> list[Dashboard]:
    """Read the folders of dashboards, in their order."""
    found = []
    for path in assets.glob("*/dashboard.yaml"):
        dashboard = Dashboard(path.parent.name, yaml.safe_load(path.read_text()))
        for chart in sorted((path.parent / "charts").glob("*.yaml")):
            spec = yaml.safe_load(chart.read_text())
            if chart.stem != slug(spec["title"]):
                raise AssetError(f"{chart.name}: a chart's file is named by its title: {slug(spec['title'])}.yaml")
            dashboard.charts[chart.stem] = spec
        # The header is the same everywhere: what the dashboard answers, and of which day its numbers are.
        header = yaml.safe_load((assets / "header.yaml").read_text())
        dashboard.charts[slug(header["title"])] = header
        first = dashboard.tabs[0]["sections"]
        first.insert(
            0,
            {
                "rows": [
                    {
                        "text": f"### {dashboard.spec['question']}\n\n{dashboard.spec['lead'].strip()}",
                        "text_width": HEADER_TEXT_WIDTH,
                        "height": HEADER_HEIGHT,
                        "charts": {slug(header["title"]): GRID_COLUMNS - HEADER_TEXT_WIDTH},
                    },
                ],
            },
        )
        placed = [name for row in dashboard.rows for name in row["charts"]]
        if len(set(placed)) != len(placed):
            raise AssetError(f"{dashboard.folder}: a chart is placed twice")
        if wrong := set(placed) ^ set(dashboard.charts):
            raise AssetError(f"{dashboard.folder}: charts without file or place: {', '.join(sorted(wrong))}")
        for row in dashboard.rows:
            if sum(row["charts"].values()) > GRID_COLUMNS:
                raise AssetError(f"{dashboard.folder}: a row is wider than {GRID_COLUMNS}: {', '.join(row['charts'])}")
        found.append(dashboard)
    return sorted(found, key=lambda dashboard: (dashboard.spec["order"], dashboard.folder))


def load_datasets(catalogue: dict[str, Table], assets: Path = settings.ASSETS) -> dict[str, Dataset]:
    """Read the datasets' metrics and join them with what the warehouse holds.

    Raises
    ------
    AssetError
        When a dataset's table, or its time column, is not in the published warehouse.
    """
    described = yaml.safe_load((assets / "datasets.yaml").read_text())
    labels = described["labels"]
    datasets = {}
    for key, spec in described["datasets"].items():
        address = f"{spec.get('schema', 'marts')}.{spec.get('table', key)}"
        if address not in catalogue:
            raise AssetError(f"the published warehouse has no table {address}, which the dataset {key} needs")
        table = catalogue[address]
        metrics = {
            name: Metric(name, one["label"], one["sql"], one["format"], one.get("description", ""))
            for name, one in spec.get("metrics", {}).items()
        }
        dataset = Dataset(
            key,
            identity("dataset", key),
            table,
            spec.get("time"),
            metrics,
            {**labels, **spec.get("labels", {})},
            spec.get("calculated", {}),
        )
        if dataset.time:
            dataset.column(dataset.time)
        datasets[key] = dataset
    return datasets


def _dump(content: dict[str, Any]) -> str:
    return str(yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=1000))


def _certification(details: str) -> dict[str, Any]:
    return {"certification": {"certified_by": CERTIFIED_BY, "details": details}}


def _label(dataset: Dataset, column: str) -> str:
    """Return a column's name for people."""
    return str(dataset.labels.get(column) or column.replace("_", " ").capitalize())


def database_of(table: Table) -> str:
    """Return the database that a table is read from."""
    return "Stakeholders" if table.for_stakeholders else "Warehouse"


def _database(name: str) -> dict[str, Any]:
    return {
        "database_name": name,
        # A logical name: the connection is always to the published build.
        "sqlalchemy_uri": f"duckdb:///{DATABASES[name]}",
        "cache_timeout": None,
        # The analysts' file holds every table of the other one.
        "expose_in_sqllab": name == "Warehouse",
        "allow_run_async": False,
        "allow_ctas": False,
        "allow_cvas": False,
        "allow_dml": False,
        "allow_file_upload": False,
        "extra": {
            "metadata_params": {},
            "engine_params": {},
            "metadata_cache_timeout": {},
            "schemas_allowed_for_file_upload": [],
            "allows_virtual_table_explore": True,
        },
        "impersonate_user": False,
        "is_managed_externally": True,
        "uuid": identity("database", name),
        "version": VERSION,
    }


def _dataset(dataset: Dataset) -> dict[str, Any]:
    table = dataset.table
    details = f"Table {table.schema}.{table.name}, built and tested by dbt"
    columns = [
        {
            "column_name": column.name,
            "verbose_name": _label(dataset, column.name),
            "is_dttm": column.is_temporal,
            "is_active": True,
            "type": column.type,
            "groupby": True,
            "filterable": True,
            "expression": None,
            "description": column.description,
        }
        for column in table.columns.values()
    ] + [
        {
            "column_name": name,
            "verbose_name": _label(dataset, name),
            "is_dttm": spec.get("type") == "DATE",
            "is_active": True,
            "type": spec.get("type", "VARCHAR"),
            "groupby": True,
            "filterable": True,
            "expression": spec["sql"],
            "description": spec["description"],
        }
        for name, spec in dataset.calculated.items()
    ]
    metrics = [
        {
            "metric_name": metric.name,
            "verbose_name": metric.label,
            "metric_type": None,
            "expression": metric.sql,
            "description": metric.description or None,
            "d3format": metric.d3,
            "currency": metric.currency,
            "extra": _certification(details),
            "warning_text": None,
        }
        for metric in dataset.metrics.values()
    ]
    return {
        "table_name": table.name,
        "main_dttm_col": dataset.time,
        "description": table.description,
        "default_endpoint": None,
        "offset": 0,
        "cache_timeout": None,
        "catalog": None,
        "schema": table.schema,
        "sql": None,
        "params": None,
        "template_params": None,
        "filter_select_enabled": True,
        "fetch_values_predicate": None,
        "extra": _certification(details),
        "normalize_columns": False,
        "always_filter_main_dttm": False,
        "is_managed_externally": True,
        "uuid": dataset.uuid,
        "metrics": metrics,
        "columns": columns,
        "version": VERSION,
        "database_uuid": identity("database", database_of(table)),
    }


def _chart(dashboard: Dashboard, name: str, dataset: Dataset) -> dict[str, Any]:
    spec = dashboard.charts[name]
    params, context = charts.build(spec, dataset)
    return {
        "slice_name": spec["title"],
        "description": spec["description"],
        "certified_by": CERTIFIED_BY,
        "certification_details": MANAGED,
        "viz_type": params["viz_type"],
        "params": params,
        "query_context": context,
        "cache_timeout": None,
        "is_managed_externally": True,
        "uuid": identity("chart", dashboard.folder, name),
        "version": VERSION,
        "dataset_uuid": dataset.uuid,
    }


class Layout:
    """Positions on the grid, computed from rows of widths."""

    def __init__(self, dashboard: Dashboard) -> None:
        self.dashboard = dashboard
        self.numbers = {name: number for number, name in enumerate(dashboard.charts, start=1)}
        self.nodes: dict[str, Any] = {
            "DASHBOARD_VERSION_KEY": "v2",
            "ROOT_ID": {"type": "ROOT", "id": "ROOT_ID", "children": []},
            "GRID_ID": {"type": "GRID", "id": "GRID_ID", "children": [], "parents": ["ROOT_ID"]},
            "HEADER_ID": {"type": "HEADER", "id": "HEADER_ID", "meta": {"text": dashboard.spec["title"]}},
        }

    def _add(self, kind: str, name: str, parents: list[str], meta: dict[str, Any]) -> list[str]:
        """Put a node under the last of its parents and return the path to it."""
        key = f"{kind}-{name}"
        self.nodes[key] = {"type": kind, "id": key, "children": [], "parents": parents, "meta": meta}
        self.nodes[parents[-1]]["children"].append(key)
        return [*parents, key]

    def _row(self, name: str, parents: list[str]) -> list[str]:
        return self._add("ROW", name, parents, {"background": "BACKGROUND_TRANSPARENT"})

    def _text(self, name: str, code: str, parents: list[str], height: int, width: int = GRID_COLUMNS) -> None:
        self._add("MARKDOWN", name, parents, {"width": width, "height": height, "code": code})

    @staticmethod
    def _text_height(text: str) -> int:
        return round(TITLE_HEIGHT + LINE_HEIGHT * -(-len(text.strip()) // LINE_CHARACTERS))

    def _section(self, number: str, section: dict[str, Any], parents: list[str]) -> None:
        if section.get("title"):
            code = f"### {section['title']}\n\n{section.get('text', '').strip()}"
            row = self._row(f"{number}-text", parents)
            self._text(number, code, row, self._text_height(section.get("text", "")))
        for index, spec in enumerate(section.get("rows", [])):
            row = self._row(f"{number}-{index}", parents)
            if spec.get("text"):
                self._text(f"{number}-{index}", spec["text"], row, spec["height"], spec["text_width"])
            for chart, width in spec["charts"].items():
                meta = {
                    "width": width,
                    "height": spec["height"],
                    "chartId": self.numbers[chart],
                    "sliceName": self.dashboard.charts[chart]["title"],
                    "uuid": identity("chart", self.dashboard.folder, chart),
                }
                self._add("CHART", chart, row, meta)

    def positions(self) -> dict[str, Any]:
        """Return the tree that Superset draws."""
        tabs = self.dashboard.tabs
        if len(tabs) == 1 and not tabs[0]["title"]:
            self.nodes["ROOT_ID"]["children"].append("GRID_ID")
            for index, section in enumerate(tabs[0]["sections"]):
                self._section(str(index), section, ["ROOT_ID", "GRID_ID"])
            return self.nodes
        # Tabs take the grid's place under the root.
        parents = self._add("TABS", "main", ["ROOT_ID"], {})
        for number, tab in enumerate(tabs):
            meta = {"text": tab["title"], "defaultText": tab["title"], "placeholder": tab["title"]}
            path = self._add("TAB", str(number), parents, meta)
            for index, section in enumerate(tab["sections"]):
                self._section(f"{number}-{index}", section, path)
        return self.nodes


def _filter(spec: dict[str, Any], dashboard: Dashboard, layout: Layout, datasets: dict[str, Dataset]) -> dict[str, Any]:
    """Return one native filter; charts that it cannot reach are left out of its scope."""
    kind = spec["type"]
    column = spec.get("column")

    def reached(chart: dict[str, Any]) -> bool:
        dataset = datasets[chart["dataset"]]
        if chart.get("unfiltered"):
            return False
        return bool(dataset.time) if kind == "time" else dataset.has_column(str(column))

    excluded = [layout.numbers[name] for name, chart in dashboard.charts.items() if not reached(chart)]
    if len(excluded) == len(dashboard.charts):
        raise AssetError(f"{dashboard.folder}: the filter {spec['name']} reaches no chart")
    target: dict[str, Any] = {}
    if column:
        dataset = datasets[spec["dataset"]]
        target = {"column": {"name": dataset.column(column)}, "datasetUuid": dataset.uuid}
    default: dict[str, Any] = {"extraFormData": {}, "filterState": {}, "ownState": {}}
    if "default" in spec:
        value = spec["default"]
        sent = {"time_range": value} if kind == "time" else {"filters": [{"col": column, "op": "IN", "val": value}]}
        default = {"extraFormData": sent, "filterState": {"value": value, "label": value}, "ownState": {}}
    return {
        "id": f"NATIVE_FILTER-{slug(spec['name'])}",
        "name": spec["name"],
        "description": spec.get("description", ""),
        "type": "NATIVE_FILTER",
        "filterType": "filter_time" if kind == "time" else "filter_select",
        "targets": [target],
        "defaultDataMask": default,
        "cascadeParentIds": [],
        "scope": {"rootPath": ["ROOT_ID"], "excluded": excluded},
        "controlValues": {}
        if kind == "time"
        else {
            "enableEmptyFilter": False,
            "defaultToFirstItem": spec.get("first", False),
            "multiSelect": spec.get("multiple", True),
            "searchAllOptions": False,
            "inverseSelection": False,
            "sortAscending": True,
        },
    }


def _dashboard(dashboard: Dashboard, datasets: dict[str, Dataset], css: str) -> dict[str, Any]:
    spec = dashboard.spec
    layout = Layout(dashboard)
    positions = layout.positions()
    return {
        "dashboard_title": spec["title"],
        "description": spec["question"],
        "css": css,
        "slug": spec["slug"],
        "certified_by": CERTIFIED_BY,
        "certification_details": MANAGED,
        "published": True,
        "is_managed_externally": True,
        "uuid": dashboard.uuid,
        "position": positions,
        "metadata": {
            "native_filter_configuration": [
                _filter(one, dashboard, layout, datasets) for one in spec.get("filters", [])
            ],
            "filter_bar_orientation": "HORIZONTAL",
            "cross_filters_enabled": True,
            "chart_configuration": {},
            "global_chart_configuration": {
                "scope": {"rootPath": ["ROOT_ID"], "excluded": []},
                "chartsInScope": [],
            },
            # Empty on purpose: a scheme here would replace the sequential colours of the maps.
            "color_scheme": "",
            "label_colors": palette.label_colors(),
            "refresh_frequency": 0,
            "timed_refresh_immune_slices": [],
            "expanded_slices": {},
            "default_filters": "{}",
        },
        "version": VERSION,
    }


def compile_assets(catalogue: dict[str, Table], assets: Path = settings.ASSETS) -> Bundle:
    """Return everything to import.

    Parameters
    ----------
    catalogue : dict
        The published tables, see `catalogue.read`.
    assets : Path
        Folder of the descriptions.
    """
    datasets = load_datasets(catalogue, assets)
    shop = Shop.read(catalogue, assets)
    dashboards = [one for one in load_dashboards(assets) if shop.page(one, datasets)]
    used = {chart["dataset"] for dashboard in dashboards for chart in dashboard.charts.values()}
    filters = [one for dashboard in dashboards for one in dashboard.spec.get("filters", [])]
    used |= {one["dataset"] for one in filters if "dataset" in one}
    if unknown := used - set(datasets):
        raise AssetError(f"no such dataset: {', '.join(sorted(unknown))}")
    css = (assets / "dashboard.css").read_text()
    contents: dict[str, dict[str, Any]] = {
        "metadata.yaml": {"version": VERSION, "type": "assets", "timestamp": "2026-01-01T00:00:00+00:00"},
        **{f"databases/{name}.yaml": _database(name) for name in DATABASES},
    }
    for key, dataset in datasets.items():
        contents[f"datasets/{database_of(dataset.table)}/{key}.yaml"] = _dataset(dataset)
    for dashboard in dashboards:
        for name, chart in dashboard.charts.items():
            if (
                roles.STAKEHOLDER in dashboard.spec["audience"]
                and not datasets[chart["dataset"]].table.for_stakeholders
            ):
                raise AssetError(
                    f"{dashboard.folder}: {name} shows stakeholders {chart['dataset']}, which is not for them"
                )
            content = _chart(dashboard, name, datasets[chart["dataset"]])
            contents[f"charts/{dashboard.folder}__{name}.yaml"] = content
        contents[f"dashboards/{dashboard.folder}.yaml"] = _dashboard(dashboard, datasets, css)
    uuids: dict[str, set[str]] = {"databases": set(), "datasets": set(), "charts": set(), "dashboards": set()}
    for path, content in contents.items():
        if "uuid" in content:
            uuids[path.split("/")[0]].add(content["uuid"])
    files = {path: _dump(shop.in_its_currency(content)) for path, content in contents.items()}
    return Bundle(files, dashboards, uuids)
