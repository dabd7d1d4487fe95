"""Turns a chart's short description into the settings Superset draws it from and the query it asks.

A kind of chart is one function here. It gets the description of ``assets/<dashboard>/charts/<title>.yaml`` and the
dataset, and returns the drawing's settings and its queries; the queries are saved with the chart so that its numbers
can be asked for without a browser.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import palette
from basemap import STYLE
from catalogue import Table
from languages import ENGLISH, Language, translated

Spec = dict[str, Any]
Params = dict[str, Any]
Query = dict[str, Any]

GRAINS = {"day": "P1D", "week": "P1W", "month": "P1M", "quarter": "P3M", "year": "P1Y"}

SHORT = "SMART_NUMBER"
# As exact as the shop's currency is: cents, or none (the sign is d3's own default, and tells it from plain numbers).
MONEY_EXACT = "-,.2f"
# Name of a format -> d3's format and whether the number is money.
FORMATS: dict[str, tuple[str, bool]] = {
    "integer": (",d", False),
    "compact": (SHORT, False),
    "money": (SHORT, True),
    "money_exact": (MONEY_EXACT, True),
    "money_whole": (",.0f", True),
    "percent": (".1%", False),
    "percent_fine": (".2%", False),
    "percent_whole": (".0%", False),
    "decimal": (",.2f", False),
    "fine": (",.3f", False),
    "days": (",.1f", False),
    "date": ("%d %b %Y", False),
    "time": ("%d %b %Y %H:%M", False),
}
BRL = {"symbol": "BRL", "symbolPosition": "prefix"}


class AssetError(ValueError):
    """An asset's description says something that cannot be drawn."""


@dataclass
class Metric:
    """A number that is defined once, on its dataset."""

    name: str
    label: str
    sql: str
    format: str
    description: str

    @property
    def d3(self) -> str:
        """Return the number's format."""
        return FORMATS[self.format][0]

    @property
    def written_out(self) -> str:
        """Return the format where there is room for all digits: on cards and in tables."""
        return ",.0f" if self.d3 == SHORT else self.d3

    @property
    def currency(self) -> dict[str, str] | None:
        """The number's currency, if it is money."""
        return BRL if FORMATS[self.format][1] else None


@dataclass
class Dataset:
    """A published table with the metrics defined on it."""

    key: str
    uuid: str
    table: Table
    time: str | None
    metrics: dict[str, Metric]
    labels: dict[str, str]
    calculated: dict[str, Spec] = field(default_factory=dict)
    language: Language = ENGLISH
    # Columns whose values are names of the warehouse, shown as words.
    in_words: frozenset[str] = frozenset()
    # Columns and metrics that a chart or a filter asks for.
    used: set[str] = field(default_factory=set)

    def metric(self, name: str) -> Metric:
        """Return a metric, or say which are there."""
        if name not in self.metrics:
            raise AssetError(f"{self.key} has no metric {name!r}; it has {', '.join(self.metrics)}")
        self.used.add(name)
        return self.metrics[name]

    def __contains__(self, name: object) -> bool:
        """Whether there is a column of this name."""
        return name in self.table.columns or name in self.calculated

    def column(self, name: str) -> str:
        """Return a column's name, or say that it is not there."""
        if name not in self:
            raise AssetError(f"{self.key} has no column {name!r}; it has {', '.join(self.table.columns)}")
        self.used.add(name)
        return name

    def words(self, name: str) -> dict[str, str]:
        """Return what stands in a column, in the language of the dataset, by the English."""
        return {} if self.language.is_written else self.language.values_of(self.key, self._original(name))

    def shown(self, name: str, value: Any) -> Any:
        """Return a value of a column as the charts show it, which is what a filter must ask for."""
        text = self.words(name).get(str(value), value)
        return text.replace("_", " ") if self._original(name) in self.in_words and isinstance(text, str) else text

    def _original(self, name: str) -> str:
        """Return the column that one is a copy of, or itself."""
        return str(self.calculated.get(name, {}).get("copy_of", name))

    def expression(self, name: str) -> str | None:
        """Return the SQL of a column; None for one that is shown as it stands in the warehouse."""
        spec = self.calculated.get(name, {})
        sql = spec.get(f"sql_{self.language.code}", spec.get("sql"))
        source = f"({sql})" if sql else name
        plain = f"replace({source}, '_', ' ')" if self._original(name) in self.in_words else sql
        if self.language.is_written:
            return plain
        if words := self.words(name):
            return translated(source, words, plain or source)
        return self.language.sentences(self._original(name), plain or name) or plain

    def again(self, name: str) -> str:
        """Return a second column that holds the same: a chart may not ask for one column twice."""
        copy = f"{name}_again"
        spec = self.calculated.get(name, {})
        label = self.labels.get(name) or name.replace("_", " ").capitalize()
        self.labels[copy] = label
        self.calculated[copy] = {**spec, "sql": spec.get("sql", name), "copy_of": name, "description": label}
        return self.column(copy)

    def is_temporal(self, name: str) -> bool:
        """Whether a column holds dates or timestamps."""
        if name in self.calculated:
            return str(self.calculated[name].get("type", "")) == "DATE"
        return self.table.columns[name].is_temporal

    def takes(self, name: str) -> bool:
        """Whether filters on this column reach the dataset, which then has to show it."""
        is_there = name in self.table.columns or name in self.calculated
        if is_there:
            self.used.add(name)
        return is_there


