"""The features a model may use, what they are called in a sentence, and the columns of one cut-off in memory.

The features themselves are SQL: ``models/marts/churn/churn_features.sql``. This module only says how to read them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int32]
Flags = npt.NDArray[np.bool_]

UNKNOWN = "unknown"


@dataclass(frozen=True)
class Feature:
    """One column of ``churn_features``.

    Parameters
    ----------
    name : str
        Column name.
    topic : str
        What it is about; the contributions of a topic's features are told as one reason.
    phrase : str
        Sentence with ``{}`` for the value. For a flag: what it says when true.
    absent : str
        Sentence for a missing value. For a flag: what it says when false.
    kind : str
        ``number``, ``flag`` (0 or 1) or ``category``.
    log : bool
        Amounts and counts whose ratios matter more than their differences enter linear models as log(1 + value).
    decimals : int
        Digits shown in the sentence; -2 shows a share in percent.
    singular : str
        Sentence for exactly one, where the plural would be wrong.
    """

    name: str
    topic: str
    phrase: str
    absent: str
    kind: Literal["number", "flag", "category"] = "number"
    log: bool = False
    decimals: int = 0
    singular: str = ""


FEATURES: tuple[Feature, ...] = (
    Feature("recency_days", "recency", "last order {} days ago", "", log=True, singular="last order 1 day ago"),
    Feature(
        "recency_to_mean_gap",
        "recency",
        "waiting {} times their usual gap",
        "no usual gap between orders yet",
        log=True,
        decimals=1,
        singular="waiting as long as their usual gap",
    ),
    Feature("tenure_days", "recency", "customer for {} days", "", log=True, singular="customer for 1 day"),
    Feature("order_count", "frequency", "{} orders so far", "", log=True, singular="only one order so far"),
    Feature(
        "order_count_90_days",
        "frequency",
        "{} orders in the last 90 days",
        "",
        log=True,
        singular="one order in the last 90 days",
    ),
    Feature(
        "order_count_365_days",
        "frequency",
        "{} orders in the last 365 days",
        "",
        log=True,
        singular="one order in the last 365 days",
    ),
    Feature("mean_gap_days", "rhythm", "orders {} days apart on average", "no second order yet", log=True),
    Feature("gap_days_sd", "rhythm", "gaps between orders vary by {} days", "fewer than three orders", log=True),
    Feature("last_gap_days", "rhythm", "last two orders {} days apart", "no second order yet", log=True),
    Feature("monetary_total", "money", "spent {} in all", "", log=True),
    Feature("monetary_mean", "money", "{} per order on average", "", log=True),
    Feature("last_order_payment", "money", "paid {} for the last order", "", log=True),
    Feature("largest_order_payment", "money", "largest order {}", "", log=True),
    Feature("first_order_payment", "money", "first order {}", "", log=True),
    Feature(
        "spend_trend",
        "money",
        "last order {} times the earlier ones",
        "no second order yet",
        log=True,
        decimals=1,
        singular="last order as large as the earlier ones",
    ),
    Feature("items_per_order", "basket", "{} items per order", "", log=True, decimals=1, singular="one item per order"),
    Feature(
        "last_order_items", "basket", "{} items in the last order", "", log=True, singular="one item in the last order"
    ),
    Feature("freight_share", "basket", "freight is {} % of what they paid", "freight unknown", decimals=-2),
    Feature("last_category", "category", "last bought {}", "", kind="category"),
    Feature("first_category", "category", "first bought {}", "", kind="category"),
    Feature("main_category", "category", "largest order in {}", "", kind="category"),
    Feature("category_count", "category", "bought in {} categories", "", log=True, singular="bought in one category"),
    Feature("last_payment_type", "payment", "last paid by {}", "", kind="category"),
    Feature("first_payment_type", "payment", "first paid by {}", "", kind="category"),
    Feature(
        "last_installments",
        "payment",
        "last paid in {} instalments",
        "instalments unknown",
        log=True,
        singular="last paid at once",
    ),
    Feature("customer_state", "place", "lives in {}", "", kind="category"),
    Feature("customer_region", "place", "lives in the region {}", "", kind="category"),
    Feature(
        "last_delivery_days",
        "delivery",
        "last order took {} days to arrive",
        "last order not known to have arrived",
        log=True,
        singular="last order took 1 day to arrive",
    ),
    Feature("last_delay_days", "delivery", "", "last order not known to have arrived"),
    Feature(
        "mean_delivery_days", "delivery", "orders take {} days to arrive", "no order known to have arrived", log=True
    ),
    Feature("mean_delay_days", "delivery", "", "no order known to have arrived"),
    Feature("late_share", "delivery", "{} % of orders late", "no order known to have arrived", decimals=-2),
    Feature("has_open_delivery", "delivery", "an order is still on its way", "no order on its way", kind="flag"),
    Feature("last_review_score", "review", "last review {} of 5", "no review"),
    Feature("mean_review_score", "review", "reviews {} of 5 on average", "no review", decimals=1),
    Feature("review_count", "review", "{} reviews", "", log=True, singular="one review"),
    Feature("is_last_review_missing", "review", "last order not reviewed", "last order reviewed", kind="flag"),
    Feature("has_review_comment", "review", "wrote a comment", "wrote no comment", kind="flag"),
    Feature("last_order_weekday", "season", "last order on a {}", "", kind="category"),
    Feature("last_order_month", "season", "last order in {}", "", kind="category"),
    Feature(
        "canceled_order_count",
        "cancellations",
        "{} orders canceled",
        "",
        log=True,
        singular="one order canceled",
    ),
)
NAMES: tuple[str, ...] = tuple(feature.name for feature in FEATURES)
# Worked out from the others by a model, and no column of ``churn_features``: see ``scoring.models.rhythm``.
RHYTHM = Feature("rhythm_log_odds", "rhythm", "their rhythm alone gives {} % to return", "no rhythm known", decimals=1)
# Too many to be told of everyone at every cut-off: only the model of first purchases reads it.
CITY = Feature("customer_city", "place", "lives in {}", "", kind="category")
BY_NAME: Mapping[str, Feature] = {feature.name: feature for feature in (*FEATURES, RHYTHM, CITY)}
TOGETHER = " x "  # between the names of two features that act together


def members(name: str) -> tuple[str, ...]:
    """Return the features of a term: one, or the two that act together."""
    return tuple(name.split(TOGETHER))


def topic_of(name: str) -> str:
    """Return what a term is about."""
    topics = sorted({BY_NAME[member].topic for member in members(name)}, key=TOPICS.index)
    return " and ".join(topics)


TOPICS: tuple[str, ...] = tuple(dict.fromkeys(feature.topic for feature in FEATURES))

_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
# Stored as numbers, but their order means nothing to a model: December is as near to January as to November.
_NUMBERED = {"last_order_weekday": _WEEKDAYS, "last_order_month": _MONTHS}


@dataclass(frozen=True)
class Category:
    """A column of words: positions in ``words``, one per row."""

    codes: Codes
    words: tuple[str, ...]

    def take(self, rows: npt.NDArray[np.intp] | Flags) -> Category:
        """Return the chosen rows."""
        return Category(self.codes[rows], self.words)

    def lookup(self, values: Mapping[str, float], otherwise: float) -> Floats:
        """Return a number for each row: that of its word."""
        table = np.array([values.get(word, otherwise) for word in self.words] or [otherwise], dtype=np.float64)
        result: Floats = table[self.codes]
        return result


@dataclass(frozen=True)
class FeatureTable:
    """The features of many customers at one or more cut-offs, column by column.

    Numbers and flags are float64 with NaN for missing; words are :class:`Category`.
    """

    rows: int
    numbers: Mapping[str, Floats]
    categories: Mapping[str, Category]

    def take(self, rows: npt.NDArray[np.intp] | Flags) -> FeatureTable:
        """Return the chosen rows."""
        count = int(rows.sum()) if rows.dtype == np.bool_ else len(rows)
        return FeatureTable(
            count,
            {name: values[rows] for name, values in self.numbers.items()},
            {name: column.take(rows) for name, column in self.categories.items()},
        )


def from_arrow(table: pa.Table, names: Sequence[str] = NAMES) -> FeatureTable:
    """Read feature columns of an Arrow table.

    Parameters
    ----------
    table : pyarrow.Table
        With the columns `names`.
    names : sequence of str
        Features wanted.

    Returns
    -------
    FeatureTable
    """
    numbers: dict[str, Floats] = {}
    categories: dict[str, Category] = {}
    for name in names:
        column = table.column(name)
        if name in _NUMBERED:
            categories[name] = _numbered(column, _NUMBERED[name])
        elif BY_NAME[name].kind == "category":
            categories[name] = _words(column)
        else:
            numbers[name] = to_floats(column)
    return FeatureTable(table.num_rows, numbers, categories)


def constant(table: FeatureTable) -> frozenset[str]:
    """Return the features that are alike in all rows: a shop without reviews has nothing to learn from them."""
    numbers = {name for name, values in table.numbers.items() if len(np.unique(values)) <= 1}
    return frozenset(numbers | {name for name, one in table.categories.items() if len(np.unique(one.codes)) <= 1})


def to_floats(column: pa.ChunkedArray) -> Floats:
    """Return a numeric or boolean Arrow column as float64, NaN where NULL."""
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.int8())
    values: Floats = column.cast(pa.float64()).to_numpy(zero_copy_only=False).astype(np.float64, copy=False)
    return values


def _numbered(column: pa.ChunkedArray, words: tuple[str, ...]) -> Category:
    values = np.nan_to_num(to_floats(column), nan=len(words) + 1).astype(np.int32) - 1
    return Category(values, (*words, UNKNOWN))


def _words(column: pa.ChunkedArray) -> Category:
    encoded = column.cast(pa.string()).fill_null(UNKNOWN).combine_chunks().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    words = tuple(str(word) for word in encoded.dictionary.to_pylist())
    codes: Codes = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int32)
    return Category(codes, words)


def concatenate(tables: Sequence[FeatureTable]) -> FeatureTable:
    """Stack tables of the same features on top of each other."""
    if len(tables) == 1:
        return tables[0]
    first = tables[0]
    numbers = {name: np.concatenate([table.numbers[name] for table in tables]) for name in first.numbers}
    categories: dict[str, Category] = {}
    for name in first.categories:
        words = tuple(dict.fromkeys(word for table in tables for word in table.categories[name].words))
        position = {word: code for code, word in enumerate(words)}
        parts = []
        for table in tables:
            column = table.categories[name]
            translation = np.array([position[word] for word in column.words] or [0], dtype=np.int32)
            parts.append(translation[column.codes])
        categories[name] = Category(np.concatenate(parts), words)
    return FeatureTable(sum(table.rows for table in tables), numbers, categories)
