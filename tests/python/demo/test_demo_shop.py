"""The demo shop: exact, repeatable, dirty as agreed, and true to the probabilities it states."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from scipy.stats import chi2, rankdata, spearmanr

from demo import DemoError, generate
from demo import shop as shop_module
from demo.process import DAY, DAYS, PROCESSES, Clock, draw_next_day, draw_stories, probability_of_order
from demo.tables import FileFormat
from pipeline.landing.contract import raw_tables
from pipeline.landing.load import load

KEYS = {
    "orders": ("order_id",),
    "order_items": ("order_id", "order_item_id"),
    "order_payments": ("order_id", "payment_sequential"),
    "order_reviews": ("review_id", "order_id"),
    "customers": ("customer_id",),
    "products": ("product_id",),
    "sellers": ("seller_id",),
    "category_translation": ("product_category_name",),
}
PARENTS = (
    ("orders", "customer_id", "customers"),
    ("customers", "customer_id", "orders"),
    ("order_items", "order_id", "orders"),
    ("order_items", "product_id", "products"),
    ("order_items", "seller_id", "sellers"),
    ("order_payments", "order_id", "orders"),
    ("order_reviews", "order_id", "orders"),
)
INVALID = ("canceled", "unavailable")


class Demo:
    """A generated shop, to be asked in SQL: the nine tables under their landing names, and ``truth``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.connection = duckdb.connect()
        for table in (table for table in raw_tables().values() if not table.is_extra):
            (file,) = self.folder.glob(f"{table.stem}.*")
            text = f"read_csv('{file}', header = true, all_varchar = true, quote = '\"', escape = '\"')"
            source = text if file.suffix == ".csv" else f"'{file}'"
            self.connection.execute(f"create table {table.name} as from {source}")
        self.connection.execute(f"create view truth as from '{self.folder}/true_probabilities.parquet'")
        self.facts = json.loads((self.folder / "shop.json").read_text())

    def frame(self, query: str) -> pd.DataFrame:
        return self.connection.execute(query).df()

    def value(self, query: str) -> float:
        row = self.connection.execute(query).fetchone()
        assert row is not None
        return float(row[0])

    def numbers(self, query: str) -> dict[Any, float]:
        """First column to second."""
        return {key: float(number) for key, number in self.connection.execute(query).fetchall()}

    def outcomes(self, closed: int = 90, horizon: int = 90) -> pd.DataFrame:
        """Truth beside what happened, at the last month end whose window of `closed` days has ended.

        One row per person with a valid order before the cut-off.
        """
        latest = dt.date.fromisoformat(self.facts["as_of_date"]) - dt.timedelta(days=closed)
        cutoff = max(day for day in self.facts["cutoff_dates"] if day <= str(latest))
        return self.frame(f"""
            with valid as (
                select customer_unique_id, cast(order_purchase_timestamp as timestamp) as purchased_at
                from orders join customers using (customer_id)
                where order_status not in {INVALID}
            )
            select
                customer_unique_id,
                any_value(probability) as probability,
                bool_or(purchased_at >= '{cutoff}' and purchased_at < date '{cutoff}' + {horizon}) as ordered,
                count(*) filter (purchased_at < '{cutoff}') as orders_before,
                date '{cutoff}' - max(purchased_at) filter (purchased_at < '{cutoff}')::date as days_since,
                hour(arg_max(purchased_at, purchased_at) filter (purchased_at < '{cutoff}')) as hour_of_last
            from truth join valid using (customer_unique_id)
            where cutoff_date = '{cutoff}' and horizon_days = {horizon}
            group by all
        """)


def roc_auc(score: npt.ArrayLike, happened: npt.ArrayLike) -> float:
    """Probability that a person who ordered has the higher score."""
    ranks, flags = rankdata(score), np.asarray(happened, dtype=bool)
    positives = int(flags.sum())
    return float((ranks[flags].sum() - positives * (positives + 1) / 2) / (positives * (flags.size - positives)))


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


