"""Compiles the descriptions under ``assets/`` into what Superset imports.

Columns, their types and their descriptions come from the published warehouse, where publish keeps dbt's; metrics from
``datasets.yaml``; charts from one short file each; positions, ids and queries are computed. The same input gives the
same bundle, byte for byte.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import charts
import languages
import palette
import roles
import settings
import yaml
from catalogue import Table, kept_open
from charts import AssetError, Dataset, Metric
from languages import ENGLISH, Language
from shop import Shop, told

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
HEADER, HEADER_HEIGHT, HEADER_TEXT_WIDTH = "what_stands_out_whole_shop", 31, 5


@dataclass
class Dashboard:
    """A dashboard as its folder describes it."""

    folder: str
    spec: dict[str, Any]
    charts: dict[str, dict[str, Any]] = field(default_factory=dict)
    language: Language = ENGLISH

    @property
    def uuid(self) -> str:
        """Stable id."""
        return identity("dashboard", self.folder, *_code(self.language))

    @property
    def slug(self) -> str:
        """The end of its address."""
        return f"{self.spec['slug']}{self.language.suffix}"

    def chart_uuid(self, name: str) -> str:
        """Stable id of one of its charts, made of the chart's English name."""
        return identity("chart", self.folder, name, *_code(self.language))

    @property
    def rows(self) -> list[dict[str, Any]]:
        """All rows of all sections."""
        return [row for tab in self.tabs for section in tab["sections"] for row in section.get("rows", [])]

    @property
    def charts_by_tab(self) -> list[list[str]]:
        """Names of the charts on each tab."""
        return [
            [name for section in tab["sections"] for row in section.get("rows", []) for name in row["charts"]]
            for tab in self.tabs
        ]

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
    # Texts of a catalogue that nothing needs, by language.
    unused: dict[str, list[str]] = field(default_factory=dict)


def identity(*parts: str) -> str:
    """Return the id of an asset, made of its name: the same on every machine."""
    return str(uuid.uuid5(NAMESPACE, "/".join(parts)))


def _code(language: Language) -> list[str]:
    """Return what a language adds to an id: nothing for English."""
    return [] if language.is_written else [language.code]


def slug(title: str) -> str:
    """Return the file name that belongs to a title."""
    return re.sub(r"[^a-z0-9]+", "_", title.lower().replace("%", "percent").replace("r$", "brl")).strip("_")


def load_dashboards(
    assets: Path = settings.ASSETS,
    language: Language = ENGLISH,
    shop: Shop | None = None,
    datasets: dict[str, Dataset] | None = None,
) -> list[Dashboard]:
    """Read the folders of dashboards, in their order, with their texts in a language.

    Parameters
    ----------
    assets : Path
        Folder of the descriptions.
    language : Language
        Language of the texts.
    shop : Shop, optional
        Shop to fit them to, with its `datasets`; by default they are those of a shop that has everything.
    datasets : dict, optional
        See `load_datasets`.
    """
    has: Callable[[str], bool] = shop.has if shop else (lambda _part: True)
    found = []
    for path in assets.glob("*/dashboard.yaml"):
        dashboard = Dashboard(path.parent.name, settings.read_yaml(path), language=language)
        for one in dashboard.spec.get("filters", []):
            one["id"] = f"NATIVE_FILTER-{slug(one['name'])}"
        for chart in sorted((path.parent / "charts").glob("*.yaml")):
            spec = settings.read_yaml(chart)
            if chart.stem != slug(spec["title"]):
                raise AssetError(f"{chart.name}: a chart's file is named by its title: {slug(spec['title'])}.yaml")
            dashboard.charts[chart.stem] = told(language.spec(spec), has)
        dashboard.spec = told(language.spec(dashboard.spec), has)
        _check_places(dashboard)
        found.append(dashboard)
    found.sort(key=lambda dashboard: (dashboard.spec["order"], dashboard.folder))
    if shop and datasets is not None:
        found = [dashboard for dashboard in found if shop.page(dashboard, datasets)]
    header = settings.read_yaml(assets / "header.yaml")
    for place, dashboard in enumerate(found):
        _put_header(dashboard, header, _following(dashboard, [*found[place + 1 :], *found]))
    return found