def _filters(spec: Spec, dataset: Dataset) -> tuple[list[dict[str, Any]], Query]:
    """Return the chart's own filters, as the drawing keeps them and as the query sends them."""
    drawn: list[dict[str, Any]] = []
    asked: list[dict[str, Any]] = []
    for name, wanted in spec.get("only", {}).items():
        column = dataset.column(name)
        for operator, english in _conditions(wanted):
            value = [dataset.shown(column, part) for part in english] if isinstance(english, list) else english
            one: dict[str, Any] = {
                "clause": "WHERE",
                "subject": column,
                "operator": operator,
                "expressionType": "SIMPLE",
            }
            drawn.append(one if value is None else {**one, "comparator": value})
            asked.append(
                {"col": column, "op": operator} if value is None else {"col": column, "op": operator, "val": value}
            )
    return drawn, {"filters": asked, "extras": {"having": "", "where": ""}}


def conditions(spec: Spec, dataset: Dataset) -> tuple[list[str], list[Any]]:
    """Return the chart's own filters as SQL conditions on the published table, and their values in order."""
    clauses: list[str] = []
    values: list[Any] = []
    for name, wanted in spec.get("only", {}).items():
        expression = f"({dataset.expression(name) or name})"
        for operator, english in _conditions(wanted):
            value = [dataset.shown(name, part) for part in english] if isinstance(english, list) else english
            many = isinstance(value, list)
            places = f"({', '.join('?' * len(value))})" if many else "" if value is None else "?"
            clauses.append(f"{expression} {operator} {places}")
            values += value if many else [] if value is None else [value]
    return clauses, values


# Conditions are structured, never SQL: what stakeholders' browsers send is names and values only.
OPERATORS = {"from": ">=", "to": "<=", "above": ">", "like": "LIKE"}


def _conditions(wanted: Any) -> list[tuple[str, Any]]:
    """Return what a description wants of a column: true, false, one of some values, or a mapping of `OPERATORS`."""
    if isinstance(wanted, bool):
        return [("IS TRUE" if wanted else "IS FALSE", None)]
    if isinstance(wanted, dict):
        return [(OPERATORS[name], value) for name, value in wanted.items()]
    return [("IN", _listed(wanted))]


def _query(
    spec: Spec,
    dataset: Dataset,
    columns: list[Any],
    metrics: list[str],
    *,
    axis: str | None = None,
    order: list[list[Any]] | None = None,
    **more: Any,
) -> Query:
    """Build one query of a chart's saved context."""
    _, conditions = _filters(spec, dataset)
    grain = GRAINS.get(spec.get("grain", ""))
    listed: list[Any] = list(columns)
    if axis:
        listed.insert(
            0,
            {
                "columnType": "BASE_AXIS",
                "sqlExpression": axis,
                "label": axis,
                "expressionType": "SQL",
                "timeGrain": grain,
            },
        )
        if grain:
            conditions["extras"]["time_grain_sqla"] = grain
    query = {
        **conditions,
        "columns": listed,
        "metrics": metrics,
        "orderby": order if order is not None else ([[metrics[0], False]] if metrics else []),
        "annotation_layers": [],
        "row_limit": spec.get("limit", 10_000),
        "series_limit": 0,
        "order_desc": True,
        "url_params": {},
        "custom_params": {},
        "custom_form_data": {},
        **more,
    }
    if axis:
        query["series_columns"] = list(columns)
    return query