@pytest.fixture(scope="module")
def shops(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Demo]:
    root = tmp_path_factory.mktemp("shops")
    generate(root / "one", 1)
    generate(root / "ten", 10)
    generate(root / "small", 2_000)
    generate(root / "default", 30_000, file_format="parquet")
    generate(root / "loyal", 30_000, shop="loyal", file_format="parquet")
    generate(root / "no_signal", 30_000, shop="loyal", signal=False, file_format="parquet")
    return {path.name: Demo(path) for path in root.iterdir()}


@pytest.mark.parametrize(("name", "orders"), [("one", 1), ("ten", 10), ("small", 2_000), ("default", 30_000)])
def test_number_of_orders_is_exact(shops: dict[str, Demo], name: str, orders: int) -> None:
    shop = shops[name]
    assert shop.value("select count(*) from orders") == orders
    assert shop.value("select count(*) from customers") == orders
    assert shop.value("select count(distinct customer_unique_id) from customers") == shop.facts["people"]


@pytest.mark.parametrize("name", ["one", "ten", "small", "default", "loyal", "no_signal"])
def test_keys_hold_and_nothing_is_orphaned(shops: dict[str, Demo], name: str) -> None:
    shop = shops[name]
    for table, key in KEYS.items():
        columns = ", ".join(key)
        assert shop.value(f"select count(*) - count(distinct ({columns})) from {table}") == 0, table
        assert shop.value(f"select count(*) from {table} where {' is null or '.join(key)} is null") == 0, table
    for child, key_column, parent in PARENTS:
        assert shop.value(f"select count(*) from {child} anti join {parent} using ({key_column})") == 0, (child, parent)


@pytest.mark.parametrize("name", ["one", "ten", "small", "default"])
def test_loads_without_quarantine(
    shops: dict[str, Demo], name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAW_DIR", str(shops[name].folder))
    monkeypatch.setenv("WAREHOUSE_DIR", str(tmp_path / "warehouse"))
    counts = load()
    assert {count.quarantined_rows for count in counts.values()} == {0}
    assert counts["orders"].landed_rows == shops[name].facts["orders"]


def test_headers_are_those_of_olist_misspellings_included(shops: dict[str, Demo]) -> None:
    for table in (table for table in raw_tables().values() if not table.is_extra):
        header = (shops["small"].folder / f"{table.stem}.csv").open(encoding="utf-8").readline().strip()
        assert header.split(",") == table.published


@pytest.mark.parametrize("file_format", ["csv", "parquet"])
def test_same_arguments_give_the_same_bytes_on_any_number_of_workers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file_format: FileFormat
) -> None:
    monkeypatch.setattr(shop_module, "CHUNK_ORDERS", 700)
    generate(tmp_path / "first", 2_000, file_format=file_format, workers=1)
    generate(tmp_path / "second", 2_000, file_format=file_format, workers=3)
    generate(tmp_path / "other", 2_000, file_format=file_format, seed=8, workers=3)
    assert digests(tmp_path / "first") == digests(tmp_path / "second")
    assert not set(digests(tmp_path / "first").values()) & set(digests(tmp_path / "other").values()) - {
        digests(tmp_path / "first").get("product_category_name_translation." + file_format)
    }


def test_another_history_keeps_products_and_sellers(shops: dict[str, Demo], tmp_path: Path) -> None:
    generate(tmp_path / "again", 2_000, process_seed=99)
    kept, again = digests(shops["small"].folder), digests(tmp_path / "again")
    for stem in ("olist_products_dataset.csv", "olist_sellers_dataset.csv", "olist_geolocation_dataset.csv"):
        assert kept[stem] == again[stem]
    assert kept["olist_orders_dataset.csv"] != again["olist_orders_dataset.csv"]


def test_chunks_share_no_draws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shop_module, "CHUNK_ORDERS", 4_000)
    generate(tmp_path / "shop", 8_000)
    shop = Demo(tmp_path / "shop")
    assert shop.value("select count(distinct order_id) from orders") == 8_000
    price = shop.frame("""
        select order_id, max(cast(price as double)) as price from order_items group by all
    """).set_index("order_id")["price"]
    in_file = shop.frame("select order_id from orders")["order_id"].map(price)
    first, second = in_file[:4_000].reset_index(drop=True), in_file[4_000:].reset_index(drop=True)
    both = first.notna() & second.notna()
    assert abs(spearmanr(first[both], second[both]).statistic) < 4 / np.sqrt(both.sum())