def _following(dashboard: Dashboard, others: list[Dashboard]) -> Dashboard:
    """Return the next dashboard that everyone who sees this one may see."""
    return next(other for other in others if set(dashboard.spec["audience"]) <= set(other.spec["audience"]))


def _put_header(dashboard: Dashboard, header: dict[str, Any], following: Dashboard) -> None:
    """Put what the dashboard answers, of which day its numbers are, and where to go from here, above its first tab."""
    language, spec = dashboard.language, dashboard.spec
    dashboard.charts[HEADER] = {**language.spec(header), "only": {"page": dashboard.folder}}
    others = [
        f"[{name}]({languages.address(spec['slug'], code)})"
        for code, (name, _) in languages.NAMES.items()
        if code != language.code
    ]
    onward = f"[{following.spec['title']}]({languages.address(following.spec['slug'], language.code)})"
    links = " · ".join([*others, f"{language.text('Next')}: {onward}"])
    dashboard.tabs[0]["sections"].insert(
        0,
        {
            "rows": [
                {
                    "text": f"# {spec['question']}\n\n{spec['lead'].strip()}\n\n{links}",
                    "text_width": HEADER_TEXT_WIDTH,
                    "height": HEADER_HEIGHT,
                    "charts": {HEADER: GRID_COLUMNS - HEADER_TEXT_WIDTH},
                },
            ],
        },
    )


def _check_places(dashboard: Dashboard) -> None:
    """Raise when a chart has no place or two, or a row is too wide."""
    placed = [name for row in dashboard.rows for name in row["charts"]]
    if len(set(placed)) != len(placed):
        raise AssetError(f"{dashboard.folder}: a chart is placed twice")
    if wrong := set(placed) ^ set(dashboard.charts):
        raise AssetError(f"{dashboard.folder}: charts without file or place: {', '.join(sorted(wrong))}")
    for row in dashboard.rows:
        if sum(row["charts"].values()) > GRID_COLUMNS:
            raise AssetError(f"{dashboard.folder}: a row is wider than {GRID_COLUMNS}: {', '.join(row['charts'])}")


