"""Shops whose truth is known: facts and dimensions in which no hypothesis holds, or all of them do.

The tables stand in for the core marts, with the columns the hypothesis models read, and those models' own SQL is run on
them: what is tested is the way from orders to verdict, not the formulas alone.
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
from builds import ROOT
from recompute.hypotheses import is_sale_day

from hypotheses.judging import Hypothesis, Judgement, evaluate, split_counts

FIRST_DAY = np.datetime64("2016-07-01")
LAST_DAY = np.datetime64("2018-12-31")
DAYS = int((LAST_DAY - FIRST_DAY).astype(int)) + 1
STATES = np.array(["AA", "BB", "CC", "DD"])
PAYMENT_TYPES = np.array(["boleto", "credit_card", "debit_card", "voucher"])
SCORE_CUTS = np.array([-1.23, -1.06, -0.75, -0.2])  # of a standard normal: as many 1s to 5s as on a real shop
SALE_DAYS = np.array([is_sale_day(day) for day in pd.date_range(FIRST_DAY, LAST_DAY)])
Models = Sequence[tuple[str, str]]
MODELS = ("months", "days", "customers", "products", "sellers", "counts")


@dataclass(frozen=True)
class Shop:
    """The tables of one shop, by their name in the warehouse."""

    tables: dict[str, pd.DataFrame]

    def shuffled(self, seed: int) -> Shop:
        """Return the same rows in another order."""
        return Shop({name: table.sample(frac=1, random_state=seed) for name, table in self.tables.items()})

    def head(self, orders: int) -> Shop:
        """Return the shop of the first orders only."""
        kept = self.tables["fct_orders"].sort_values("purchased_at")["order_id"].head(orders)
        return Shop(
            {
                name: table[table["order_id"].isin(kept)] if "order_id" in table else table
                for name, table in self.tables.items()
            }
        )


def _standardised(values: np.ndarray) -> np.ndarray:
    scaled: np.ndarray = (values - values.mean()) / values.std()
    return scaled


def simulate(seed: int, customers: int, strength: float = 0.0) -> Shop:
    """Invent a shop that has traded for thirty months, ever faster.

    Parameters
    ----------
    seed
        Of the random numbers.
    customers
        Number of people.
    strength
        0: no hypothesis is true, although people, cities, products and sellers differ in size and appetite. 1: all are
        true. -1: those with a direction are true the other way round.
    """
    return _Simulation(seed, customers, strength).shop()


class _Simulation:
    def __init__(self, seed: int, customers: int, strength: float) -> None:
        self.random = np.random.default_rng(seed)
        self.strength = strength
        self.customers = customers
        self.cities, self.products, self.sellers = 60, max(400, customers // 8), 80
        random = self.random
        city_weights = 1 / (np.arange(self.cities) + 5.0) ** 0.7
        self.city = random.choice(self.cities, customers, p=city_weights / city_weights.sum())
        self.city_size = _standardised(np.log(city_weights))
        self.appetite = random.normal(size=customers)
        self.photos = random.geometric(0.4, self.products)
        self.description = random.lognormal(6.5, 0.7, self.products).astype(int)
        self.price = random.lognormal(4.0, 0.8, self.products)
        self.seller = random.integers(self.sellers, size=self.products)
        self.seller_state = np.arange(self.sellers) % STATES.size
        self.quality = random.normal(size=self.sellers)
        draw = random.normal(size=self.products)
        draw += strength * (_standardised(np.sqrt(self.photos)) + _standardised(np.log(self.description)))
        self.popularity = np.exp(0.8 * draw) / np.exp(0.8 * draw).sum()
        calendar = FIRST_DAY + np.arange(DAYS)
        self.day_month = calendar.astype("datetime64[M]").astype(int) % 12
        self.weekday = (calendar.astype(int) + 3) % 7

    def shop(self) -> Shop:
        first_day = self._first_days()
        orders, items = self._orders(np.arange(self.customers), first_day)
        logit = 0.8 * self.appetite - 2.0
        logit += self.strength * 1.2 * (self.city[orders["person"]] < 10)
        logit -= self.strength * 0.6 * orders["price_score"].to_numpy()
        logit -= self.strength * 0.6 * orders["delivery_score"].to_numpy()
        logit += abs(self.strength) * 1.2 * (self.weekday[first_day] < 2)
        remaining = DAYS - 1 - first_day
        later = self.random.poisson(np.exp(logit) * remaining / 180)
        person = np.repeat(np.arange(self.customers), later)
        day = first_day[person] + 1 + (self.random.random(person.size) * remaining[person]).astype(int)
        later_orders, later_items = self._orders(person, np.minimum(day, DAYS - 1))
        later_items["order"] += len(orders)
        return self._tables(pd.concat([orders, later_orders], ignore_index=True), pd.concat([items, later_items]))

    def _first_days(self) -> np.ndarray:
        weight = np.exp(0.0008 * np.arange(DAYS))
        weight *= np.where(np.isin(self.day_month, (5, 6, 7)), 1 + 1.5 * abs(self.strength), 1.0)
        weight *= np.where(self.weekday < 2, 1 + abs(self.strength), 1.0)
        weight *= np.exp(self.strength * SALE_DAYS)
        return self.random.choice(DAYS, self.customers, p=weight / weight.sum())

    def _orders(self, person: np.ndarray, day: np.ndarray) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Orders of these people on these days, and their lines."""
        random, strength, size = self.random, self.strength, person.size
        # people mostly buy several of one thing, and of some sellers more than of others
        main_product = random.choice(self.products, size, p=self.popularity)
        main_quality = self.quality[self.seller[main_product]]
        item_count = 1 + random.poisson(0.4 * np.exp(abs(strength) * 0.5 * main_quality))
        line_order = np.repeat(np.arange(size), item_count)
        product = random.choice(self.products, line_order.size, p=self.popularity)
        is_one_kind = random.random(size) < 0.7
        product = np.where(is_one_kind[line_order], main_product[line_order], product)
        level = np.exp(strength * 0.4 * self.city_size[self.city[person]])
        price = np.round(self.price[product] * level[line_order], 2)
        seller = self.seller[product]
        first_line = np.cumsum(item_count) - item_count
        same = np.bincount(line_order, seller == seller[first_line][line_order], minlength=size) == item_count
        value = np.bincount(line_order, price, minlength=size)
        delivery = 1 + random.lognormal(2.3, 0.5, size).astype(int)
        delivery_score = (np.log(delivery) - 2.3) / 0.5
        price_score = (np.log(value / item_count) - 4.0) / 0.8

        second = random.integers(86_400, size=size)
        if strength:
            second = np.where(random.random(size) < 0.5, 64_800 + second // 6, second)

        mood = random.normal(size=size) - strength * (0.5 * delivery_score - 0.6 * main_quality)
        mood += abs(strength) * (0.6 * (self.seller_state[seller[first_line]] < 2) - 0.6 * (self.day_month[day] < 6))
        score = 1 + np.searchsorted(SCORE_CUTS, mood)
        review_chance = 1 / (1 + np.exp(-1.5 - strength * 1.5 * self.appetite[person]))
        reviewed = random.random(size) < review_chance
        payment = random.integers(PAYMENT_TYPES.size, size=size)
        if strength:
            payment = np.where(random.random(size) < 0.5, np.digitize(value, (30, 60, 120)), payment)

        start = FIRST_DAY.astype("datetime64[s]")
        orders = pd.DataFrame(
            {
                "person": person,
                "purchased_at": start + (day * 86_400 + second).astype("timedelta64[s]"),
                "delivery_days": delivery,
                "is_delivered": random.random(size) < 0.97,
                "item_count": item_count,
                "item_value": np.round(value, 2),
                "order_value": np.round(value + 15, 2),
                "payment_type": PAYMENT_TYPES[payment],
                "review_score": pd.array(score, dtype="Int64"),
                "is_reviewed": reviewed,
                "review_days": random.integers(1, 40, size),
                "only_seller_id": np.where(same, seller[first_line], -1),
                "price_score": price_score,
                "delivery_score": delivery_score,
            }
        )
        return orders, pd.DataFrame({"order": line_order, "product": product})

    def _tables(self, orders: pd.DataFrame, items: pd.DataFrame) -> Shop:
        orders["order_id"] = [f"order {number:07d}" for number in range(len(orders))]
        orders["customer_id"] = "person " + orders["person"].astype(str)
        orders["is_valid_order"] = True
        orders["order_date"] = orders["purchased_at"].dt.normalize()
        orders["order_month"] = orders["order_date"].dt.to_period("M").dt.to_timestamp()
        orders["customer_city"] = [f"city {number}" for number in self.city[orders["person"]]]
        orders["customer_state"] = STATES[self.city[orders["person"]] % STATES.size]
        days = orders["delivery_days"].where(orders["is_delivered"])
        orders["delivery_days"] = days.astype("Int64")
        orders["delivered_at"] = orders["purchased_at"] + pd.to_timedelta(days, unit="D")
        orders["review_score"] = orders["review_score"].where(orders["is_reviewed"])
        ranked = orders.sort_values(["purchased_at", "order_id"]).groupby("customer_id").cumcount() + 1
        orders["customer_order_number"] = ranked
        occasions = orders[["customer_id", "order_date"]].drop_duplicates().sort_values("order_date")
        occasions["customer_occasion_number"] = occasions.groupby("customer_id").cumcount() + 1
        orders = orders.merge(occasions, on=["customer_id", "order_date"])
        reviews = orders.loc[orders["is_reviewed"], ["order_id"]].copy()
        reviews["review_answered_at"] = orders["purchased_at"] + pd.to_timedelta(orders["review_days"], unit="D")
        reviews["review_created_at"] = reviews["review_answered_at"]
        lines = pd.DataFrame(
            {
                "order_id": orders["order_id"].to_numpy()[items["order"]],
                "product_id": items["product"].to_numpy(),
                "order_date": orders["order_date"].to_numpy()[items["order"]],
                "is_valid_order": True,
            }
        )
        sellers = orders[["order_id", "item_count"]].assign(
            only_seller_id=orders["only_seller_id"].where(orders["only_seller_id"] >= 0).astype("Int64")
        )
        return Shop(
            {
                "fct_orders": orders,
                "fct_reviews": reviews,
                "fct_order_items": lines,
                "int_order_items_rolled_up": sellers,
                "dim_products": pd.DataFrame(
                    {
                        "product_id": np.arange(self.products),
                        "photo_count": self.photos,
                        "description_length": self.description,
                    }
                ),
                "dim_sellers": pd.DataFrame({"seller_id": np.arange(self.sellers), "state": STATES[self.seller_state]}),
            }
        )


def hypotheses() -> list[Hypothesis]:
    """Return the hypotheses as the seed declares them."""
    with (ROOT / "seeds" / "hypotheses.csv").open(encoding="utf-8", newline="") as lines:
        return [
            Hypothesis(
                int(row["hypothesis_id"]),
                row["test"],
                float(row["smallest_effect_of_interest"]),
                row["expected_direction"],
            )
            for row in csv.DictReader(lines)
        ]


def compile_models(target: Path) -> Models:
    """Compile the models that turn orders into counts; return each one's relation and SQL, in order."""
    selected = [f"int_hypothesis_{name}" for name in MODELS]
    run = subprocess.run(
        [sys.executable, "-m", "dbt.cli.main", "--quiet", "compile", "--target", "lint", "--select", *selected],
        cwd=ROOT,
        env={**os.environ, "DBT_TARGET_PATH": str(target), "DBT_LOG_PATH": str(target / "logs")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    nodes = json.loads((target / "manifest.json").read_text(encoding="utf-8"))["nodes"]
    found = [nodes[f"model.retention_warehouse.int_hypothesis_{name}"] for name in MODELS]
    return [(node["relation_name"], node["compiled_code"]) for node in found]


def judge(shop: Shop, models: Models) -> dict[int, Judgement]:
    """Run the hypothesis models' SQL on a shop and test every hypothesis."""
    with duckdb.connect(config={"threads": 1, "preserve_insertion_order": False}) as connection:
        connection.execute("create schema marts; create schema intermediate")
        for name, table in shop.tables.items():
            connection.register("given", table)
            schema = "intermediate" if name.startswith("int_") else "marts"
            connection.execute(f"create table {schema}.{name} as select * from given")
        connection.execute(CALENDAR)
        for relation, sql in models:
            connection.execute(f"create table {relation} as {sql}")
        counted = connection.execute("select * from intermediate.int_hypothesis_counts").fetchnumpy()
    columns = (np.ma.getdata(counted[name]) for name in ("hypothesis_id", "x_label", "x", "y", "units"))
    return {row.hypothesis.hypothesis_id: row for row in evaluate(hypotheses(), split_counts(*columns))}


# The as-of day follows the last day of the simulation, so the last month is complete when the shop has any orders.
CALENDAR = f"""
    create table intermediate.int_shop_calendar as
    select
        date '{LAST_DAY}' + 1 as as_of_date,
        cast(min(order_date) as date) as first_order_date,
        cast(date_trunc('month', min(order_date)) as date) as first_order_month,
        case when count(*) > 0 then date '2018-12-01' end as last_complete_month
    from marts.fct_orders;
    create table marts.dim_dates as
    select
        cast(day as date) as date_day,
        cast(date_trunc('month', day) as date) as month_start_date,
        isodow(day) as weekday_number
    from generate_series(timestamp '{FIRST_DAY}', timestamp '{LAST_DAY}', interval 1 day) as days (day)
"""