def test_a_shop_is_replaced_as_a_whole_and_nothing_else_is(tmp_path: Path) -> None:
    out = tmp_path / "shop"
    generate(out, 5, file_format="parquet")
    generate(out, 6)
    assert not list(out.glob("olist_*.parquet"))
    assert [path.name for path in tmp_path.iterdir()] == ["shop"]

    (out / "notes.txt").write_text("mine")
    before = digests(out)
    with pytest.raises(DemoError, match=r"notes\.txt"):
        generate(out, 7)
    assert digests(out) == before


@pytest.mark.parametrize("orders", [0, -1, 30_000_001])
def test_refuses_numbers_of_orders_out_of_range(tmp_path: Path, orders: int) -> None:
    with pytest.raises(DemoError, match="between 1 and 30,000,000"):
        generate(tmp_path / "shop", orders)
    assert not list(tmp_path.iterdir())


def test_failing_run_leaves_the_old_shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "shop"
    generate(out, 5)
    before = digests(out)
    monkeypatch.setattr(shop_module, "reference_tables", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        generate(out, 6)
    assert digests(out) == before
    assert [path.name for path in tmp_path.iterdir()] == ["shop"]


def test_one_order_is_a_whole_order(shops: dict[str, Demo]) -> None:
    shop = shops["one"]
    assert shop.value("select count(*) from orders where order_status = 'delivered'") == 1
    assert shop.value("select count(*) from order_items") >= 1
    assert shop.value("select sum(cast(payment_value as decimal(18, 2))) from order_payments") == shop.value(
        "select sum(cast(price as decimal(18, 2)) + cast(freight_value as decimal(18, 2))) from order_items"
    )
    assert shop.value("select count(*) from truth where cutoff_date = (select max(cutoff_date) from truth)") == 2


@pytest.mark.parametrize("name", ["default", "loyal"])
def test_all_units_of_brazil_buy(shops: dict[str, Demo], name: str) -> None:
    buyers = shops[name].numbers("select customer_state, count(*) from customers group by 1")
    assert len(buyers) == 27
    assert max(buyers, key=lambda state: buyers[state]) == "SP"
    assert shops[name].value("select count(*) from customers where length(customer_zip_code_prefix) != 5") == 0
    assert shops[name].value("select count(*) from customers where customer_zip_code_prefix like '0%'") > 0


@pytest.mark.parametrize(("name", "lowest", "highest"), [("default", 0.03, 0.07), ("loyal", 0.52, 0.66)])
def test_share_of_people_who_come_back(shops: dict[str, Demo], name: str, lowest: float, highest: float) -> None:
    share = shops[name].value(f"""
        with people as (
            select count(*) as orders
            from orders join customers using (customer_id)
            where order_status not in {INVALID}
            group by customer_unique_id
        )
        select avg(cast(orders > 1 as integer)) from people
    """)
    assert lowest < share < highest


def test_some_people_move(shops: dict[str, Demo]) -> None:
    moved = shops["loyal"].frame("""
        select count(distinct customer_zip_code_prefix) > 1 as address, count(distinct customer_state) > 1 as state
        from customers group by customer_unique_id having count(*) > 1
    """)
    assert 0.05 < moved["address"].mean() < 0.35
    assert 0.01 < moved["state"].mean() < moved["address"].mean()


def test_growth_seasons_and_hours(shops: dict[str, Demo]) -> None:
    counts = "select {}(order_purchase_timestamp) as part, count(*) from orders group by all"
    months = shops["default"].numbers(
        "select strftime(order_purchase_timestamp, '%Y-%m'), count(*) from orders group by 1 order by 1"
    )
    assert len(months) == 32
    by_month = list(months.values())
    assert sum(by_month[-6:]) > 2 * sum(by_month[:6])
    for november in ("2023-11", "2024-11"):
        assert months[november] > 1.2 * months[november[:4] + "-10"]
    hours = shops["default"].numbers(counts.format("hour"))
    assert min(hours[hour] for hour in range(10, 22)) > 5 * max(hours[hour] for hour in range(3, 6))
    weekdays = shops["default"].numbers(counts.format("isodow"))
    assert max(weekdays[6], weekdays[7]) < min(weekdays[day] for day in range(1, 6))


def test_statuses_are_those_of_a_running_shop(shops: dict[str, Demo]) -> None:
    share = shops["default"].numbers("select order_status, count(*) / 30000 from orders group by 1")
    assert 0.94 < share["delivered"] < 0.98
    assert 0.003 < share["canceled"] < 0.01
    assert 0.003 < share["unavailable"] < 0.01
    assert {"shipped", "invoiced", "processing", "approved", "created"} <= set(share)
    delivered = shops["default"].numbers("""
        select order_purchase_timestamp >= timestamp '2025-08-27', avg(cast(order_status = 'delivered' as integer))
        from orders group by 1
    """)
    assert delivered[True] < 0.3
    assert delivered[False] > 0.95


def test_distance_delays_and_delay_costs_stars(shops: dict[str, Demo]) -> None:
    orders = shops["default"].frame("""
        select
            customer_state,
            date_diff('day', order_purchase_timestamp, order_delivered_customer_date) as days,
            order_delivered_customer_date::date > order_estimated_delivery_date::date as late,
            review_score,
            freight_value::double as freight
        from orders
        join customers using (customer_id)
        join (from order_reviews select order_id, any_value(review_score) as review_score group by 1) using (order_id)
        join (from order_items select order_id, max(freight_value) as freight_value group by 1) using (order_id)
        where order_delivered_customer_date is not null
    """)
    by_state = orders.groupby("customer_state")[["days", "freight"]].mean()
    assert (by_state.loc["AM"] > 1.3 * by_state.loc["SP"]).all()
    assert orders[~orders["late"]]["review_score"].mean() - orders[orders["late"]]["review_score"].mean() > 1
    assert 0.04 < orders["late"].mean() < 0.11


def test_prices_are_log_normal_within_a_category(shops: dict[str, Demo]) -> None:
    prices = shops["default"].frame("""
        select product_category_name, ln(price::double) as log_price
        from order_items join products using (product_id)
        where product_category_name is not null
    """)
    groups = prices.groupby("product_category_name")["log_price"]
    large = groups.filter(lambda group: len(group) > 300).groupby(prices["product_category_name"])
    assert (large.skew().abs() < 1).all()
    assert (large.std() > 0.35).all()


DIRT = {
    "empty approval": "select count(*) from orders where order_approved_at is null",
    "empty hand-over": "select count(*) from orders where order_delivered_carrier_date is null",
    "delivered without date": """
        select count(*) from orders where order_status = 'delivered' and order_delivered_customer_date is null""",
    "canceled but delivered": """
        select count(*) from orders where order_status = 'canceled' and order_delivered_customer_date is not null""",
    "carrier before approval": "select count(*) from orders where order_delivered_carrier_date < order_approved_at",
    "carrier before purchase": """
        select count(*) from orders where order_delivered_carrier_date < order_purchase_timestamp""",
    "delivered before carrier": """
        select count(*) from orders where order_delivered_customer_date < order_delivered_carrier_date""",
    "shipping limit years away": """
        select count(*) from order_items join orders using (order_id)
        where shipping_limit_date::timestamp > order_purchase_timestamp::timestamp + interval 1 year""",
    "several payments": "select count(*) from (select 1 from order_payments group by order_id having count(*) > 1)",
    "payment of nothing": "select count(*) from order_payments where payment_value::double = 0",
    "payment type not defined": "select count(*) from order_payments where payment_type = 'not_defined'",
    "no instalments": "select count(*) from order_payments where payment_installments::integer = 0",
    "sequence does not start at one": """
        select count(*) from (
            select 1 from order_payments group by order_id having min(payment_sequential::integer) > 1)""",
    "order without payment": "select count(*) from orders anti join order_payments using (order_id)",
    "order without items": "select count(*) from orders anti join order_items using (order_id)",
    "order without review": "select count(*) from orders anti join order_reviews using (order_id)",
    "several reviews of an order": """
        select count(*) from (select 1 from order_reviews group by order_id having count(*) > 1)""",
    "review shared by orders": """
        select count(*) from (select 1 from order_reviews group by review_id having count(*) > 1)""",
    "review without answer": "select count(*) from order_reviews where review_answer_timestamp is null",
    "review without creation": "select count(*) from order_reviews where review_creation_date is null",
    "message over several lines": "select count(*) from order_reviews where contains(review_comment_message, chr(10))",
    "message with quotes": "select count(*) from order_reviews where contains(review_comment_message, '\"')",
    "message with commas": "select count(*) from order_reviews where contains(review_comment_message, ',')",
    "product without category": "select count(*) from products where product_category_name is null",
    "category without translation": """
        select count(*) from products anti join category_translation using (product_category_name)
        where product_category_name is not null""",
    "product without weight": "select count(*) from products where product_weight_g is null",
    "product that weighs nothing": "select count(*) from products where product_weight_g::integer = 0",
    "repeated location": """
        select count(*) from (
            select geolocation_lat, geolocation_lng, geolocation_zip_code_prefix, geolocation_city, count(*) as copies
            from geolocation group by all having copies > 1)""",
    "location outside Brazil": "select count(*) from geolocation where geolocation_lat::double > 6",
    "city with accents": "select count(*) from geolocation where geolocation_city = 'são paulo'",
    "city without accents": "select count(*) from geolocation where geolocation_city = 'sao paulo'",
    "zip prefix with leading zero": "select count(*) from geolocation where geolocation_zip_code_prefix like '0%'",
    "odd seller city": "select count(*) from sellers where contains(seller_city, '/')",
    "seller city of digits": "select count(*) from sellers where seller_city similar to '[0-9]+'",
}


@pytest.mark.parametrize("kind", list(DIRT))
def test_every_kind_of_dirt_is_there_but_rare(shops: dict[str, Demo], kind: str) -> None:
    for name, most in (("small", 0.2), ("default", 0.1)):
        rows = shops[name].value(DIRT[kind])
        assert rows >= 1, name
        if not any(word in kind for word in ("city", "location", "zip", "message")):
            assert rows <= most * shops[name].facts["orders"], name


def test_some_customers_live_where_geolocation_knows_nothing(shops: dict[str, Demo]) -> None:
    unknown = shops["default"].value("""
        select count(*) from customers
        where customer_zip_code_prefix not in (select geolocation_zip_code_prefix from geolocation)
    """)
    assert 0.0005 < unknown / 30_000 < 0.006


def test_payments_add_up_but_for_a_few(shops: dict[str, Demo]) -> None:
    sums = shops["default"].frame("""
        select paid, owed
        from (select order_id, sum(payment_value)::double as paid from order_payments group by 1)
        join (select order_id, sum(price + freight_value)::double as owed from order_items group by 1) using (order_id)
    """)
    off = ((sums["paid"] - sums["owed"]).abs() > 0.05).mean()
    assert 0 < off < 0.006


def test_unrelated_facts_are_uncorrelated(shops: dict[str, Demo]) -> None:
    facts = shops["default"].frame("""
        select
            date_part('hour', order_purchase_timestamp) as hour_of_day,
            date_part('second', order_purchase_timestamp) as second_of_minute,
            ('0x' || substr(order_id, 1, 6))::bigint as order_digits,
            ('0x' || substr(customer_unique_id, 1, 6))::bigint as person_digits,
            customer_zip_code_prefix::integer as zip,
            price::double as price,
            review_score as score
        from orders
        join customers using (customer_id)
        join order_items using (order_id)
        join (from order_reviews select order_id, any_value(review_score) as review_score group by 1) using (order_id)
        where order_item_id = 1 and order_delivered_customer_date < order_estimated_delivery_date
    """)
    correlation = np.abs(spearmanr(facts.to_numpy()).statistic)
    zip_column = list(facts.columns).index("zip")
    np.fill_diagonal(correlation, 0)
    # Zip prefixes follow the map, so they say something about who is served on time.
    correlation[zip_column, -1] = correlation[-1, zip_column] = 0
    assert correlation.max() < 4.5 / np.sqrt(len(facts))


@pytest.mark.parametrize("name", ["default", "loyal", "no_signal"])
@pytest.mark.parametrize(("closed", "horizon"), [(90, 90), (180, 90), (180, 180)])
def test_true_probabilities_are_calibrated(shops: dict[str, Demo], name: str, closed: int, horizon: int) -> None:
    people = shops[name].outcomes(closed, horizon).sort_values(["probability", "customer_unique_id"])
    tenth = np.arange(len(people)) * 10 // len(people)
    expected = people.groupby(tenth)["probability"].sum()
    variance = (people["probability"] * (1 - people["probability"])).groupby(tenth).sum()
    observed = people.groupby(tenth)["ordered"].sum()
    statistic = float(((observed - expected) ** 2 / variance).sum())
    assert statistic < chi2.ppf(0.9995, 10)
    assert abs(observed.sum() - expected.sum()) < 3.5 * np.sqrt(variance.sum())


@pytest.mark.parametrize(("name", "lowest", "highest"), [("default", 0.64, 0.79), ("loyal", 0.78, 0.88)])
def test_signal_is_as_strong_as_announced(shops: dict[str, Demo], name: str, lowest: float, highest: float) -> None:
    people = shops[name].outcomes()
    assert lowest < roc_auc(people["probability"], people["ordered"]) < highest


def test_chance_is_all_that_is_left_beside_the_truth(shops: dict[str, Demo]) -> None:
    people = shops["loyal"].outcomes()
    surprise = people["ordered"] - people["probability"]
    for column in ("days_since", "orders_before", "hour_of_last"):
        correlation = np.corrcoef(surprise, people[column].astype(float))[0, 1]
        assert abs(correlation) < 4 / np.sqrt(len(people)), column


def test_without_signal_no_history_helps(shops: dict[str, Demo]) -> None:
    people = shops["no_signal"].outcomes()
    assert people["probability"].min() == people["probability"].max()
    margin = 4 * np.sqrt(1 / (12 * min(people["ordered"].sum(), (~people["ordered"]).sum())))
    for column in ("days_since", "orders_before"):
        assert abs(roc_auc(people[column].astype(float), people["ordered"]) - 0.5) < margin, column


@pytest.mark.parametrize("name", ["one", "ten", "small", "loyal"])
def test_truth_covers_everybody_with_a_valid_order(shops: dict[str, Demo], name: str) -> None:
    shop = shops[name]
    assert shop.facts["as_of_date"] == str(
        shop.frame("select max(order_purchase_timestamp::date) + 1 as d from orders")["d"][0].date()
    )
    for cutoff in shop.facts["cutoff_dates"]:
        people = shop.value(f"""
            select count(distinct customer_unique_id) from orders join customers using (customer_id)
            where order_status not in {INVALID} and order_purchase_timestamp < '{cutoff}'
        """)
        for horizon in shop.facts["horizons_days"]:
            rows = shop.frame(f"from truth where cutoff_date = '{cutoff}' and horizon_days = {horizon}")
            assert len(rows) == rows["customer_unique_id"].nunique() == people
            assert rows["probability"].between(0, 1).all()


def test_unfinished_stories_are_integrated_over() -> None:
    rng = np.random.default_rng(20)
    clock = Clock(PROCESSES["loyal", True])
    size, start, horizon = 40_000, DAYS - 200, 30
    purchased = start * DAY + np.floor(rng.uniform(0, DAY, size))
    stories = draw_stories(rng, purchased, rng.random(size) < 0.2, rng.uniform(50, 2_500, size))
    theta = np.exp(rng.uniform(0, 2, size))
    following = draw_next_day(rng, clock, stories, theta)
    for days in (1, 3, 8, 16, 35):
        cutoff = start + days
        here = np.flatnonzero(following >= cutoff)
        probability = probability_of_order(clock, stories.take(here), theta[here], cutoff, horizon)
        ordered = following[here] < cutoff + horizon
        now = cutoff * DAY
        stage = (
            (stories.approved < now).astype(int)
            + (stories.carried < now)
            + (stories.delivered < now)
            + (stories.answered < now)
        )[here]
        for reached in range(5):
            group = stage == reached
            if group.sum() < 200:
                continue
            spread = np.sqrt((probability[group] * (1 - probability[group])).sum())
            assert abs(ordered[group].sum() - probability[group].sum()) < 4 * spread, (days, reached)
