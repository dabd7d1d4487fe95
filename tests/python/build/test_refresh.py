"""Refreshing is building: the same files give the same warehouse, in whatever order and pieces they came."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import sys
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import duckdb
import pandas as pd
import pytest
from builds import build_warehouse, published_file, run
from input_folder import InputFolder, small_shop
from recompute.as_of import visible_as_of
from recompute.raw import FILES, read_raw
from snapshots import differing_tables

from pipeline.base import paths
from pipeline.build import build
from pipeline.landing.contract import raw_tables
from pipeline.landing.load import load

pytestmark = pytest.mark.rows_only

# Ten in the normal run, a few of them through dbt; the long run is ARRIVAL_ORDERS=200.
ORDERS = int(os.environ.get("ARRIVAL_ORDERS", "10"))
THROUGH_DBT = ORDERS if ORDERS > 10 else 2
# What a refresh keeps the earlier rows of, and all that it is made from.
WINDOWED = ("fct_orders", "fct_order_items", "fct_payments", "fct_reviews", "month_end_bounds", "segment_history")
ONLY_WINDOWED = ["--select", *(f"+{name}" for name in WINDOWED), "--exclude-resource-type", "test", "unit_test"]
ALL_ALLOWED = "{max_quarantined_share: 1}"
# None in the normal run; the long run is REAL_MONTHS=23.
REAL_MONTHS = int(os.environ.get("REAL_MONTHS", "0"))
# a shop in its first months doubles from one to the next
MONTHLY = "{unusual_build: warn, max_quarantined_share: 1}"

File = tuple[str, str]  # table, name of the piece


def pieces(seed: int) -> dict[File, list[str]]:
    """Cut the small shop into files at random: rows late, rows early, rows sent again and corrected."""
    dice = random.Random(seed)  # noqa: S311
    raw = small_shop().raw()
    files: dict[File, list[str]] = {}
    frames = {
        "orders": raw.orders,
        "order_items": raw.items,
        "order_payments": raw.payments,
        "order_reviews": raw.reviews,
        "customers": raw.customers,
        "geolocation": raw.geolocation,
        "products": raw.products,
        "sellers": raw.sellers,
        "category_translation": raw.translation,
    }
    corrections = {
        "orders": [("delivered", "canceled"), ("-10 12:00:00", "-25 09:00:00"), ("2024-05-10 12", "2024-02-10 12")],
        "order_items": [("10.0", "99.0"), ("product-1", "product-2")],
        "order_payments": [("credit_card", "boleto"), (".50", ".75")],
        "order_reviews": [(",1,", ",5,"), ("18:00:00", "19:30:00")],
        "customers": [("person-3", "person-1"), (",SP", ",RJ")],
        "products": [("perfumaria", "brinquedos")],
        "sellers": [("SP", "MG")],
    }
    # half of the shops send by month and correct late months only: their windows begin in the middle
    by_month = seed % 2 == 1
    month_of = dict(zip(raw.orders["order_id"], raw.orders["order_purchase_timestamp"].str[:7], strict=True))
    first_corrected = f"2024-{dice.randint(5, 10):02}" if by_month else ""
    for table, frame in frames.items():
        rows = [row + "\n" for row in _as_csv(frame)]
        dice.shuffle(rows)
        count = dice.randint(1, 3)
        names = ["", *(f"2024-{number:02}" for number in range(1, count + 1))]
        months = {row: month for row in rows for order, month in month_of.items() if order in row}
        if by_month and months:
            names = ["", *sorted({month for month in months.values() if month >= "2024-04"})]
        for name in names:
            files[table, name] = []
        for row in rows:
            name = months.get(row, "") if by_month else dice.choice(names)
            files[table, name if name in names else ""].append(row)
        for number, (old, new) in enumerate(corrections.get(table, [])):
            late = [row for row in rows if months.get(row, "9999") >= first_corrected]
            again = [row.replace(old, new) for row in late if dice.random() < 0.4]
            if not (by_month and table == "products"):
                files[table, f"2025-{number:02}"] = again
    # rows that nothing makes good: their order never comes
    files["order_payments", "2025-99"] = ["nowhere,1,boleto,1,1.00\n"]
    return files


def _as_csv(frame: object) -> list[str]:
    """Return the rows of a table as CSV, quoted cells with line ends kept whole."""
    text = frame.to_csv(index=False, header=False)  # type: ignore[attr-defined]
    rows: list[str] = []
    for line in text.splitlines():
        if rows and rows[-1].count('"') % 2:
            rows[-1] += "\n" + line
        else:
            rows.append(line)
    return rows


def write(folder: Path, file: File, rows: list[str]) -> None:
    table, name = file
    path = folder / (raw_tables()[table].stem + (f"_{name}" if name else "") + ".csv")
    path.write_text(",".join(raw_tables()[table].published) + "\n" + "".join(rows))


def write_all(place: InputFolder, files: dict[File, list[str]]) -> None:
    for path in place.raw.iterdir():
        path.unlink()
    for file, rows in files.items():
        write(place.raw, file, rows)


def arrivals(files: dict[File, list[str]], seed: int) -> list[list[File]]:
    """Deal the files into deliveries at random; the first has a file of every table, or nothing could be built."""
    dice = random.Random(seed)  # noqa: S311
    waiting = list(files)
    dice.shuffle(waiting)
    usual = [table.name for table in raw_tables().values() if not table.is_extra]
    first = [next(file for file in waiting if file[0] == name) for name in usual]
    rest = [file for file in waiting if file not in first]
    if seed % 2:
        # as it mostly is: in the order of the names, what the others refer to first
        first = [file for file in files if not file[1]]
        rest = sorted((file for file in files if file[1]), key=lambda file: (file[1], file))
    cuts = [0, *sorted(dice.sample(range(1, len(rest)), dice.randint(1, 3))), len(rest)]
    deliveries = [rest[start:end] for start, end in pairwise(cuts)]
    arrived = [first + deliveries[0], *deliveries[1:]]
    assert sorted(file for delivery in arrived for file in delivery) == sorted(files)
    return arrived


def landed(landing: Path) -> dict[str, object]:
    """Return what dbt would read, rows in one order."""
    tables = [*(table.name for table in raw_tables().values()), "quarantine", "load_summary"]
    with duckdb.connect() as connection:
        return {
            name: connection.execute(
                f"""SELECT * {"EXCLUDE (loaded_at)" if name == "load_summary" else ""}
                FROM '{landing / name}/*.parquet' ORDER BY ALL"""
            ).fetchall()
            for name in tables
        }


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> InputFolder:
    raw, warehouse = tmp_path / "raw", tmp_path / "warehouse"
    raw.mkdir()
    monkeypatch.setenv("RAW_DIR", str(raw))
    monkeypatch.setenv("WAREHOUSE_DIR", str(warehouse))
    monkeypatch.setenv("DBT_TARGET_PATH", str(tmp_path / "dbt-target"))
    monkeypatch.setenv("DBT_LOG_PATH", str(tmp_path / "dbt-logs"))
    return InputFolder(raw, warehouse / "landing")


def test_the_landing_is_the_same_whatever_the_order_of_arrival(place: InputFolder) -> None:
    for number in range(ORDERS):
        files = pieces(number // 5)
        if number % 5 == 0:
            shutil.rmtree(place.landing, ignore_errors=True)
            write_all(place, files)
            books = place.load()
            assert books["order_payments"].quarantined_rows > 0 and books["orders"].superseded_rows > 0
            expected = landed(place.landing)
        # the landing of the order before stays: files vanish, and come again
        write_all(place, {})
        for delivery in arrivals(files, number):
            for file in delivery:
                write(place.raw, file, files[file])
            place.load()
        assert landed(place.landing) == expected, f"arrival order {number}"


def windowed(file: Path) -> dict[str, list[tuple[object, ...]]]:
    with duckdb.connect(str(file), read_only=True) as connection:
        names = connection.execute(
            """SELECT schema_name || '.' || table_name FROM duckdb_tables()
            WHERE starts_with(table_name, 'int_') OR list_contains(?, table_name) ORDER BY 1""",
            [list(WINDOWED)],
        ).fetchall()
        return {name: connection.execute(f"FROM {name} ORDER BY ALL").fetchall() for (name,) in names}


def test_incremental_tables_are_those_of_a_full_build_whatever_the_order_of_arrival(
    place: InputFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dbt.cli import main

    # the project is parsed once: of hundreds of builds, parsing would be the larger part
    write_all(place, pieces(1))
    monkeypatch.chdir(paths.PROJECT)
    project = main.dbtRunner().invoke(["parse", "--quiet", "--vars", ALL_ALLOWED]).result
    monkeypatch.setattr(main, "dbtRunner", partial(main.dbtRunner, manifest=cast("Any", project)))
    windows: list[str | None] = []
    untouched = build._build

    def noting(*arguments: Any, **named: Any) -> None:
        windows.append(named["since"])
        untouched(*arguments, **named)

    monkeypatch.setattr(build, "_build", noting)
    for number in range(THROUGH_DBT):
        files = pieces(1 + number // 10)
        if number % 10 == 0:
            write_all(place, files)
            paths.build_file().unlink(missing_ok=True)
            build.refresh(ALL_ALLOWED, with_scores=False, options=ONLY_WINDOWED)
            expected = windowed(paths.build_file())
        write_all(place, {})
        for delivery in arrivals(files, 1000 + number):
            for file in delivery:
                write(place.raw, file, files[file])
            build.refresh(ALL_ALLOWED, with_scores=False, options=ONLY_WINDOWED)
        assert windowed(paths.build_file()) == expected, f"arrival order {number}"
        print(f"  arrival order {number}: rows as in a full build", file=sys.stderr, flush=True)
    # windows of all lengths, and a whole build for each shop only
    assert windows.count(None) == len(range(0, THROUGH_DBT, 10))
    assert len(set(windows)) > 2


def test_a_refreshed_warehouse_is_that_of_a_full_build(tmp_path: Path) -> None:
    raw, refreshed = tmp_path / "raw", tmp_path / "refreshed"
    raw.mkdir()
    files = pieces(7)
    late = [file for file in files if file[1].startswith("2025") and file[0] != "products"]
    for file, rows in files.items():
        if file not in late:
            write(raw, file, rows)
    build_warehouse(raw, refreshed, score=False, variables={"max_quarantined_share": 1})
    target = refreshed / "dbt-target"
    of_the_project = [target / "partial_parse.msgpack", target / "manifest.json"]
    parsed, last_results = [file.stat().st_mtime_ns for file in of_the_project], target / "run_results.json"
    last_results.unlink()
    for file in late:
        write(raw, file, files[file])
    outcome = run(raw, refreshed, "refresh", "--no-score", "--vars", ALL_ALLOWED)
    assert outcome.returncode == 0, outcome.stderr
    assert re.search("facts from 2024-(0[2-9]|1)", outcome.stderr), outcome.stderr
    # another month is no other project: nothing is parsed or written again, what was run is told all the same
    assert [file.stat().st_mtime_ns for file in of_the_project] == parsed
    told = {result["status"] for result in json.loads(last_results.read_text())["results"]}
    assert told <= {"success", "pass", "no-op"}
    full = build_warehouse(raw, tmp_path / "full", score=False, variables={"max_quarantined_share": 1})
    assert differing_tables(full, refreshed, ["marts", "quality", "scores"]) == {}
    # and refreshing again does nothing
    before = published_file(refreshed).resolve()
    again = run(raw, refreshed, "refresh", "--no-score", "--vars", ALL_ALLOWED)
    assert again.returncode == 0 and "nothing new" in again.stderr
    assert published_file(refreshed).resolve() == before


@pytest.mark.long
@pytest.mark.real
def test_the_real_files_month_by_month_are_the_real_files(olist_raw: Path, tmp_path: Path) -> None:
    """Each month end sends what became known since the one before: new orders, and earlier ones with new stamps."""
    if not REAL_MONTHS:
        pytest.skip("a long run: REAL_MONTHS=23 refreshes the last 23 months of the real files one by one")
    whole = read_raw(olist_raw)
    place = InputFolder(tmp_path / "raw", tmp_path / "refreshed" / "landing")
    place.raw.mkdir()
    month_ends = pd.date_range("2016-11-01", "2018-11-01", freq="MS")[-REAL_MONTHS:]
    sent: dict[str, pd.DataFrame] = {}
    for month_end in month_ends:
        # the last delivery brings everything
        known = visible_as_of(whole, month_end) if month_end != month_ends[-1] else whole
        for table, file in FILES.items():
            frame = getattr(known, table)
            new = frame.loc[frame.index.difference(_unchanged(frame, sent.get(table)))]
            if len(new) or not sent:
                new.to_csv(place.raw / f"{file}_{month_end:%Y-%m}.csv", index=False)
        sent = {table: getattr(known, table) for table in FILES}
        outcome = run(place.raw, tmp_path / "refreshed", "refresh", "--no-score", "--vars", MONTHLY)
        assert outcome.returncode == 0, outcome.stderr
        print(f"  real files up to {month_end:%Y-%m}", file=sys.stderr, flush=True)
    full = build_warehouse(olist_raw, tmp_path / "full", score=False, variables={"max_quarantined_share": 1})
    assert differing_tables(full, tmp_path / "refreshed", ["marts"], ignore=["raw_orders", "raw_order_reviews"]) == {}


def _unchanged(frame: pd.DataFrame, before: pd.DataFrame | None) -> pd.Index[Any]:
    """Return the rows that were sent before in the same form."""
    if before is None:
        return frame.index[:0]
    both = frame.index.intersection(before.index)
    now, then = frame.loc[both].fillna(""), before.loc[both].fillna("")
    return both[(now == then).all(axis=1)]


def test_an_unchanged_landing_changes_nothing(place: InputFolder) -> None:
    for file, rows in pieces(0).items():
        write(place.raw, file, rows)
    load()
    before = {file: file.stat().st_mtime_ns for file in place.landing.rglob("*.parquet")}
    for path in place.raw.iterdir():
        path.touch()  # copied again, with the same bytes
    load()
    assert {path: path.stat().st_mtime_ns for path in place.landing.rglob("*.parquet")} == before
