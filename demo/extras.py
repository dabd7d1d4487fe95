"""Six further tables of a demo shop: coupons, refunds, costs, channels and the events of its campaigns.

They are drawn from the finished files by numbers of their own, so that nothing else of the shop changes. What is true
of them is written beside them: channel and coupon of a first order are drawn by whether the person came back within
ninety days, which fixes the odds ratio that a warehouse should find.
"""

from __future__ import annotations

import json
from pathlib import Path

import duckdb

from demo.further import TABLES, read_tables
from pipeline.base import campaigns
from pipeline.base.campaigns import TREATED, draw_sql
from pipeline.base.console import step
from pipeline.base.files import write_whole
from pipeline.base.sql import literal

EXTRAS = ("order_discounts", "refunds", "product_costs", "acquisition_costs", "order_channels", "campaign_events")
EXTRAS_TRUTH_FILE = "true_extras.json"
FOLLOW_UP_DAYS = 90
# Share of each channel among first orders of people who do not come back, and what one new customer costs there.
CHANNELS = {"search": 0.40, "social": 0.25, "referral": 0.15, "e-mail": 0.10, "direct": 0.10}
CHANNEL_COSTS = {"search": 20, "social": 30, "referral": 10, "e-mail": 2}
GOOD_CHANNEL, CHANNEL_ODDS = "referral", 2.5
UNKNOWN_SHARE = 0.02
COUPON, COUPON_SHARE, COUPON_ODDS, COUPON_VALUE = "WELCOME10", 0.2, 0.5, 0.1
REFUND_SHARE, COSTED_SHARE, COST_OF_PRICE = 0.04, 0.9, 0.6
SENT_SHARE, OPENED_SHARE, CLICKED_SHARE = 0.98, 0.4, 0.25


def write_extras(shop: Path, seed: int = 7) -> None:
    """Write the six tables that a shop may have besides, with a fault of each kind, and what is true of them.

    Parameters
    ----------
    shop
        Folder of a generated shop.
    seed
        Other tables of the same shop.
    """
    with step("demo, further tables") as this, duckdb.connect() as connection:
        read_tables(connection, shop, {name: TABLES[name] for name in ("orders", "customers", "items", "payments")})
        connection.register("launches", campaigns.read_all("launches"))
        _describe_orders(connection)
        for table, query in _queries(seed).items():
            connection.execute(f"CREATE TABLE {table} AS {query}")
        rows = 0
        for table in EXTRAS:
            part = shop / f".{table}.part"
            connection.execute(f"COPY (FROM {table} ORDER BY ALL) TO {literal(part)} (FORMAT csv, HEADER)")
            part.replace(shop / f"{table}.csv")
            rows += connection.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0]
        truth = {
            "follow_up_days": FOLLOW_UP_DAYS,
            "odds_ratio_of_coming_back": {GOOD_CHANNEL: CHANNEL_ODDS, COUPON: COUPON_ODDS},
            "cost_per_new_customer": CHANNEL_COSTS,
            "refunded_share_of_delivered_orders": REFUND_SHARE,
            "margin_share": 1 - COST_OF_PRICE,
            "opened_share": OPENED_SHARE,
        }
        write_whole(shop / EXTRAS_TRUTH_FILE, json.dumps(truth, indent=2) + "\n")
        this.result = f"{rows:,} rows"


def _describe_orders(connection: duckdb.DuckDBPyConnection) -> None:
    """Create ``described``: each order with its value, whether a person began with it and came back."""
    connection.execute(
        f"""CREATE TABLE described AS
        WITH dated AS (
            SELECT order_id, customer_unique_id AS person, order_status AS status,
                order_purchase_timestamp::TIMESTAMP AS bought,
                order_status NOT IN ('canceled', 'unavailable') AS is_valid
            FROM orders JOIN customers USING (customer_id)),
        lines AS (SELECT order_id, sum(price::DECIMAL(12, 2)) AS price FROM items GROUP BY 1),
        paid AS (SELECT order_id, sum(payment_value::DECIMAL(12, 2)) AS paid FROM payments GROUP BY 1),
        firsts AS (
            SELECT person, arg_min(order_id, (bought, order_id)) AS order_id, min(bought)::DATE AS first_day,
                list(bought::DATE) AS days
            FROM dated WHERE is_valid GROUP BY person)
        SELECT dated.*, coalesce(price, 0) AS price, coalesce(paid, 0) AS paid,
            firsts.order_id IS NOT NULL AS is_first,
            coalesce(len(list_filter(days, lambda day: day > first_day AND day <= first_day + {FOLLOW_UP_DAYS})) > 0,
                false) AS came_back
        FROM dated LEFT JOIN lines USING (order_id) LEFT JOIN paid USING (order_id)
        LEFT JOIN firsts USING (order_id)"""
    )


