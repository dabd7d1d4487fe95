"""The six tables that a shop may have besides the nine: nothing is said where they are absent, each cell is judged."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
from input_folder import InputFolder, small_shop

from pipeline.base.errors import InputError
from pipeline.base.sql import parquet
from pipeline.landing.contract import raw_tables
from pipeline.landing.load import load

EXTRAS = [name for name, table in raw_tables().items() if table.is_extra]
# A row that lands, and rows that do not, each with the problem that it goes to quarantine for.
ROWS = {
    "order_discounts": (
        "order-00001,SPRING,5.00",
        {
            "order-00001,SUMMER,-1": "a value outside its range",
            "no-such-order,SPRING,1": "the row it belongs to is missing",
            "order-00002,,1": "a required cell is missing",
        },
    ),
    "refunds": (
        "r1,order-00001,2024-02-01 10:00:00,5.00",
        {
            "r2,order-00001,2024-02-01 10:00:00,-5.00": "a value outside its range",
            "r3,no-such-order,2024-02-01,5": "the row it belongs to is missing",
            "r4,order-00001,last week,5": "a cell cannot be read",
        },
    ),
    "product_costs": (
        "product-1,3.50",
        {"product-7,3.50": "the row it belongs to is missing", "product-2,cheap": "a cell cannot be read"},
    ),
    "acquisition_costs": (
        "2024-01-01,search,100",
        {
            "2024-02,search,100": "a cell cannot be read",
            "2024-02-01,,100": "a required cell is missing",
            "2024-03-01,search,-1": "a value outside its range",
        },
    ),
    "order_channels": (
        "order-00001,search",
        {"no-such-order,search": "the row it belongs to is missing", "order-00002,": "a required cell is missing"},
    ),
    "campaign_events": (
        "one-20240101,person-0,sent,2024-01-02 10:00:00",
        {
            "one-20240101,person-0,bounced,2024-01-02 10:00:00": "a value outside the list",
            "one-20240101,,sent,2024-01-02 10:00:00": "a required cell is missing",
        },
    ),
}


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> InputFolder:
    monkeypatch.setenv("RAW_DIR", str(tmp_path / "raw"))
    monkeypatch.setenv("WAREHOUSE_DIR", str(tmp_path / "warehouse"))
    return InputFolder(small_shop().write(tmp_path / "raw"), tmp_path / "warehouse" / "landing")


def write(shop: InputFolder, table: str, *rows: str) -> None:
    header = ",".join(raw_tables()[table].columns)
    shop.file(table).write_text("\n".join([header, *rows, ""]))


def test_nothing_is_said_of_what_most_shops_lack(shop: InputFolder, capsys: pytest.CaptureFixture[str]) -> None:
    shop.load()
    assert "stay empty" not in capsys.readouterr().err
    assert all(shop.rows(table) == [] for table in EXTRAS)


def test_each_row_is_judged_and_named_with_its_file_and_line(shop: InputFolder) -> None:
    assert set(ROWS) == set(EXTRAS)
    for table, (good, bad) in ROWS.items():
        write(shop, table, good, *bad)
    load("{max_quarantined_share: 1}")
    files = parquet(sorted((shop.landing / "quarantine").glob("*.parquet")))
    with duckdb.connect() as connection:
        rows = connection.execute(f"SELECT source_table, source_file, line, raw_row, problem FROM {files}").fetchall()
    told = {tuple(place): (raw, problem) for *place, raw, problem in rows}
    for table, (good, bad) in ROWS.items():
        (landed,) = shop.rows(table)
        assert str(landed[0]).split(" ")[0] == good.split(",")[0]
        for line, (row, problem) in enumerate(bad.items(), start=3):
            assert told.pop((table, f"{raw_tables()[table].stem}.csv", line)) == (row, problem)
    assert not told


def test_a_later_file_replaces_rows_of_the_same_key(shop: InputFolder) -> None:
    write(shop, "product_costs", "product-1,3.50", "product-2,4.00")
    shop.piece("product_costs", "2025", "product-1,3.75")
    shop.load()
    assert sorted((name, str(cost)) for name, cost in shop.rows("product_costs")) == [
        ("product-1", "3.75"),
        ("product-2", "4.00"),
    ]


def test_a_table_that_lacks_a_column_stops_the_load_and_is_named(shop: InputFolder) -> None:
    shop.file("order_channels").write_text("order_id\norder-00001\n")
    with pytest.raises(InputError, match=r"order_channels.*channel"):
        shop.load()


def test_a_table_that_is_gone_stops_the_load(shop: InputFolder) -> None:
    write(shop, "refunds", ROWS["refunds"][0])
    shop.load()
    shop.file("refunds").unlink()
    with pytest.raises(InputError, match="no longer has refunds"):
        shop.load()