def _listed(value: Any) -> list[str]:
    """Return one name or several as a list."""
    if value is None:
        return []
    return list(value) if isinstance(value, list) else [value]


def _measures(spec: Spec, dataset: Dataset, key: str = "metrics") -> list[Metric]:
    """Return the metrics a description names."""
    return [dataset.metric(name) for name in _listed(spec.get(key) or spec.get("metric"))]


def _groups(spec: Spec, dataset: Dataset, key: str = "by") -> list[str]:
    """Return the columns a description groups by."""
    return [dataset.column(name) for name in _listed(spec.get(key))]


def _currency(metric: Metric) -> Params:
    """Return the setting for money, where a chart does not take it from its metric."""
    return {"currency_format": metric.currency} if metric.currency else {}


def number(spec: Spec, dataset: Dataset) -> tuple[Params, list[Query]]:
    """One big number."""
    (metric,) = _measures(spec, dataset)
    params = {
        "viz_type": "big_number_total",
        "metric": metric.name,
        "header_font_size": spec.get("size", 0.5),
        "subheader_font_size": 0.125,
        "subtitle": spec.get("subtitle", ""),
        "subtitle_font_size": 0.125,
        "y_axis_format": metric.written_out,
        "time_format": "smart_date",
        **_currency(metric),
    }
    return params, [_query(spec, dataset, [], [metric.name], order=[])]


def trend(spec: Spec, dataset: Dataset) -> tuple[Params, list[Query]]:
    """One big number over the whole period, its course below it."""
    (metric,) = _measures(spec, dataset)
    axis = dataset.column(spec.get("x", "trend_month"))
    params = {
        "viz_type": "big_number",
        "metric": metric.name,
        "x_axis": axis,
        "time_grain_sqla": GRAINS[spec.get("grain", "month")],
        "aggregation": "raw",
        "compare_lag": "",
        "compare_suffix": "",
        "show_timestamp": False,
        "show_trend_line": True,
        "start_y_axis_at_zero": spec.get("zero", False),
        "color_picker": palette.rgba(palette.COLOURS["brand"]["primary"]),
        "header_font_size": spec.get("size", 0.4),
        "subheader_font_size": 0.125,
        "subtitle": spec.get("subtitle", ""),
        "subtitle_font_size": 0.125,
        "y_axis_format": metric.written_out,
        "time_format": "%b %Y",
        "rolling_type": "None",
        **_currency(metric),
    }
    return params, [
        _query(spec, dataset, [], [metric.name], axis=axis, order=[]),
        _query(spec, dataset, [], [metric.name], order=[]),
    ]


def stands_for_itself(spec: Spec) -> bool:
    """Whether each bar is a series of its own.

    A click on a bar that lies and has no series filters by its length, not by its name (Superset 6.1); a click on a
    series filters by its name.
    """
    return bool(spec.get("horizontal")) and not spec.get("by") and not spec.get("metrics")


def sent_by_click(spec: Spec, dataset: Dataset) -> list[str]:
    """Return the columns that a click on a mark of a chart filters by."""
    if spec["kind"] == "table":
        return _listed(spec.get("by") or spec.get("columns"))
    if spec["kind"] == "states":
        return [spec.get("by", "customer_state_iso")]
    if spec["kind"] in ("bar", "line", "area", "step", "smooth") and not spec.get("by"):
        return [] if dataset.is_temporal(spec["x"]) else [spec["x"]]
    names = ("by", "x", "y") if spec["kind"] == "heatmap" else ("by", "source", "target", "rows", "columns")
    return [column for name in names for column in _listed(spec.get(name))]


