"""Coupons, refunds, costs, channels, events of campaigns: through a mapping into figures, each counted again."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import yaml
from builds import ROOT, build_warehouse, mart
from comparing import assert_same_rows, to_cents
from recompute.shop import Recomputed

from demo import generate
from demo.extras import EXTRAS, EXTRAS_TRUTH_FILE, write_extras
from pipeline.base import campaigns
from pipeline.base.files import digest_of

ORDERS = 2_000
LAUNCH = "one-20250601"
MARTS = ("marts.acquisition_channels", "marts.monthly_net_revenue", "marts.product_margins", "marts.category_margins")


@dataclass(frozen=True)
class Extras:
    """A published warehouse, the six further tables as written, and what pandas makes of the other nine."""

    warehouse: Path
    tables: dict[str, pd.DataFrame]
    expected: Recomputed
    members: pd.DataFrame


@pytest.fixture(scope="module")
def extras(tmp_path_factory: pytest.TempPathFactory) -> Extras:
    """Build a demo shop whose further tables lie there under names of its own, as shop.yml says."""
    folder = tmp_path_factory.mktemp("extras")
    raw, launches = folder / "raw", folder / "campaigns"
    generate(raw, ORDERS)
    expected = Recomputed(raw)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CAMPAIGNS_DIR", str(launches))
        members = drawn(sorted(expected.raw.customers["customer_unique_id"].unique())[:200])
        campaigns.write("launches", LAUNCH, members)
        write_extras(raw)
    tables = {name: pd.read_csv(raw / f"{name}.csv") for name in EXTRAS}
    shop = yaml.safe_load((ROOT / "mappings" / "olist.yml").read_text())
    for name, written in tables.items():
        # capitals make no other channel
        is_loud = name == "order_channels"
        table = written.assign(channel=written["channel"].str.title()) if is_loud else written
        theirs = {column: f"their_{column}" for column in table.columns}
        table.rename(columns=theirs).to_csv(raw / f"our_{name}.csv", index=False)
        (raw / f"{name}.csv").unlink()
        shop["files"][name] = f"our_{name}"
        shop["tables"][name] = {"from": name, "columns": theirs}
    (raw / "shop.yml").write_text(yaml.safe_dump(shop))
    warehouse = build_warehouse(raw, folder / "warehouse", score=False, settings={"CAMPAIGNS_DIR": str(launches)})
    return Extras(warehouse, tables, expected, members.to_pandas())


def drawn(people: list[str]) -> pa.Table:
    """Launch a campaign to people, about half of whom are held out."""
    rows = [
        {
            "launch_id": LAUNCH,
            "audience": "one",
            "channel": "email",
            "launched_at": dt.datetime(2025, 6, 1),
            "starts_on": dt.date(2025, 6, 1),
            "ends_on": dt.date(2025, 7, 1),
            "condition": "true",
            "salt": "salt",
            "control_share": 0.5,
            "contact_cost": 0.5,
            "customer_id": person,
            "draw": (number := campaigns.draw("salt", person)),
            "arm": campaigns.CONTROL if number < 0.5 else campaigns.TREATED,
        }
        for person in people
    ]
    return pa.Table.from_pylist(rows, schema=campaigns.LAUNCH)


def first_orders(extras: Extras) -> pd.DataFrame:
    """Return each person's first valid order with its channel and coupon, as the warehouse is to see them."""
    orders = extras.expected.valid_orders.dropna(subset=["customer_id"])
    first = orders[orders["customer_order_number"] == 1]
    first = first.merge(extras.tables["order_channels"], on="order_id", how="left")
    coupons = extras.tables["order_discounts"].drop_duplicates("order_id")[["order_id", "discount_code"]]
    return first.merge(coupons, on="order_id", how="left").assign(
        channel=lambda frame: frame["channel"].fillna("unknown"),
        coupon=lambda frame: frame["discount_code"].fillna("none"),
    )


def days_since_first(extras: Extras, first: pd.DataFrame) -> pd.DataFrame:
    """Return every valid order with the days since its person's first."""
    known = first[["customer_id", "order_date", "order_month", "channel", "coupon"]]
    known = known.rename(columns={"order_date": "first_date", "order_month": "acquired_month"})
    orders = extras.expected.valid_orders.merge(known, on="customer_id")
    return orders.assign(days=(orders["order_date"] - orders["first_date"]).dt.days)


