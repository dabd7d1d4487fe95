"""One person at a time says what the warehouse says of everyone."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from builds import published_file

from scoring.calibration import Calibration
from scoring.features import FEATURES, RHYTHM, from_arrow
from scoring.models.additive import AdditiveScore, Axis, CategoryTerm, CurveTerm, LinearTerm, PairTerm, StepTerm, Term
from scoring.models.btyd import BuyTillYouDie, Pace
from scoring.models.rhythm import Rhythm
from scoring.segment import Order, Review, Segmenter
from scoring.shipped import ShippedModel
from scoring.value import ValueModel

pytestmark = pytest.mark.rows_only


def orders_of_everybody(warehouse: Path) -> dict[str, list[Order]]:
    """Read the facts back into the orders of each person."""
    with duckdb.connect(str(published_file(warehouse).resolve()), read_only=True) as connection:
        reviews: dict[str, list[Review]] = defaultdict(list)
        for order_id, review_id, score, known_at, has_comment in connection.execute(
            """
            select
                fct_reviews.order_id, review_id, fct_reviews.review_score,
                coalesce(fct_reviews.review_answered_at, review_created_at, purchased_at), has_comment
            from marts.fct_reviews inner join marts.fct_orders using (order_id)
            """
        ).fetchall():
            reviews[order_id].append(Review(score, known_at, has_comment, review_id))
        people: dict[str, list[Order]] = defaultdict(list)
        cursor = connection.execute(
            """
            select
                customer_id, order_id, purchased_at, payment_value, order_value, freight_value, item_count,
                main_category, payment_type, max_installments, customer_state as state, customer_region as region,
                is_valid_order as is_valid, is_delivered, delivered_at, estimated_delivery_date
            from marts.fct_orders
            """
        )
        names = [column[0] for column in cursor.description]
        for row in cursor.fetchall():
            values = dict(zip(names, row, strict=True))
            customer_id = values.pop("customer_id")
            people[customer_id].append(Order(**values, reviews=reviews[values["order_id"]]))
    return people


@pytest.fixture(scope="module")
def telling() -> ShippedModel:
    """Return a model that uses every feature, whatever the shop's own model uses."""
    terms: list[Term] = []
    for number, feature in enumerate(FEATURES):
        sign = 1 if number % 2 else -1
        if feature.kind == "category" or feature.name in ("last_order_weekday", "last_order_month"):
            words = {"SP": 0.4, "Southeast": 0.3, "credit_card": -0.5, "Monday": 0.2, "January": 0.1, "unknown": -1.0}
            terms.append(CategoryTerm(feature.name, words, 0.05 * sign))
        elif number % 3:
            terms.append(LinearTerm(feature.name, feature.log, 0.1 * sign, 0.02 * number, -0.3 * sign))
        else:
            terms.append(StepTerm(feature.name, (0.5, 1.5, 20.0, 200.0), (0.3, 0.1, 0.0, -0.1, -0.4), 0.2 * sign))
    recency, state = Axis("recency_days", (30.0, 90.0), None), Axis("customer_state", None, ("SP", "RJ"))
    terms += [
        PairTerm(recency, state, ((0.2, 0.1, 0.0), (0.1, 0.0, -0.1), (0.0, -0.3, 0.3), (0.0, 0.0, 0.0))),
        CurveTerm("tenure_days", True, (3.0, 5.0), (0.2, -0.1), 0.05, -0.2, 0.0),
        LinearTerm(RHYTHM.name, False, 0.3, 0.5, 0.0),
    ]
    rhythm = Rhythm(BuyTillYouDie("mbg", 0.3, 90.0, 0.8, 1.2, -1.0), 90)
    return ShippedModel(
        name="every_feature",
        known_until="2020-01-01",
        horizon_days=90,
        additive=AdditiveScore(-1.0, tuple(terms), rhythm),
        calibration=Calibration("sigmoid", (0.0,), (0.1,), 0.9),
        value=ValueModel((1.1, 1.2, 1.3, 1.4), 150.0, 2.0, 1.0, Pace(0.3, 200.0)),
        band_medium_min=0.5,
        band_high_min=0.8,
    )


def test_every_customer_alone_gets_what_the_batch_gave(published_warehouse: Path, telling: ShippedModel) -> None:
    file = published_file(published_warehouse).resolve()
    segmenter = Segmenter.open(file)
    people = orders_of_everybody(published_warehouse)
    with duckdb.connect(str(file), read_only=True) as connection:
        batch = connection.execute(
            """
            select
                customer_id, recency_days, frequency, monetary, recency_score, frequency_score, monetary_score,
                rfm_cell, rfm_segment, abc_class, churn_probability, churn_band,
                list_filter([reason_1, reason_2, reason_3], lambda reason: reason is not null)
            from marts.customer_360
            order by customer_id
            """
        ).fetchall()
        features = connection.sql(
            "select * from marts.churn_features where cutoff_date = as_of_date order by customer_id"
        ).to_arrow_table()
    assert len(batch) == features.num_rows > 1000
    told = telling.score(from_arrow(features))
    with_telling = replace(segmenter, model=telling)
    different: list[tuple[object, ...]] = []
    for row, person in enumerate(batch):
        alone = with_telling.segment_customer(people[person[0]])
        by_rule = (
            alone.recency_days,
            alone.frequency,
            alone.monetary,
            alone.recency_score,
            alone.frequency_score,
            alone.monetary_score,
            alone.rfm_cell,
            alone.rfm_segment,
            alone.abc_class,
        )
        forecast = (alone.churn_probability, alone.churn_band, alone.reasons, alone.value_at_risk)
        expected = (
            told.churn_probability[row],
            told.churn_band[row],
            tuple(text[row] for text in told.reasons.texts),
            told.value_at_risk[row],
        )
        if by_rule != person[1:10] or forecast != expected:
            different.append((person, alone, expected))
    for person in batch[::20]:
        alone = segmenter.segment_customer(people[person[0]])
        if (alone.churn_probability, alone.churn_band, list(alone.reasons)) != person[10:]:
            different.append((person, alone, "the shop's own model"))
    assert different == []
    assert len(set(told.churn_probability)) > 1000


def test_somebody_without_a_purchase_cannot_be_segmented() -> None:
    segmenter = Segmenter(date(2020, 1, 1), {}, {}, {}, None)
    with pytest.raises(ValueError, match="No valid order"):
        segmenter.segment_customer([Order(datetime(2020, 1, 1), Decimal(1))])