def _axes(spec: Spec, dataset: Dataset) -> Params:
    """Return the settings shared by the charts with an x axis."""
    axis = dataset.again(spec["x"]) if stands_for_itself(spec) else dataset.column(spec["x"])
    temporal = dataset.is_temporal(axis)
    params: Params = {
        "x_axis": axis,
        "row_limit": spec.get("limit", 10_000),
        "truncate_metric": True,
        "show_empty_columns": True,
        "comparison_type": "values",
        "annotation_layers": [],
        "legendType": "scroll",
        "legendOrientation": "top",
        "x_axis_time_format": "%b %y" if temporal else "smart_date",
        "rich_tooltip": True,
        "tooltipTimeFormat": "%B %Y" if spec.get("grain") == "month" else "smart_date",
        "showTooltipTotal": bool(spec.get("stack")),
        "x_axis_title": spec.get("x_title", ""),
        "x_axis_title_margin": 30 if spec.get("x_title") else 0,
        "y_axis_title": spec.get("y_title", ""),
        "y_axis_title_margin": 50 if spec.get("y_title") else 0,
        "y_axis_title_position": "Left",
        "y_axis_bounds": spec.get("bounds", [None, None]),
        "truncateYAxis": "bounds" in spec or not spec.get("zero", True),
        "color_scheme": palette.CATEGORICAL_ID,
    }
    if temporal:
        params["time_grain_sqla"] = GRAINS[spec.get("grain", "month")]
    else:
        by_metric = spec.get("order") in dataset.metrics
        # Horizontal bars are drawn from the bottom up, so the largest comes last.
        ascending = by_metric == bool(spec.get("horizontal"))
        several = bool(spec.get("by")) or stands_for_itself(spec) or len(_measures(spec, dataset)) > 1
        params |= {
            "xAxisForceCategorical": not spec.get("numeric", False),
            # One series is sorted by a column of the result, several by the name or the total of the category.
            "x_axis_sort": ("sum" if by_metric else "name") if several else (spec["order"] if by_metric else axis),
            "x_axis_sort_asc": ascending,
        }
    return params


def _series(kind: str) -> Callable[[Spec, Dataset], tuple[Params, list[Query]]]:
    """Build lines, bars and areas over an axis of time or of categories."""

    def build(spec: Spec, dataset: Dataset) -> tuple[Params, list[Query]]:
        measures = _measures(spec, dataset)
        alone = stands_for_itself(spec)
        groups = _groups(spec, dataset, "x" if alone else "by")
        stack: str | None = {True: "Stack", "share": "Expand"}.get(spec.get("stack", alone))
        params = {
            "viz_type": f"echarts_timeseries_{kind}" if kind != "area" else "echarts_area",
            **_axes(spec, dataset),
            "metrics": [metric.name for metric in measures],
            "groupby": groups,
            "order_desc": True,
            "show_legend": spec.get("legend", (bool(groups) and not alone) or len(measures) > 1),
            "stack": stack if stack == "Stack" or kind == "area" else ("Stack" if stack else None),
            "contributionMode": "row" if stack == "Expand" and kind == "bar" else None,
            "only_total": True,
            "show_value": spec.get("values", False),
            "y_axis_format": ".0%" if stack == "Expand" else spec.get("y_format", measures[0].d3),
            "markerEnabled": spec.get("markers", False),
            "seriesType": kind,
            "opacity": 0.85 if kind == "area" else 0.2,
            "minorSplitLine": False,
            **_currency(measures[0]),
        }
        if alone and not spec.get("colourful"):
            params["color_scheme"] = palette.SINGLE_ID
        if spec.get("horizontal"):
            params |= {"orientation": "horizontal", "x_axis_title": "", "y_axis_title": ""}
        names = [metric.name for metric in measures]
        if spec.get("top"):
            params |= {"limit": spec["top"], "timeseries_limit_metric": names[0]}
        temporal = "time_grain_sqla" in params
        # Which rows are kept when there are more than the limit; the drawing sorts them itself.
        order: list[list[Any]] = [] if temporal else [[names[0], False]]
        return params, [_query(spec, dataset, groups, names, axis=params["x_axis"], order=order)]

    return build


def mixed(spec: Spec, dataset: Dataset) -> tuple[Params, list[Query]]:
    """Bars against the left axis and a line against the right one."""
    left, right = _measures(spec, dataset, "bars"), _measures(spec, dataset, "lines")
    axes = _axes(spec, dataset)
    drawn, _ = _filters(spec, dataset)
    params = {
        "viz_type": "mixed_timeseries",
        **axes,
        "metrics": [metric.name for metric in left],
        "groupby": [],
        "adhoc_filters_b": drawn,
        "metrics_b": [metric.name for metric in right],
        "groupby_b": [],
        "row_limit_b": spec.get("limit", 10_000),
        "truncate_metric_b": True,
        "comparison_type_b": "values",
        "seriesType": "bar",
        "seriesTypeB": "line",
        "opacity": 0.2,
        "opacityB": 0.2,
        "markerEnabledB": True,
        "markerSizeB": 5,
        "yAxisIndex": 0,
        "yAxisIndexB": 1,
        "show_legend": True,
        "y_axis_format": left[0].d3,
        "y_axis_format_secondary": right[0].d3,
        "y_axis_bounds_secondary": spec.get("bounds_right", [None, None]),
        "yAxisTitleSecondary": spec.get("right_title", ""),
        **_currency(left[0]),
    }
    if right[0].currency:
        params["currency_format_secondary"] = right[0].currency
    queries = [
        _query(spec, dataset, [], [metric.name for metric in side], axis=params["x_axis"], order=[])
        for side in (left, right)
    ]
    return params, queries