def test_what_a_channel_costs_and_brings_is_counted_again(extras: Extras) -> None:
    first = first_orders(extras)
    keys = ["acquired_month", "channel"]
    orders = days_since_first(extras, first)
    expected = first.rename(columns={"order_month": "acquired_month"}).groupby(keys).size().to_frame("new_customers")
    for horizon in (90, 365):
        expected[f"revenue_{horizon}_days"] = orders[orders["days"] <= horizon].groupby(keys)["payment_value"].sum()
    costs = extras.tables["acquisition_costs"].assign(
        acquired_month=lambda frame: pd.to_datetime(frame["cost_month"]),
        acquisition_cost=lambda frame: frame["cost_value"],
    )
    expected = expected.join(costs.set_index(keys)["acquisition_cost"] * 100, how="outer").reset_index()
    expected["new_customers"] = expected["new_customers"].fillna(0)
    ends = expected["acquired_month"] + pd.DateOffset(months=1)
    for horizon in (90, 365):
        is_seen = (extras.expected.calendar.as_of - ends).dt.days >= horizon
        name = f"revenue_{horizon}_days"
        expected[name] = expected[name].fillna(0).where(is_seen)
    published = mart(extras.warehouse, "marts.acquisition_channels")
    published["acquired_month"] = pd.to_datetime(published["acquired_month"])
    money = ["acquisition_cost", "revenue_90_days", "revenue_365_days"]
    assert_same_rows(published, expected, keys, money=money)
    told = json.loads((extras.expected.folder / EXTRAS_TRUTH_FILE).read_text())["cost_per_new_customer"]
    spent = published[published["channel"].isin(told) & published["cost_per_new_customer"].notna()]
    assert (spent["cost_per_new_customer"] == spent["channel"].map(told)).all() and len(spent) > 50
    assert set(published.loc[published["new_customers"] == 0, "verdict"]) == {"cost_without_customers"}


def test_who_came_back_by_channel_and_coupon_is_counted_again(extras: Extras) -> None:
    first = first_orders(extras)
    later = days_since_first(extras, first)
    later = later[later["customer_occasion_number"] > 1]
    published = mart(extras.warehouse, "marts.return_drivers")
    for driver in ("channel", "coupon"):
        for horizon in (30, 90, 180, 365):
            seen = first[(extras.expected.calendar.as_of - first["order_date"]).dt.days > horizon]
            back = later[(later["days"] <= horizon) & later["customer_id"].isin(seen["customer_id"])]
            expected = seen.groupby(driver).size().to_frame("people")
            expected["returned"] = back.groupby(driver)["customer_id"].nunique()
            expected["revenue"] = back.groupby(driver)["payment_value"].sum()
            expected = expected[expected["people"] >= 100].fillna(0).rename_axis("driver_value").reset_index()
            rows = published[(published["driver"] == driver) & (published["horizon_days"] == horizon)]
            assert len(expected) > 1
            assert_same_rows(rows, expected, ["driver_value"], money=["revenue"])


def test_revenue_after_refunds_is_counted_again(extras: Extras) -> None:
    orders = extras.expected.orders
    refunds = extras.tables["refunds"].merge(orders[["order_id", "order_month", "is_valid_order"]], on="order_id")
    cents = (refunds["refund_value"] * 100).round().astype("int64")
    expected = orders[orders["is_valid_order"]].groupby("order_month")["payment_value"].sum().to_frame("revenue")
    expected["refunded"] = cents[refunds["is_valid_order"]].groupby(refunds["order_month"]).sum()
    months = pd.PeriodIndex(pd.to_datetime(refunds["refunded_at"]), freq="M").to_timestamp()
    paid_back = cents.groupby(months).sum()
    expected = expected.join(paid_back.rename("paid_back"), how="outer").rename_axis("order_month").fillna(0)
    expected["net_revenue"] = expected["revenue"] - expected["refunded"]
    published = mart(extras.warehouse, "marts.monthly_net_revenue")
    published["order_month"] = pd.to_datetime(published["order_month"])
    assert_same_rows(published, expected.reset_index(), ["order_month"], money=list(expected.columns))
    assert expected["refunded"].sum() == cents.sum() > 0


def test_margins_are_counted_again_and_come_to_the_truth(extras: Extras) -> None:
    sold = extras.expected.valid_lines.groupby("product_id")
    expected = sold["price"].sum().to_frame("revenue").join(sold.size().rename("units"))
    costs = extras.tables["product_costs"].set_index("product_id")["unit_cost"]
    expected["unit_cost"] = (costs * 100).round().reindex(expected.index)
    expected["margin"] = expected["revenue"] - expected["units"] * expected["unit_cost"]
    published = mart(extras.warehouse, "marts.product_margins")
    assert_same_rows(published, expected.reset_index(), ["product_id"], money=["revenue", "unit_cost", "margin"])
    assert published["margin"].isna().any()
    categories = mart(extras.warehouse, "marts.category_margins")
    for column in ("revenue", "cost_value", "margin"):
        assert to_cents(categories[column].dropna()).sum() == to_cents(published[column].dropna()).sum()
    truth = json.loads((extras.expected.folder / EXTRAS_TRUTH_FILE).read_text())["margin_share"]
    share = float(categories["margin"].sum() / categories["revenue_with_cost"].sum())
    assert share == pytest.approx(truth, abs=0.001)


