"""The comparison itself: it must see what it is there to see."""

from __future__ import annotations

import pandas as pd
import pytest
from comparing import assert_same_rows

EXPECTED = pd.DataFrame(
    {
        "key": ["a", "b", "c"],
        "count": pd.array([1, 2, None], dtype="Int64"),
        "paid": [100, 123_456_789_01, 0],
        "rate": [0.1, None, 0.3],
        "day": [pd.Timestamp("2018-01-01"), None, pd.Timestamp("2018-01-03")],
        "flag": pd.array([True, None, False], dtype="boolean"),
        "name": ["x", None, "z"],
    }
)


def published() -> pd.DataFrame:
    return EXPECTED.assign(paid=[1.00, 123_456_789.01, 0.0], count=EXPECTED["count"].astype(float))


def test_equal_tables_pass_whatever_their_row_order() -> None:
    assert_same_rows(published().iloc[::-1], EXPECTED, ["key"], money=["paid"])


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("count", 3.0),
        ("count", None),
        ("paid", 123_456_789.02),
        ("rate", 0.100001),
        ("rate", None),
        ("day", pd.Timestamp("2018-01-02")),
        ("flag", False),
        ("name", "y"),
        ("name", None),
    ],
)
def test_a_changed_cell_is_found(column: str, value: object) -> None:
    changed = published()
    cells = list(changed[column])
    cells[1 if column == "paid" else 0] = value
    changed[column] = pd.Series(cells, dtype=object)
    with pytest.raises(AssertionError, match=f"{column}: 1 of 3 rows differ"):
        assert_same_rows(changed, EXPECTED, ["key"], money=["paid"])


def test_a_value_where_none_is_expected_is_found() -> None:
    changed = published()
    changed.loc[1, "rate"] = 0.0
    with pytest.raises(AssertionError, match="rate: 1 of 3"):
        assert_same_rows(changed, EXPECTED, ["key"], money=["paid"])


def test_a_missing_an_extra_and_a_doubled_row_are_found() -> None:
    with pytest.raises(AssertionError, match="1 rows are recomputed but not published"):
        assert_same_rows(published().iloc[:2], EXPECTED, ["key"], money=["paid"])
    with pytest.raises(AssertionError, match="1 rows are published but not recomputed"):
        assert_same_rows(published(), EXPECTED.iloc[:2], ["key"], money=["paid"])
    with pytest.raises(AssertionError, match="not unique"):
        assert_same_rows(pd.concat([published(), published()]), EXPECTED, ["key"], money=["paid"])