def pie(spec: Spec, dataset: Dataset) -> tuple[Params, list[Query]]:
    """Shares of a whole."""
    (metric,) = _measures(spec, dataset)
    groups = _groups(spec, dataset)
    params = {
        "viz_type": "pie",
        "groupby": groups,
        "metric": metric.name,
        "row_limit": spec.get("limit", 100),
        "sort_by_metric": True,
        "color_scheme": palette.CATEGORICAL_ID,
        "show_labels_threshold": 2,
        "show_legend": spec.get("legend", False),
        "legendType": "scroll",
        "legendOrientation": "top",
        "label_type": spec.get("labels", "key_percent"),
        "number_format": metric.d3,
        "date_format": "smart_date",
        "show_labels": True,
        "labels_outside": True,
        "label_line": True,
        "outerRadius": 68,
        "donut": True,
        "innerRadius": 42,
        "show_total": False,
        **_currency(metric),
    }
    return params, [_query(spec, dataset, groups, [metric.name])]


def heatmap(spec: Spec, dataset: Dataset) -> tuple[Params, list[Query]]:
    """Cells coloured by a number; cells without one stay blank."""
    (metric,) = _measures(spec, dataset)
    axis, group = dataset.column(spec["x"]), dataset.column(spec["y"])
    params = {
        "viz_type": "heatmap_v2",
        "x_axis": axis,
        "groupby": group,
        "metric": metric.name,
        "row_limit": spec.get("limit", 10_000),
        "sort_x_axis": spec.get("sort_x", "alpha_asc"),
        "sort_y_axis": spec.get("sort_y", "alpha_desc"),
        "normalize_across": spec.get("normalize", "heatmap"),
        "legend_type": "continuous",
        "linear_color_scheme": palette.sequential_id(spec.get("scale", "amount")),
        "border_color": palette.rgba("#FFFFFF"),
        "border_width": 1,
        "xscale_interval": 1,
        "yscale_interval": 1,
        "left_margin": spec.get("left", 10),
        "bottom_margin": spec.get("bottom", 12),
        "value_bounds": spec.get("bounds", [None, None]),
        "y_axis_format": metric.d3,
        "x_axis_time_format": "%b %Y",
        "xAxisLabelRotation": spec.get("rotate", 0),
        "show_legend": spec.get("legend", True),
        "show_percentage": False,
        "show_values": spec.get("values", True),
        **_currency(metric),
    }
    return params, [_query(spec, dataset, [axis, group], [metric.name])]


def states(spec: Spec, dataset: Dataset) -> tuple[Params, list[Query]]:
    """Brazil's states coloured by a number."""
    (metric,) = _measures(spec, dataset)
    entity = dataset.column(spec.get("by", "customer_state_iso"))
    params = {
        "viz_type": "country_map",
        "select_country": "brazil",
        "entity": entity,
        "metric": metric.name,
        "linear_color_scheme": palette.sequential_id(spec.get("scale", "amount")),
        "number_format": metric.d3,
        "row_limit": 50_000,
    }
    return params, [_query(spec, dataset, [entity], [metric.name])]