def test_who_was_sent_a_campaign_is_told_and_whoever_was_held_out_and_sent_it_is_named(extras: Extras) -> None:
    (campaign,) = mart(extras.warehouse, "marts.campaigns").to_dict("records")
    events = extras.tables["campaign_events"].groupby("event")["customer_unique_id"].nunique()
    assert campaign["people_reached"] == events["sent"] > 50
    assert campaign["people_who_opened"] == events["opened"] > 0
    assert campaign["people_who_clicked"] == events["clicked"]
    assert campaign["held_out_people_reached"] == 1
    doubtful = mart(extras.warehouse, "quality.doubtful_rows").set_index("problem")["row_key"]
    person = extras.members.loc[extras.members["arm"] == "control", "customer_id"].min()
    assert doubtful["held-out person who was written to"] == f"{LAUNCH} {person}"
    assert doubtful["spending without a new customer"].endswith(" podcast")
    assert doubtful["refund larger than its order"] in set(extras.tables["refunds"]["order_id"])
    assert doubtful["discount larger than its order"] in set(extras.tables["order_discounts"]["order_id"])
    assert len(doubtful) == 4
    # whoever was held out stays held out
    assert campaign["control_people"] == (extras.members["arm"] == "control").sum()


def test_what_a_shop_has_is_met_and_what_it_lacks_is_named(extras: Extras, small_warehouses: dict[str, Path]) -> None:
    needs = mart(extras.warehouse, "marts.data_requirements")
    own = needs["requirement"].str.startswith("rows of the raw table")
    assert own.sum() == 7 and needs.loc[own, "is_met"].all()
    bare = small_warehouses["corner"]
    needs = mart(bare, "marts.data_requirements")
    own = needs["requirement"].str.startswith("rows of the raw table")
    assert own.sum() == 7 and not needs.loc[own, "is_met"].any()
    for name in (*MARTS, "quality.doubtful_rows"):
        assert mart(bare, name).empty and not mart(extras.warehouse, name).empty, name
    assert not {"channel", "coupon"} & set(mart(bare, "marts.return_drivers")["driver"])
    assert not set(EXTRAS) & set(mart(bare, "quality.column_profile")["source_table"])
    assert set(EXTRAS) <= set(mart(extras.warehouse, "quality.column_profile")["source_table"])


def test_the_demo_draws_what_it_says_and_leaves_the_shop_as_it_was(
    demo_raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAMPAIGNS_DIR", str(tmp_path / "campaigns"))
    raw = tmp_path / "raw"
    shutil.copytree(demo_raw, raw)
    before = {file.name: digest_of(file) for file in raw.iterdir()}
    write_extras(raw)
    once = {file.name: digest_of(file) for file in raw.iterdir()}
    write_extras(raw)
    assert once == {file.name: digest_of(file) for file in raw.iterdir()}
    assert {name: once[name] for name in before} == before
    assert set(once) - set(before) == {*(f"{name}.csv" for name in EXTRAS), EXTRAS_TRUTH_FILE}
    truth = json.loads((raw / EXTRAS_TRUTH_FILE).read_text())
    recomputed = Recomputed(raw)
    orders = recomputed.valid_orders.dropna(subset=["customer_id"])
    first = orders[orders["customer_order_number"] == 1].set_index("customer_id")
    days = (orders["order_date"] - orders["customer_id"].map(first["order_date"])).dt.days
    back = set(orders.loc[(days > 0) & (days <= truth["follow_up_days"]), "customer_id"])
    came_back = first.index.isin(back)
    channels = pd.read_csv(raw / "order_channels.csv").set_index("order_id")["channel"]
    coupons = set(pd.read_csv(raw / "order_discounts.csv")["order_id"])
    channel = first["order_id"].map(channels)
    for name, has, known in (
        ("referral", channel == "referral", channel.notna()),
        ("WELCOME10", first["order_id"].isin(coupons), channel.notna() | True),
    ):
        cells = [[(left & right & known).sum() for right in (came_back, ~came_back)] for left in (has, ~has)]
        (a, b), (c, d) = cells
        error = np.sqrt(sum(1 / cell for cell in (a, b, c, d)))
        assert abs(np.log(a * d / (b * c) / truth["odds_ratio_of_coming_back"][name])) < 3 * error, name
