"""Fits the dashboards to the shop: its currency, its country, and the parts that its raw tables hold.

The assets are written for a shop that has everything, in reais. What a chart needs is in ``assets/needs.yaml``; what
the shop has is the one row of the mart ``shop``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import settings
from catalogue import SHOP, Table, has_rows
from charts import BRL, MONEY_EXACT, AssetError, Dataset, conditions
from languages import TEXT_KEYS

Spec = dict[str, Any]

GRID_COLUMNS = 12
# Where it shows whether there are scores: a shop in which everyone returns, or nobody, has none.
SCORED = "marts.churn_summary"
# How the assets write the shop's currency.
WRITTEN_SYMBOL, WRITTEN_CODE = "R$", BRL["symbol"]
# Countries whose states are coloured on a map; elsewhere they are bars.
MAPPED = {"BR"}
# What of a chart's description names columns and metrics.
NAMING = {
    *("metric", "x", "y", "source", "target", "by", "rows"),
    *("metrics", "columns", "bars", "lines", "order"),
}
# Bars of states where there is no map.
MOST_STATES = 25


class Page(Protocol):
    """A dashboard as far as it matters here."""

    spec: Spec
    charts: dict[str, Spec]

    @property
    def tabs(self) -> list[Spec]:
        """Tabs, each with sections of rows of charts."""


@dataclass(frozen=True)
class Shop:
    """The row of the mart `shop`."""

    facts: Spec
    needs: Spec

    @classmethod
    def read(cls, catalogue: dict[str, Table], assets: Path = settings.ASSETS) -> Shop:
        """Take the shop from the catalogue.

        Raises
        ------
        AssetError
            There is no such mart, or a need is no part that it tells of.
        """
        needs = settings.read_yaml(assets / "needs.yaml")
        if SHOP not in catalogue:
            raise AssetError(f"the published warehouse has no table {SHOP}: run `make warehouse`")
        has_scores = has_rows(catalogue[SCORED], ["scored_customers > 0"], [])
        shop = cls({**catalogue[SHOP].facts, "has_scores": has_scores}, needs)
        for by in needs.values():
            for name, parts in by.items():
                if unknown := [part for part in parts if f"has_{part}" not in shop.facts]:
                    raise AssetError(f"needs.yaml: {name} needs {unknown[0]}, which the mart shop does not know")
        return shop

    @property
    def lacking(self) -> list[str]:
        """The parts that some chart needs and the shop does not have."""
        parts = {part for by in self.needs.values() for needed in by.values() for part in needed}
        return sorted(part.replace("_", " ") for part in parts if not self.facts[f"has_{part}"])

    def _has(self, by: str, name: Any) -> bool:
        return all(self.has(part) for part in self.needs[by].get(str(name).lstrip("-"), ()))

    def has(self, part: str) -> bool:
        """Whether the shop has a part.

        Raises
        ------
        AssetError
            The mart `shop` does not know of such a part.
        """
        if f"has_{part}" not in self.facts:
            raise AssetError(f"a description asks for the part {part}, which the mart shop does not know")
        return bool(self.facts[f"has_{part}"])

    def chart(self, spec: Spec, dataset: Dataset) -> Spec | None:
        """Return a chart as it is drawn for this shop; None where too little of it is left."""
        kept_to = [value for wanted in spec.get("only", {}).values() for value in _values(wanted)]
        if (
            dataset.table.is_empty
            or not self._has("datasets", dataset.key)
            or not self._has("kinds", spec["kind"])
            or not all(self._has("values", value) for value in kept_to)
            or not has_rows(dataset.table, *conditions(spec, dataset))
        ):
            return None
        fitted = dict(spec)
        for key in NAMING & spec.keys():
            if isinstance(spec[key], list):
                fitted[key] = [name for name in spec[key] if self._has("names", name)]
                if not fitted[key] and key not in ("bars", "lines", "order"):
                    return None
            elif not self._has("names", spec[key]):
                if key != "order":
                    return None
                del fitted[key]
        if spec["kind"] == "mixed":
            if not fitted["bars"] and not fitted["lines"]:
                return None
            if not fitted["bars"] or not fitted["lines"]:
                fitted |= {"kind": "bar" if fitted["bars"] else "line", "metrics": [*fitted["bars"], *fitted["lines"]]}
        return self._placed(fitted)

    def _placed(self, spec: Spec) -> Spec:
        """Draw what is on a map of Brazil as the shop's country allows."""
        if self.facts["country"] in MAPPED:
            return spec
        if spec["kind"] == "states":
            bars = {"horizontal": True, "legend": False, "values": True, "limit": MOST_STATES}
            return {**spec, **bars, "kind": "bar", "x": "customer_state_name", "order": spec["metric"]}
        if spec["kind"] in ("heat", "dots"):
            middle = {"longitude": self.facts["middle_longitude"], "latitude": self.facts["middle_latitude"]}
            return {**spec, "options": {"viewport": {**middle, "zoom": 4, "bearing": 0, "pitch": 0}}}
        return spec

    def page(self, page: Page, datasets: dict[str, Dataset]) -> bool:
        """Fit one dashboard, which has no header yet; False where nothing is left."""
        for name, spec in list(page.charts.items()):
            fitted = self.chart(spec, datasets[spec["dataset"]])
            if fitted is None or not self._has("charts", name):
                del page.charts[name]
            else:
                page.charts[name] = fitted
        for tab in page.tabs:
            for section in tab["sections"]:
                section["rows"] = [row for row in map(self._row(page), section.get("rows", [])) if row["charts"]]
            tab["sections"] = [section for section in tab["sections"] if section["rows"]]
        tabs = [tab for tab in page.tabs if tab["sections"]]
        if not tabs:
            return False
        if len(tabs) == 1:
            tabs[0]["title"] = ""
        page.spec["tabs"] = tabs
        drawn = [datasets[spec["dataset"]] for spec in page.charts.values() if not spec.get("unfiltered")]
        page.spec["filters"] = [one for one in page.spec.get("filters", []) if self._filters(one, drawn, datasets)]
        return True

    def _row(self, page: Page) -> Any:
        def fit(row: Spec) -> Spec:
            widths = {name: width for name, width in row["charts"].items() if name in page.charts}
            if len(widths) < len(row["charts"]):
                widths = _stretched(widths, GRID_COLUMNS - row.get("text_width", 0))
            return {**row, "charts": widths}

        return fit

    def _filters(self, one: Spec, drawn: Iterable[Dataset], datasets: dict[str, Dataset]) -> bool:
        column = one.get("column")
        if column is None:
            return any(dataset.time for dataset in drawn)
        if datasets[one["dataset"]].table.is_empty:
            # nothing to choose from
            return False
        return self._has("names", column) and any(column in dataset for dataset in drawn)

    def in_its_currency(self, content: Any) -> Any:
        """Write every amount in the shop's currency, with its decimals: texts name its symbol, numbers its code."""
        if isinstance(content, dict):
            return {
                str(key).replace(WRITTEN_SYMBOL, self.facts["currency_symbol"]): self.in_its_currency(value)
                for key, value in content.items()
            }
        if isinstance(content, list):
            return [self.in_its_currency(value) for value in content]
        if isinstance(content, str):
            text = content.replace(MONEY_EXACT, f",.{self.facts['currency_decimals']}f")
            text = text.replace(f'"symbol": "{WRITTEN_CODE}"', f'"symbol": "{self.facts["currency"]}"')
            if text == WRITTEN_CODE:
                return self.facts["currency"]
            return text.replace(WRITTEN_SYMBOL, self.facts["currency_symbol"])
        return content


