# mypy: disable-error-code="no-any-return"
"""Compare tables row by row and say which rows differ."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Number

import numpy as np
import pandas as pd

RELATIVE = 1e-9  # for ratios; whole numbers, money, text, dates and flags must be equal
ABSOLUTE = 6e-10  # the marts round ratios to nine digits
EXAMPLES = 5


def assert_same_rows(
    actual: pd.DataFrame,
    expected: pd.DataFrame,
    keys: Sequence[str],
    *,
    money: Sequence[str] = (),
    columns: Sequence[str] | None = None,
) -> None:
    """Assert that two tables hold the same keys, each once, and the same value in every column.

    Parameters
    ----------
    actual
        Table as published.
    expected
        Table as recomputed. A column of doubles is a ratio and may differ by 1e-9 of its size; all others are exact.
    keys
        Columns that name a row.
    money
        Columns that are decimal amounts in `actual` and whole cents in `expected`.
    columns
        Columns to compare; all of `expected` by default.
    """
    compared = [name for name in (columns or expected.columns) if name not in keys]
    absent = [name for name in [*keys, *compared] if name not in actual.columns]
    assert not absent, f"columns missing from the published table: {absent}; it has {list(actual.columns)}"
    left, right = _keyed(actual, keys, "published"), _keyed(expected, keys, "recomputed")
    only_left, only_right = left.index.difference(right.index), right.index.difference(left.index)
    assert only_left.empty, f"{len(only_left)} rows are published but not recomputed, e.g. {list(only_left[:EXAMPLES])}"
    assert only_right.empty, (
        f"{len(only_right)} rows are recomputed but not published, e.g. {list(only_right[:EXAMPLES])}"
    )
    left, right = left.sort_index(), right.sort_index()
    problems = []
    for name in compared:
        published = to_cents(left[name]) if name in money else left[name]
        differs = ~same_values(published, right[name])
        if differs.any():
            shown = pd.DataFrame({"published": published[differs], "recomputed": right[name][differs]}).head(EXAMPLES)
            problems.append(f"{name}: {int(differs.sum())} of {len(left)} rows differ\n{shown.to_string()}")
    assert not problems, "\n".join(problems)


def _keyed(table: pd.DataFrame, keys: Sequence[str], side: str) -> pd.DataFrame:
    frame = table.copy()
    for key in keys:
        kind = _kind(frame[key])
        if kind == "time":
            frame[key] = pd.to_datetime(frame[key]).astype("datetime64[us]")
        elif kind == "number":
            frame[key] = frame[key].astype("int64")
        else:
            frame[key] = frame[key].astype(object)
    frame = frame.set_index(list(keys))
    twice = frame.index[frame.index.duplicated()]
    assert twice.empty, f"{len(twice)} keys are not unique in the {side} table, e.g. {list(twice[:EXAMPLES])}"
    return frame


def to_cents(amounts: pd.Series) -> pd.Series:
    """Return decimal amounts as whole cents, missing where the amount is."""
    return (amounts.astype("Float64") * 100).round().astype("Int64")


def same_values(left: pd.Series, right: pd.Series) -> np.ndarray:
    """Return per row whether two columns agree; two missing values agree."""
    missing_left, missing_right = left.isna().to_numpy(), right.isna().to_numpy()
    kinds = {_kind(side) for side in (left, right)} - {"empty"}
    if len(kinds) > 1:
        return missing_left & missing_right
    kind = kinds.pop() if kinds else "empty"
    if kind == "empty":
        equal = np.ones(len(left), dtype=bool)
    elif kind == "time":
        equal = _times(left) == _times(right)
    elif kind == "number":
        numbers = [pd.to_numeric(side).astype("Float64").to_numpy(float, na_value=np.nan) for side in (left, right)]
        if pd.api.types.is_float_dtype(right.dtype):
            equal = np.isclose(numbers[0], numbers[1], rtol=RELATIVE, atol=ABSOLUTE)
        else:
            equal = numbers[0] == numbers[1]
    else:
        sides = [side.astype(object).where(side.notna(), None).to_numpy() for side in (left, right)]
        equal = sides[0] == sides[1]
    return (missing_left & missing_right) | (~missing_left & ~missing_right & np.asarray(equal, dtype=bool))


def _times(column: pd.Series) -> np.ndarray:
    return pd.to_datetime(column).astype("datetime64[us]").to_numpy()


def _kind(column: pd.Series) -> str:
    present = column.dropna()
    if present.empty:
        return "empty"
    if pd.api.types.is_bool_dtype(column.dtype) or isinstance(present.iloc[0], bool | np.bool_):
        return "flag"
    if pd.api.types.is_numeric_dtype(column.dtype) or isinstance(present.iloc[0], Number):
        return "number"
    if pd.api.types.is_datetime64_any_dtype(column.dtype) or hasattr(present.iloc[0], "year"):
        return "time"
    return "text"