def table(spec: Spec, dataset: Dataset) -> tuple[Params, list[Query]]:
    """Rows of groups and their numbers, or of plain columns."""
    common = {
        "viz_type": "table",
        "row_limit": spec.get("limit", 1000),
        "server_page_length": 10,
        "page_length": spec.get("page", 0),
        "include_search": spec.get("search", False),
        "table_timestamp_format": spec.get("dates", "%d %b %Y"),
        "show_cell_bars": spec.get("bars", False),
        # Superset's green and red would call a higher risk good.
        "color_pn": False,
        "align_pn": False,
        "allow_rearrange_columns": False,
        "conditional_formatting": spec.get("marks", []),
        "column_config": _column_config(spec, dataset),
    }
    if spec.get("columns"):
        columns = _groups(spec, dataset, "columns")
        order = [[dataset.column(name.lstrip("-")), not name.startswith("-")] for name in _listed(spec.get("order"))]
        # Asked from its saved query, a table is grouped by its columns: it can be sorted by no other.
        if hidden := {str(name) for name, _ in order} - set(columns):
            raise AssetError(f"sorted by {', '.join(sorted(hidden))}, which is no column of it")
        params = {
            **common,
            "query_mode": "raw",
            "all_columns": columns,
            "order_by_cols": [json.dumps(pair) for pair in order],
        }
        return params, [_query(spec, dataset, columns, [], order=order)]
    groups, measures = _groups(spec, dataset), _measures(spec, dataset)
    leading = spec.get("order") or measures[0].name
    params = {
        **common,
        "query_mode": "aggregate",
        "groupby": groups,
        "metrics": [metric.name for metric in measures],
        "all_columns": [],
        "order_desc": not spec.get("ascending", False),
        "timeseries_limit_metric": dataset.metric(leading).name,
    }
    names = [metric.name for metric in measures]
    return params, [_query(spec, dataset, groups, names, order=[[leading, bool(spec.get("ascending"))]])]


def _column_config(spec: Spec, dataset: Dataset) -> Params:
    """Return formats of a table's columns: the metrics' own, and what the description adds for plain columns."""
    config: Params = {}
    for metric in _measures(spec, dataset) if not spec.get("columns") else []:
        config[metric.name] = {"d3NumberFormat": metric.written_out, "d3SmallNumberFormat": metric.written_out}
        if metric.currency:
            config[metric.name]["currencyFormat"] = metric.currency
    for name, wanted in spec.get("formats", {}).items():
        d3, money = FORMATS[wanted]
        dataset.column(name)
        config[name] = {"d3TimeFormat": d3} if d3.startswith("%") else {"d3NumberFormat": d3, "d3SmallNumberFormat": d3}
        if money:
            config[name]["currencyFormat"] = BRL
    for name, width in spec.get("widths", {}).items():
        config.setdefault(name, {})["columnWidth"] = width
    for name in _listed(spec.get("no_bars")):
        config.setdefault(name, {})["showCellBars"] = False
    return config


def pivot(spec: Spec, dataset: Dataset) -> tuple[Params, list[Query]]:
    """Numbers by rows and columns."""
    measures = _measures(spec, dataset)
    rows, columns = _groups(spec, dataset, "rows"), _groups(spec, dataset, "columns")
    names = [metric.name for metric in measures]
    params = {
        "viz_type": "pivot_table_v2",
        "groupbyRows": rows,
        "groupbyColumns": columns,
        "metrics": names,
        "metricsLayout": "COLUMNS",
        "aggregateFunction": "Sum",
        "rowOrder": "key_a_to_z",
        "colOrder": "key_a_to_z",
        "rowTotals": spec.get("totals", False),
        "colTotals": spec.get("totals", False),
        "valueFormat": measures[0].d3,
        "date_format": "%b %Y",
        "row_limit": spec.get("limit", 10_000),
        "order_desc": True,
        "allow_rearrange_columns": False,
        "conditional_formatting": spec.get("marks", []),
        **_currency(measures[0]),
    }
    return params, [_query(spec, dataset, [*rows, *columns], names)]


def treemap(spec: Spec, dataset: Dataset) -> tuple[Params, list[Query]]:
    """Areas in proportion to a number."""
    (metric,) = _measures(spec, dataset)
    groups = _groups(spec, dataset)
    params = {
        "viz_type": "treemap_v2",
        "groupby": groups,
        "metric": metric.name,
        "row_limit": spec.get("limit", 100),
        "show_labels": True,
        "show_upper_labels": True,
        "label_type": "key_value",
        "number_format": metric.d3,
        "color_scheme": palette.CATEGORICAL_ID,
        **_currency(metric),
    }
    return params, [_query(spec, dataset, groups, [metric.name])]


