"""Looking from a past day shows what the files of that day would have shown."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from builds import build_warehouses
from recompute.as_of import visible_as_of
from recompute.raw import read_raw, write_raw
from shop_cases import LOOK_BACK_DAY, look_back_shop
from snapshots import differing_tables

pytestmark = pytest.mark.rows_only

# The whole files have more rows than the cut ones, and the build says so.
RAW_ROWS = (
    "raw_orders",
    "raw_customers",
    "raw_order_items",
    "raw_order_payments",
    "raw_order_reviews",
    "raw_products",
    "raw_sellers",
    "later_orders",
)


def differences_as_of(raw: Path, day: str, folder: Path) -> dict[str, list[str]]:
    """Build the files seen from a day, and the files cut at that day; return the marts that differ."""
    cut = write_raw(visible_as_of(read_raw(raw), pd.Timestamp(day)), folder / "cut")
    built = build_warehouses(
        {
            "looked_back": (raw, folder / "looked-back", {"as_of_date": day}),
            "of_that_day": (cut, folder / "of-that-day", {}),
        }
    )
    found = differing_tables(built["looked_back"], built["of_that_day"], ["marts"], ignore=RAW_ROWS)
    # one sentence is of the files: how many rows of theirs came after the day
    if all("('data_health', 1, " in row for row in found.get("marts.findings_sentences", [])):
        found.pop("marts.findings_sentences", None)
    return found


def test_every_mix_of_stamps_seen_from_a_past_day_is_the_files_of_that_day(tmp_path: Path) -> None:
    raw = look_back_shop().write(tmp_path / "raw")
    assert differences_as_of(raw, LOOK_BACK_DAY, tmp_path) == {}


@pytest.mark.real
def test_the_real_files_seen_from_a_past_day_are_the_files_of_that_day(olist_raw: Path, tmp_path: Path) -> None:
    assert differences_as_of(olist_raw, "2018-03-01", tmp_path) == {}