def _queries(seed: int) -> dict[str, str]:
    """Write the SQL of each table, in the order in which they need each other."""

    def chance(name: str, of: str = "order_id") -> str:
        return draw_sql(literal(f"{name} {seed}"), of)

    def first_of(table: str, condition: str = "true") -> str:
        return f"(SELECT min(order_id) FROM {table} WHERE {condition})"

    back = _with_odds(CHANNELS[GOOD_CHANNEL], CHANNEL_ODDS)
    scale = (1 - back) / (1 - CHANNELS[GOOD_CHANNEL])
    shares_back = {name: back if name == GOOD_CHANNEL else share * scale for name, share in CHANNELS.items()}
    coupon = f"CASE WHEN came_back THEN {_with_odds(COUPON_SHARE, COUPON_ODDS)} ELSE {COUPON_SHARE} END"
    cost = " ".join(f"WHEN {literal(name)} THEN {value}" for name, value in CHANNEL_COSTS.items())
    day = "INTERVAL 1 DAY"
    sent = f"arm = {literal(TREATED)} AND {chance('sent', 'person')} < {SENT_SHARE}"
    opened = f"{chance('opened', 'person')} < {OPENED_SHARE}"
    clicked = f"{opened} AND {chance('clicked', 'person')} < {CLICKED_SHARE}"
    return {
        "order_channels": f"""SELECT order_id,
                CASE WHEN came_back THEN {_picked(chance("channel"), shares_back)}
                    ELSE {_picked(chance("channel"), CHANNELS)} END AS channel
            FROM described WHERE {chance("channel known")} >= {UNKNOWN_SHARE}""",
        "order_discounts": f"""SELECT order_id, {literal(COUPON)} AS discount_code,
                CASE WHEN order_id = {first_of("described", "is_first")} THEN price + paid + 10
                    ELSE round(price * {COUPON_VALUE}, 2) END AS discount_value
            FROM described WHERE is_first
                AND ({chance("coupon")} < {coupon} OR order_id = {first_of("described", "is_first")})""",
        "refunds": f"""SELECT 'refund-' || order_id AS refund_id, order_id,
                strftime(bought + cast(10 + floor({chance("refund day")} * 30) AS INTEGER) * {day},
                    '%Y-%m-%d %H:%M:%S') AS refunded_at,
                CASE WHEN order_id = {first_of("described", "status = 'delivered' AND paid > 0")} THEN paid * 2
                    WHEN {chance("whole refund")} < 0.7 THEN paid ELSE round(paid / 2, 2) END AS refund_value
            FROM described WHERE status = 'delivered' AND paid > 0
                AND ({chance("refund")} < {REFUND_SHARE}
                    OR order_id = {first_of("described", "status = 'delivered' AND paid > 0")})""",
        "product_costs": f"""SELECT product_id,
                round(avg(items.price::DECIMAL(12, 2)) * {COST_OF_PRICE}, 2) AS unit_cost
            FROM items JOIN described USING (order_id)
            WHERE is_valid AND {chance("cost", "product_id")} < {COSTED_SHARE} GROUP BY product_id""",
        "acquisition_costs": f"""SELECT strftime(date_trunc('month', bought), '%Y-%m-%d') AS cost_month, channel,
                count(*) * CASE channel {cost} END AS cost_value
            FROM described JOIN order_channels USING (order_id)
            WHERE is_first AND channel IN ({", ".join(map(literal, CHANNEL_COSTS))}) GROUP BY 1, 2
            UNION ALL
            SELECT strftime(min(date_trunc('month', bought)), '%Y-%m-%d'), 'podcast', 500 FROM described WHERE is_first
            HAVING count(*) > 0""",
        "campaign_events": f"""WITH members AS (
                SELECT launch_id, customer_id AS person, arm, starts_on FROM launches),
            meant AS (
                SELECT *, {sent} AS was_sent FROM members
                UNION ALL
                SELECT launch_id, min(person), 'control', min(starts_on), true FROM members
                WHERE arm = 'control' GROUP BY launch_id)
            SELECT launch_id, person AS customer_unique_id, event,
                strftime(starts_on::TIMESTAMP + hours * INTERVAL 1 HOUR, '%Y-%m-%d %H:%M:%S') AS event_at
            FROM meant JOIN (VALUES ('sent', 9), ('opened', 11), ('clicked', 12)) AS listed (event, hours)
                ON event = 'sent' OR (event = 'opened' AND {opened}) OR (event = 'clicked' AND {clicked})
            WHERE was_sent""",
    }


def _with_odds(share: float, ratio: float) -> float:
    """Return the share whose odds are so many times those of a share."""
    return ratio * share / (1 - share + ratio * share)


def _picked(chance: str, shares: dict[str, float]) -> str:
    """Write the SQL that picks a name by its share of a number from 0 to 1."""
    bound, cases = 0.0, []
    *others, last = shares
    for name in others:
        bound += shares[name]
        cases.append(f"WHEN {chance} < {bound} THEN {literal(name)}")
    return f"CASE {' '.join(cases)} ELSE {literal(last)} END"