def sankey(spec: Spec, dataset: Dataset) -> tuple[Params, list[Query]]:
    """Flows from one group to another."""
    (metric,) = _measures(spec, dataset)
    source, target = dataset.column(spec["source"]), dataset.column(spec["target"])
    params = {
        "viz_type": "sankey_v2",
        "source": source,
        "target": target,
        "metric": metric.name,
        "row_limit": spec.get("limit", 1000),
        "sort_by_metric": True,
        "color_scheme": palette.CATEGORICAL_ID,
    }
    return params, [_query(spec, dataset, [source, target], [metric.name])]


def _place(spec: Spec, dataset: Dataset) -> Params:
    """Return the settings shared by the maps over the base map."""
    latitude = dataset.column(spec.get("latitude", "latitude"))
    longitude = dataset.column(spec.get("longitude", "longitude"))
    return {
        "spatial": {"type": "latlong", "latCol": latitude, "lonCol": longitude},
        "row_limit": spec.get("limit", 20_000),
        "mapbox_style": STYLE,
        "map_style": STYLE,
        "viewport": {"longitude": -53, "latitude": -16, "zoom": spec.get("zoom", 3.1), "bearing": 0, "pitch": 0},
        "autozoom": False,
        "filter_nulls": True,
    }


def heat(spec: Spec, dataset: Dataset) -> tuple[Params, list[Query]]:
    """Heat of a number over the map."""
    (metric,) = _measures(spec, dataset)
    place = _place(spec, dataset)
    params = {
        "viz_type": "deck_heatmap",
        **place,
        "size": metric.name,
        "intensity": spec.get("intensity", 2),
        "radius_pixels": spec.get("radius", 26),
        "aggregation": "sum",
        "color_scheme_type": "linear_palette",
        "linear_color_scheme": palette.sequential_id(spec.get("scale", "density")),
    }
    spatial = place["spatial"]
    return params, [_query(spec, dataset, [spatial["latCol"], spatial["lonCol"]], [metric.name])]


def dots(spec: Spec, dataset: Dataset) -> tuple[Params, list[Query]]:
    """Circles on the map, their area a number."""
    (metric,) = _measures(spec, dataset)
    place = _place(spec, dataset)
    params = {
        "viz_type": "deck_scatter",
        **place,
        "point_radius_fixed": {"type": "metric", "value": metric.name},
        "point_unit": "square_km",
        "min_radius": 2,
        "max_radius": spec.get("radius", 30),
        "multiplier": spec.get("multiplier", 1),
        "color_picker": palette.rgba(spec.get("colour", palette.COLOURS["brand"]["primary"]), 0.65),
        "color_scheme_type": "fixed_color",
        "legend_position": None,
    }
    spatial = place["spatial"]
    return params, [_query(spec, dataset, [spatial["latCol"], spatial["lonCol"]], [metric.name])]


KINDS: dict[str, Callable[[Spec, Dataset], tuple[Params, list[Query]]]] = {
    "number": number,
    "trend": trend,
    "line": _series("line"),
    "smooth": _series("smooth"),
    "step": _series("step"),
    "bar": _series("bar"),
    "area": _series("area"),
    "mixed": mixed,
    "pie": pie,
    "heatmap": heatmap,
    "states": states,
    "table": table,
    "pivot": pivot,
    "treemap": treemap,
    "sankey": sankey,
    "heat": heat,
    "dots": dots,
}


def build(spec: Spec, dataset: Dataset) -> tuple[Params, str]:
    """Return the settings a chart is drawn from and its saved query context as JSON.

    Parameters
    ----------
    spec : dict
        A chart's description: title, kind, dataset, and what the kind asks for. ``options`` overrides settings.
    dataset : Dataset
        The dataset it names.
    """
    if "where" in spec:
        raise AssetError(f"{spec['title']}: conditions are written under `only`, not as SQL under `where`")
    if spec["kind"] not in KINDS:
        raise AssetError(f"{spec['title']}: no kind {spec['kind']!r}; there are {', '.join(KINDS)}")
    try:
        params, queries = KINDS[spec["kind"]](spec, dataset)
    except AssetError as error:
        raise AssetError(f"{spec['title']}: {error}") from error
    drawn, _ = _filters(spec, dataset)
    params = {"adhoc_filters": drawn, **params, **spec.get("options", {})}
    context = {
        "datasource": {"id": 0, "type": "table"},
        "force": False,
        "queries": queries,
        "form_data": params,
        "result_format": "json",
        "result_type": "full",
    }
    return params, json.dumps(context)
