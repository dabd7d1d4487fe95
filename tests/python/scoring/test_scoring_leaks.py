"""Events stamped after the day looked from, in every raw table, change no feature, no model and no score."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from builds import build_warehouse, mart, query, tables
from recompute.as_of import visible_as_of
from recompute.raw import Raw, read_raw, write_raw
from snapshots import differing_tables

pytestmark = pytest.mark.rows_only

DAY = "2025-05-01"
BUYERS = 400


def stamp(days: float) -> str:
    return (pd.Timestamp(DAY) + pd.Timedelta(days=days)).strftime("%Y-%m-%d %H:%M:%S")


def with_later_events(raw: Raw, seed: int = 5) -> Raw:
    """Add to every table what would give the future away: who buys, what, for how much, how it went.

    People known on the day buy again, one kind of person above all others; orders on their way arrive late; old orders
    get a second opinion; the new orders bring products, sellers, a category and places nobody has seen before.
    """
    draw = np.random.default_rng(seed)
    people = raw.customers[raw.customers["customer_state"] == "SP"].drop_duplicates("customer_unique_id").head(BUYERS)
    assert len(people) == BUYERS
    orders = [f"later-{number:04d}" for number in range(BUYERS)]
    products = [f"later-product-{number % 7}" for number in range(BUYERS)]
    added = Raw(
        orders=pd.DataFrame(
            {
                "order_id": orders,
                "customer_id": [f"account-{order}" for order in orders],
                "order_status": "delivered",
                "order_purchase_timestamp": [stamp(days) for days in draw.uniform(0, 60, BUYERS)],
                "order_approved_at": stamp(61),
                "order_delivered_carrier_date": stamp(62),
                "order_delivered_customer_date": stamp(90),
                "order_estimated_delivery_date": stamp(70),
            }
        ),
        items=pd.DataFrame(
            {
                "order_id": orders,
                "order_item_id": "1",
                "product_id": products,
                "seller_id": "later-seller",
                "shipping_limit_date": stamp(64),
                "price": "4000.00",
                "freight_value": "90.00",
            }
        ),
        payments=pd.DataFrame(
            {
                "order_id": orders,
                "payment_sequential": "1",
                "payment_type": "voucher",
                "payment_installments": "9",
                "payment_value": "4090.00",
            }
        ),
        # of the new orders and, answered on the day itself or later, of the old ones
        reviews=pd.DataFrame(
            {
                "review_id": [f"later-review-{number}" for number in range(2 * BUYERS)],
                "order_id": [*orders, *raw.orders["order_id"].drop_duplicates().head(BUYERS)],
                "review_score": "1",
                "review_creation_date": [stamp(91)] * BUYERS + [stamp(-3)] * BUYERS,
                "review_answer_timestamp": [stamp(92)] * BUYERS + [stamp(0)] * BUYERS,
            }
        ),
        customers=people.assign(customer_id=[f"account-{order}" for order in orders], customer_state="AC"),
        geolocation=raw.geolocation.head(5).assign(geolocation_zip_code_prefix="00001"),
        products=raw.products.head(7).assign(
            product_id=sorted(set(products)), product_category_name="categoria_de_amanha"
        ),
        sellers=raw.sellers.head(1).assign(seller_id="later-seller"),
        translation=pd.DataFrame(
            {"product_category_name": ["categoria_de_amanha"], "product_category_name_english": ["tomorrow"]}
        ),
    )
    both = raw.map(lambda name, table: pd.concat([table, getattr(added, name)], ignore_index=True))
    on_the_way = both.orders["order_status"] == "shipped"
    assert on_the_way.sum() > 20
    arrived = both.orders.assign(
        order_status=both.orders["order_status"].mask(on_the_way, "delivered"),
        order_delivered_customer_date=both.orders["order_delivered_customer_date"].mask(on_the_way, stamp(40)),
    )
    return replace(both, orders=arrived)


@pytest.fixture(scope="module")
def both(demo_raw: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return the warehouse of a day, and the one of the same files with what came later, seen from that day."""
    folder = tmp_path_factory.mktemp("leaks")
    known = visible_as_of(read_raw(demo_raw), pd.Timestamp(DAY))
    raw = {"known": known, "later": with_later_events(known)}
    built = [
        build_warehouse(
            write_raw(raw[name], folder / name), folder / f"{name}-warehouse", variables={"as_of_date": DAY}
        )
        for name in ("known", "later")
    ]
    return built[0], built[1]


def test_no_feature_changes(both: tuple[Path, Path]) -> None:
    known, later = (query(folder, "select * from marts.churn_features order by all") for folder in both)
    assert len(known) > 1000
    assert set(known["as_of_date"]) == {pd.Timestamp(DAY)}
    pd.testing.assert_frame_equal(known, later)


def test_no_model_figure_or_score_changes(both: tuple[Path, Path]) -> None:
    assert "customer_churn_scores" in tables(both[0], "scores")
    assert len(mart(both[0], "scores.customer_churn_scores")) > 1000
    assert differing_tables(*both, ["scores"]) == {}


def test_the_later_events_were_read_from_every_table(both: tuple[Path, Path]) -> None:
    known, later = (query(folder, "select columns('^raw_') from marts.build_info") for folder in both)
    # the nine tables that this shop has
    given = known.columns[known.iloc[0] > 0]
    assert len(given) == 9
    assert (later[given] > known[given]).all(axis=None)
    assert query(both[1], "select quarantined_rows from marts.build_info").iloc[0, 0] == 0