def load_datasets(
    catalogue: dict[str, Table], assets: Path = settings.ASSETS, language: Language = ENGLISH
) -> dict[str, Dataset]:
    """Read the datasets' metrics and join them with what the warehouse holds, with their names in a language.

    Raises
    ------
    AssetError
        When a dataset's table, or its time column, is not in the published warehouse.
    """
    described = settings.read_yaml(assets / "datasets.yaml")
    labels = described["labels"]
    datasets = {}
    for key, spec in described["datasets"].items():
        address = f"{spec.get('schema', 'marts')}.{spec.get('table', key)}"
        if address not in catalogue:
            raise AssetError(
                f"the published warehouse has no table {address}, which the dataset {key} needs: another version of "
                "this project built it, run `make warehouse`"
            )
        table = catalogue[address]
        metrics = {
            name: Metric(name, one["label"], one["sql"], language.format(one["format"]), one.get("description", ""))
            for name, one in spec.get("metrics", {}).items()
        }
        dataset = Dataset(
            key,
            identity("dataset", key, *_code(language)),
            table,
            spec.get("time"),
            metrics,
            {**labels, **spec.get("labels", {})},
            # Charts add columns of their own, and YAML's anchors make two datasets share a mapping.
            dict(spec.get("calculated", {})),
            language,
            frozenset(described["in_words"]),
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


def _shown(dataset: Dataset) -> set[str]:
    """Return the columns and metrics a dataset shows: all in English, elsewhere those that its charts ask for."""
    if dataset.language.is_written:
        return {*dataset.table.columns, *dataset.calculated, *dataset.metrics}
    # The rules that cut rows to one state look for this column.
    return dataset.used | ({roles.STATE_COLUMN} & set(dataset.table.columns))


def _dataset(dataset: Dataset) -> dict[str, Any]:
    table, language = dataset.table, dataset.language
    shown = _shown(dataset)
    details = language.text("A table that is built and tested by dbt")
    columns = [
        {
            "column_name": column.name,
            "verbose_name": language.text(_label(dataset, column.name)),
            "is_dttm": column.is_temporal,
            "is_active": True,
            "type": column.type,
            "groupby": True,
            "filterable": True,
            "expression": dataset.expression(column.name),
            # dbt's descriptions are documentation of the warehouse, which is in English.
            "description": column.description if language.is_written else language.text(_label(dataset, column.name)),
        }
        for column in table.columns.values()
        if column.name in shown
    ] + [
        {
            "column_name": name,
            "verbose_name": language.text(_label(dataset, name)),
            "is_dttm": spec.get("type") == "DATE",
            "is_active": True,
            "type": spec.get("type", "VARCHAR"),
            "groupby": True,
            "filterable": True,
            "expression": dataset.expression(name),
            "description": spec["description"] if language.is_written else language.text(_label(dataset, name)),
        }
        for name, spec in dataset.calculated.items()
        if name in shown
    ]
    metrics = [
        {
            "metric_name": metric.name,
            "verbose_name": language.text(metric.label),
            "metric_type": None,
            "expression": metric.sql,
            "description": language.text(metric.description) or None,
            # A short form would win over what a card or a table asks for, and is Superset's own default anyway.
            "d3format": None if metric.d3 == charts.SHORT else metric.d3,
            "currency": metric.currency,
            "extra": _certification(details),
            "warning_text": None,
        }
        for metric in dataset.metrics.values()
        if metric.name in shown
    ]
    return {
        # Superset knows a table once, and a column of it by one name for people: other languages ask a query for it.
        "table_name": table.name if language.is_written else f"{table.name} ({language.code})",
        "main_dttm_col": dataset.time,
        "description": table.description if language.is_written else details,
        "default_endpoint": None,
        "offset": 0,
        "cache_timeout": None,
        "catalog": None,
        "schema": table.schema,
        "sql": None if language.is_written else f"select * from {table.schema}.{table.name}",
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
        "certification_details": dashboard.language.text(MANAGED),
        "viz_type": params["viz_type"],
        "params": params,
        "query_context": context,
        "cache_timeout": None,
        "is_managed_externally": True,
        "uuid": dashboard.chart_uuid(name),
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
            code = f"## {section['title']}\n\n{section.get('text', '').strip()}"
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
                    "uuid": self.dashboard.chart_uuid(chart),
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


def is_reached(chart: dict[str, Any], filter_spec: dict[str, Any], datasets: dict[str, Dataset]) -> bool:
    """Whether a filter narrows a chart."""
    return not chart.get("unfiltered") and datasets[chart["dataset"]].takes(filter_spec["column"])


def _tabs_of(dashboard: Dashboard, one: dict[str, Any], datasets: dict[str, Dataset]) -> list[int]:
    """Return the tabs on which a filter narrows at least one chart: it is offered there and nowhere else."""
    return [
        number
        for number, names in enumerate(dashboard.charts_by_tab)
        if any(is_reached(dashboard.charts[name], one, datasets) for name in names)
    ]


def _declare_reach(dashboard: Dashboard, datasets: dict[str, Dataset]) -> None:
    """Say in the title of each chart which of the filters that stand above it do not narrow it."""
    filters = dashboard.spec.get("filters", [])
    for one in filters:
        tabs = _tabs_of(dashboard, one, datasets)
        if not tabs:
            raise AssetError(f"{dashboard.folder}: the filter {one['name']} reaches no chart")
        for number in tabs:
            for name in dashboard.charts_by_tab[number]:
                chart = dashboard.charts[name]
                if is_reached(chart, one, datasets) or chart.get("whole_shop"):
                    continue
                if "all" not in one:
                    raise AssetError(
                        f"{dashboard.folder}: the filter {one['name']} does not reach {name} and has no `all` to say so"
                    )
                declared = chart.setdefault("declared", [])
                if one["all"] not in declared:
                    declared.append(one["all"])
    for chart in dashboard.charts.values():
        if chart.get("declared"):
            chart["title"] = f"{chart['title']} · {', '.join(chart['declared'])}"


def _filter(spec: dict[str, Any], dashboard: Dashboard, layout: Layout, datasets: dict[str, Dataset]) -> dict[str, Any]:
    """Return one native filter, offered on the tabs and for the charts that it narrows."""
    dataset = datasets[spec["dataset"]]
    known = {one["column"]: one["id"] for one in dashboard.spec["filters"]}
    excluded = [
        layout.numbers[name] for name, chart in dashboard.charts.items() if not is_reached(chart, spec, datasets)
    ]
    tabs = _tabs_of(dashboard, spec, datasets)
    has_tabs = len(dashboard.tabs) > 1
    return {
        "id": spec["id"],
        "name": spec["name"],
        "description": spec.get("description", ""),
        "type": "NATIVE_FILTER",
        "filterType": "filter_select",
        "targets": [{"column": {"name": dataset.column(spec["column"])}, "datasetUuid": dataset.uuid}],
        "defaultDataMask": {"extraFormData": {}, "filterState": {}, "ownState": {}},
        # a shop whose states are not grouped has no filter of regions to follow
        "cascadeParentIds": [known[spec["within"]]] if spec.get("within") in known else [],
        "scope": {"rootPath": [f"TAB-{number}" for number in tabs] if has_tabs else ["ROOT_ID"], "excluded": excluded},
        "controlValues": {
            "enableEmptyFilter": False,
            "defaultToFirstItem": False,
            "multiSelect": True,
            "searchAllOptions": False,
            "inverseSelection": False,
            "sortAscending": not spec.get("newest_first", False),
        },
    }


def _clicks(dashboard: Dashboard, layout: Layout, datasets: dict[str, Dataset]) -> dict[str, Any]:
    """Return which charts a click on each chart narrows: those that have its columns and show the same rows."""
    found = {}
    for name, chart in dashboard.charts.items():
        sent = charts.sent_by_click(chart, datasets[chart["dataset"]])
        excluded = [
            layout.numbers[other_name]
            for other_name, other in dashboard.charts.items()
            if other_name == name or not _follows(chart, other, sent, datasets[other["dataset"]])
        ]
        number = layout.numbers[name]
        found[str(number)] = {
            "id": number,
            "crossFilters": {"scope": {"rootPath": ["ROOT_ID"], "excluded": excluded}, "chartsInScope": []},
        }
    return found


def _follows(chart: dict[str, Any], other: dict[str, Any], sent: list[str], dataset: Dataset) -> bool:
    """Whether a chart can follow a click on another: it has a column of it, and no condition that may contradict."""
    if other.get("unfiltered") or other.get("whole_shop"):
        return False
    conditions = other.get("only", {})
    if chart["dataset"] == other["dataset"]:
        sent = sent if chart.get("only", {}) == conditions else []
    else:
        sent = [column for column in sent if column not in conditions]
    # All of them, not up to the first: a column that a click may send has to be shown.
    followed = [column for column in sent if dataset.takes(column)]
    return bool(followed)


def _dashboard(dashboard: Dashboard, datasets: dict[str, Dataset], css: str) -> dict[str, Any]:
    spec, language = dashboard.spec, dashboard.language
    layout = Layout(dashboard)
    positions = layout.positions()
    has_clicks = spec.get("clicks", True)
    return {
        "dashboard_title": spec["title"],
        "description": spec["question"],
        "css": css,
        "slug": dashboard.slug,
        "certified_by": CERTIFIED_BY,
        "certification_details": language.text(MANAGED),
        "published": True,
        "is_managed_externally": True,
        "uuid": dashboard.uuid,
        "position": positions,
        "metadata": {
            "native_filter_configuration": [
                _filter(one, dashboard, layout, datasets) for one in spec.get("filters", [])
            ],
            "filter_bar_orientation": "HORIZONTAL",
            "cross_filters_enabled": has_clicks,
            "chart_configuration": _clicks(dashboard, layout, datasets) if has_clicks else {},
            "global_chart_configuration": {
                "scope": {"rootPath": ["ROOT_ID"], "excluded": []},
                "chartsInScope": [],
            },
            # Empty on purpose: a scheme here would replace the sequential colours of the maps.
            "color_scheme": "",
            "label_colors": palette.label_colors(language),
            "refresh_frequency": 0,
            "timed_refresh_immune_slices": [],
            "expanded_slices": {},
            "default_filters": "{}",
        },
        "version": VERSION,
    }


def fitted(catalogue: dict[str, Table], assets: Path = settings.ASSETS) -> list[Dashboard]:
    """Return the dashboards that there are for this shop, in English."""
    with kept_open():
        return load_dashboards(assets, ENGLISH, Shop.read(catalogue, assets), load_datasets(catalogue, assets))


def drawn(catalogue: dict[str, Table], assets: Path = settings.ASSETS) -> list[str]:
    """Return the charts that there are for this shop, each as ``folder/name``: with its rows some come and some go."""
    dashboards = fitted(catalogue, assets)
    return sorted(f"{dashboard.folder}/{name}" for dashboard in dashboards for name in dashboard.charts)


def compile_assets(catalogue: dict[str, Table], assets: Path = settings.ASSETS, *, is_fitted: bool = True) -> Bundle:
    """Return everything to import, in every language.

    Parameters
    ----------
    catalogue : dict
        The published tables, see `catalogue.read`.
    assets : Path
        Folder of the descriptions.
    is_fitted : bool
        Whether what the shop has no data for is left out.
    """
    shop = Shop.read(catalogue, assets)
    contents: dict[str, dict[str, Any]] = {
        "metadata.yaml": {"version": VERSION, "type": "assets", "timestamp": "2026-01-01T00:00:00+00:00"},
        **{f"databases/{name}.yaml": _database(name) for name in DATABASES},
    }
    dashboards, unused = [], {}
    with kept_open():
        for language in languages.every(assets):
            dashboards += _compile(catalogue, assets, language, shop if is_fitted else None, contents)
            language.check()
            unused[language.code] = language.unused
    uuids: dict[str, set[str]] = {"databases": set(), "datasets": set(), "charts": set(), "dashboards": set()}
    for path, content in contents.items():
        if "uuid" in content:
            uuids[path.split("/")[0]].add(content["uuid"])
    return Bundle(
        {path: _dump(shop.in_its_currency(content)) for path, content in contents.items()}, dashboards, uuids, unused
    )


def _compile(
    catalogue: dict[str, Table],
    assets: Path,
    language: Language,
    shop: Shop | None,
    contents: dict[str, dict[str, Any]],
) -> list[Dashboard]:
    """Add what there is in one language to the contents; return its dashboards."""
    datasets = load_datasets(catalogue, assets, language)
    dashboards = load_dashboards(assets, language, shop, datasets)
    used = {chart["dataset"] for dashboard in dashboards for chart in dashboard.charts.values()}
    filters = [one for dashboard in dashboards for one in dashboard.spec.get("filters", [])]
    used |= {one["dataset"] for one in filters if "dataset" in one}
    if unknown := used - set(datasets):
        raise AssetError(f"no such dataset: {', '.join(sorted(unknown))}")
    css = (assets / "dashboard.css").read_text()
    for dashboard in dashboards:
        _declare_reach(dashboard, datasets)
        for name, chart in dashboard.charts.items():
            dataset = datasets[chart["dataset"]]
            if roles.STAKEHOLDER in dashboard.spec["audience"] and not dataset.table.for_stakeholders:
                raise AssetError(
                    f"{dashboard.folder}: {name} shows stakeholders {chart['dataset']}, which is not for them"
                )
            contents[f"charts/{dashboard.folder}__{name}{language.suffix}.yaml"] = _chart(dashboard, name, dataset)
        contents[f"dashboards/{dashboard.folder}{language.suffix}.yaml"] = _dashboard(dashboard, datasets, css)
    # After the charts, which add columns of their own and say which they use.
    for key, dataset in datasets.items():
        if language.is_written or key in used:
            folder = database_of(dataset.table)
            contents[f"datasets/{folder}/{key}{language.suffix}.yaml"] = _dataset(dataset)
    return dashboards