def told(part: Any, has: Callable[[str], bool]) -> Any:
    """Return a description with its texts as a shop reads them.

    A text may be a list of pieces, each a mapping of ``text`` and whom it is for: shops that have all of the parts
    under ``with``, and none of those under ``without``. The pieces for this shop are read one after the other.
    """
    if isinstance(part, dict):
        return {key: _said(value, has) if key in TEXT_KEYS else told(value, has) for key, value in part.items()}
    return [told(one, has) for one in part] if isinstance(part, list) else part


def _said(text: Any, has: Callable[[str], bool]) -> Any:
    if not isinstance(text, list):
        return told(text, has)
    pieces = [
        piece["text"].strip()
        for piece in text
        if all(map(has, piece.get("with", []))) and not any(map(has, piece.get("without", [])))
    ]
    return " ".join(pieces)


def _values(wanted: Any) -> list[Any]:
    """Return the values that a condition names."""
    if isinstance(wanted, dict):
        return list(wanted.values())
    return wanted if isinstance(wanted, list) else [wanted]


def _stretched(widths: dict[str, int], available: int) -> dict[str, int]:
    """Share a row's columns among the charts that are left, in the proportions they had."""
    total, used, given = sum(widths.values()), 0, 0
    result = {}
    for name, width in widths.items():
        used += width
        result[name] = round(available * used / total) - given
        given += result[name]
    return result
