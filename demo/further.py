"""What a demo shop needs to be acted on: contacts of its people, and days in which a campaign has a true effect."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import duckdb

from pipeline.base import campaigns
from pipeline.base.campaigns import TREATED, draw_sql
from pipeline.base.console import step
from pipeline.base.errors import PipelineError
from pipeline.base.files import write_whole
from pipeline.base.sql import literal

CONTACTS_FILE = "contacts.csv"
EFFECTS_FILE = "true_effects.json"
SUFFIX = "further"
TABLES = {
    "orders": "olist_orders_dataset",
    "customers": "olist_customers_dataset",
    "items": "olist_order_items_dataset",
    "payments": "olist_order_payments_dataset",
    "reviews": "olist_order_reviews_dataset",
}
STAMPS = (
    "order_purchase_timestamp",
    "order_approved_at",
    "order_delivered_carrier_date",
    "order_delivered_customer_date",
    "order_estimated_delivery_date",
)


class FurtherError(PipelineError, ValueError):
    """The shop cannot be continued as asked: nothing was changed."""

    exit_code = 2


def write_contacts(shop: Path, seed: int = 7) -> None:
    """Write made-up contacts of everyone in a demo shop, with the faults that such files have.

    Addresses lie under ``example.com``, which belongs to nobody; phone numbers have an area code that Brazil has not
    given out.

    Parameters
    ----------
    shop
        Folder of a generated shop.
    seed
        Other contacts of the same people.
    """
    with step("demo contacts") as this, duckdb.connect() as connection:
        read_tables(connection, shop, {"customers": TABLES["customers"]})

        def chance(name: str) -> str:
            return draw_sql(literal(f"{name} {seed}"), "person")

        digits = f"lpad(cast(floor({chance('phone')} * 100000000) as bigint)::varchar, 8, '0')"
        connection.execute(
            f"""CREATE TABLE contacts AS
            WITH people AS (SELECT DISTINCT customer_unique_id AS person FROM customers)
            SELECT
                person AS customer_unique_id,
                CASE
                    WHEN {chance("email")} < 0.96 THEN 'buyer.' || substr(md5(person), 1, 12) || '@example.com'
                END AS email,
                CASE
                    WHEN {chance("fault")} < 0.01 THEN 'ask him'
                    WHEN {chance("fault")} < 0.5 THEN '+55 20 9' || {digits}
                    WHEN {chance("fault")} < 0.9 THEN '(20) 9' || substr({digits}, 1, 4) || '-' || substr({digits}, 5)
                END AS phone,
                CASE WHEN {chance("consent email")} < 0.8 THEN 'yes' ELSE 'no' END AS consent_email,
                CASE WHEN {chance("consent sms")} < 0.4 THEN 'yes' ELSE 'no' END AS consent_sms,
                CASE WHEN {chance("consent ads")} < 0.6 THEN 'yes' ELSE '' END AS consent_ads,
                '2025-08-01' AS updated_at
            FROM people ORDER BY person"""
        )
        connection.execute(
            f"""INSERT INTO contacts
            SELECT customer_unique_id, email, phone, 'no', consent_sms, consent_ads, '2025-08-20'
            FROM contacts AS twice WHERE {draw_sql(literal(f"again {seed}"), "customer_unique_id")} < 0.002"""
        )
        part = shop / f"{CONTACTS_FILE}.part"
        connection.execute(f"COPY contacts TO {literal(part)} (FORMAT csv, HEADER)")
        part.chmod(0o600)
        part.replace(shop / CONTACTS_FILE)
        this.result = f"{_count(connection, 'contacts'):,} rows"


def write_further_days(shop: Path, days: int = 90, effect: float = 0.0, seed: int = 7) -> None:
    """Continue a demo shop: orders of the days to come, in which every campaign's treated return more often.

    Who returns follows the true probabilities of the shop, times one plus the effect for treated people; new people
    come as in the days before. What they buy is what others bought. The files lie beside those of the shop, as a second
    delivery does.

    Parameters
    ----------
    shop
        Folder of a generated shop; ``true_probabilities.parquet`` in it says who would return.
    days
        One of the shop's horizons.
    effect
        Relative rise of the chance to return, of the treated of every launch that starts on the shop's last day.
    seed
        Another seed, another future.

    Raises
    ------
    FurtherError
        The shop was continued before, or knows no truth for so many days.
    """
    facts_file = shop / "shop.json"
    if not facts_file.is_file():
        raise FurtherError(f"{shop} is not a generated shop: it has no shop.json")
    facts = json.loads(facts_file.read_text())
    as_of = dt.date.fromisoformat(facts["as_of_date"])
    if days not in facts["horizons_days"] or effect < -1:
        raise FurtherError(f"further days are one of {facts['horizons_days']}, not {days}; an effect is -1 at least")
    if any(shop.glob(f"*_{SUFFIX}.csv")):
        raise FurtherError(f"{shop} was continued before; generate it again with `make demo`")
    with step("demo, further days") as this, duckdb.connect() as connection:
        read_tables(connection, shop, TABLES)
        launches = campaigns.read_all("launches")
        connection.register("launches", launches)
        truth = literal(shop / "true_probabilities.parquet")
        is_treated = f"arm = {literal(TREATED)} AND starts_on = DATE {literal(as_of)}"
        connection.execute(
            f"""CREATE TABLE people AS
            SELECT customer_unique_id AS person, probability, coalesce(is_treated, false) AS is_treated
            FROM read_parquet({truth}) AS truth
            LEFT JOIN (SELECT customer_id, bool_or({is_treated}) AS is_treated FROM launches GROUP BY 1) AS members
                ON truth.customer_unique_id = members.customer_id
            WHERE cutoff_date = DATE {literal(as_of)} AND horizon_days = {days}"""
        )
        _choose_orders(connection, as_of, days, effect, seed)
        _write_pieces(connection, shop)
        told = connection.execute(
            f"""SELECT launch_id, avg(least(1, probability * {1 + effect}) - probability) FILTER ({is_treated})
            FROM launches JOIN people ON launches.customer_id = people.person GROUP BY 1 ORDER BY 1"""
        ).fetchall()
        effects = {
            "relative_effect": effect,
            "true_differences": {name: value for name, value in told if value is not None},
        }
        write_whole(shop / EFFECTS_FILE, json.dumps(effects, indent=2) + "\n")
        this.result = f"{_count(connection, 'chosen'):,} orders in {days} days from {as_of}"


def read_tables(connection: duckdb.DuckDBPyConnection, shop: Path, tables: dict[str, str]) -> None:
    """Read raw tables of a shop as texts.

    Parameters
    ----------
    connection
        Where the tables are created.
    shop
        Folder of a generated shop.
    tables
        Name of each table to the name of its file, without ending.
    """
    for name, stem in tables.items():
        if (file := shop / f"{stem}.parquet").is_file():
            read = f"SELECT columns(*)::VARCHAR FROM read_parquet({literal(file)})"
        else:
            read = (
                f"SELECT DISTINCT * FROM read_csv({literal(shop / f'{stem}.csv')}, all_varchar = true, header = true)"
            )
        connection.execute(f"CREATE TABLE {name} AS {read}")


def _choose_orders(connection: duckdb.DuckDBPyConnection, as_of: dt.date, days: int, effect: float, seed: int) -> None:
    """Create ``chosen``: for each order to come its person, the order it copies and by how many days it comes later."""
    will_return = draw_sql(literal(f"return {seed}"), "person")
    day = draw_sql(literal(f"day {seed}"), "person")
    donor = draw_sql(literal(f"donor {seed}"), "person")
    connection.execute(
        f"""CREATE TABLE donors AS
        WITH delivered AS (
            SELECT orders.order_id, customer_unique_id AS person, order_purchase_timestamp::TIMESTAMP::DATE AS day
            FROM orders JOIN customers USING (customer_id)
            WHERE order_status = 'delivered'
                AND order_purchase_timestamp::TIMESTAMP >= DATE {literal(as_of)} - 365
                AND {" AND ".join(f"try_cast({stamp} AS TIMESTAMP) IS NOT NULL" for stamp in STAMPS)}
                AND orders.order_id IN (SELECT order_id FROM items)
                AND orders.order_id IN (SELECT order_id FROM payments))
        SELECT *, row_number() OVER (ORDER BY order_id) - 1 AS number FROM delivered"""
    )
    connection.execute(
        f"""CREATE TABLE chosen AS
        WITH coming_back AS (
            SELECT person, DATE {literal(as_of)} + cast(floor({day} * {days}) AS integer) AS day,
                cast(floor({donor} * (SELECT count(*) FROM donors)) AS bigint) AS number
            FROM people WHERE {will_return} < least(1, probability * (1 + {effect} * is_treated::INTEGER)))
        SELECT coming_back.person, donors.order_id AS donor, coming_back.day - donors.day AS later
        FROM coming_back JOIN donors USING (number)
        UNION ALL
        SELECT md5('new ' || person || ' {seed}'), order_id, {days} FROM donors
        WHERE day >= DATE {literal(as_of)} - {days}
        QUALIFY row_number() OVER (PARTITION BY person ORDER BY day, order_id) = 1"""
    )
    connection.execute(
        f"""CREATE TABLE renamed AS
        SELECT *, md5('order ' || person || donor || ' {seed}') AS order_id_new,
            md5('customer ' || person || donor || ' {seed}') AS customer_id_new FROM chosen"""
    )


def _write_pieces(connection: duckdb.DuckDBPyConnection, shop: Path) -> None:
    def later(stamp: str) -> str:
        return f"strftime(try_cast({stamp} AS TIMESTAMP) + later * INTERVAL 1 DAY, '%Y-%m-%d %H:%M:%S') AS {stamp}"

    orders = ", ".join(later(stamp) for stamp in STAMPS)
    queries = {
        "orders": f"""SELECT of.* REPLACE (order_id_new AS order_id, customer_id_new AS customer_id, {orders})
            FROM renamed JOIN orders AS of ON donor = of.order_id""",
        "customers": """SELECT of.* REPLACE (customer_id_new AS customer_id, person AS customer_unique_id)
            FROM renamed JOIN orders ON donor = orders.order_id
            JOIN customers AS of ON orders.customer_id = of.customer_id
            QUALIFY row_number() OVER (PARTITION BY customer_id_new) = 1""",
        "items": f"""SELECT of.* REPLACE (order_id_new AS order_id, {later("shipping_limit_date")})
            FROM renamed JOIN items AS of ON donor = of.order_id""",
        "payments": """SELECT of.* REPLACE (order_id_new AS order_id)
            FROM renamed JOIN payments AS of ON donor = of.order_id""",
        "reviews": f"""SELECT of.* REPLACE (order_id_new AS order_id, md5(review_id || order_id_new) AS review_id,
                {later("review_creation_date")}, {later("review_answer_timestamp")})
            FROM renamed JOIN reviews AS of ON donor = of.order_id
            WHERE try_cast(review_creation_date AS TIMESTAMP) IS NOT NULL""",
    }
    # orders last: whoever looks while this is at work sees no order without its lines
    for name in reversed(queries):
        part = shop / f".{TABLES[name]}_{SUFFIX}.part"
        connection.execute(f"COPY ({queries[name]}) TO {literal(part)} (FORMAT csv, HEADER)")
        part.replace(shop / f"{TABLES[name]}_{SUFFIX}.csv")


def _count(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    row = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    return int(row[0]) if row else 0
