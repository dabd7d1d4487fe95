"""The order of rows in the raw files means nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from builds import build_warehouse
from recompute.raw import read_raw, shuffled, write_raw
from snapshots import differing_tables

pytestmark = pytest.mark.rows_only


def test_a_shop_full_of_ties_is_the_same_in_any_row_order(small_warehouses: dict[str, Path]) -> None:
    one, other = small_warehouses["corner"], small_warehouses["corner_shuffled"]
    assert differing_tables(one, other, ["marts", "quality"]) == {}


def test_shuffled_raw_files_give_the_same_warehouse(demo_raw: Path, published_warehouse: Path, tmp_path: Path) -> None:
    raw = write_raw(shuffled(read_raw(demo_raw), seed=20), tmp_path / "raw")
    again = build_warehouse(raw, tmp_path / "warehouse")
    assert differing_tables(published_warehouse, again, ["marts", "quality", "scores"]) == {}
