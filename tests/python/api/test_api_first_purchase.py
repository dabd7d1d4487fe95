"""A new customer's first order is read as the warehouse reads it, and answered with what is known at that moment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from api_server import Server
from builds import query
from test_api_doors import fields, problem_of
from test_api_scores import orders_of_everybody

from api.people import GivenOrder
from scoring.features import FeatureTable
from scoring.first_purchase.model import FirstPurchaseModel
from scoring.first_purchase.reading import CHECKOUT, DELIVERED, STAGES, read

ORDER: dict[str, Any] = {"purchased_at": "2025-03-02T10:15:00", "payment_value": 79.9, "main_category": "toys"}
PATH = "/predict/first-purchase"


def told(table: FeatureTable, row: int) -> dict[str, Any]:
    """Return the features of a row."""
    words = {name: column.words[column.codes[row]] for name, column in table.categories.items()}
    return {**words, **{name: float(values[row]) for name, values in table.numbers.items()}}


def test_an_order_sent_by_a_program_has_the_features_that_were_learned_from(
    published_warehouse: Path, first_purchase: FirstPurchaseModel
) -> None:
    _, moments = read(published_warehouse / "current" / "warehouse.duckdb", 90)
    single = query(
        published_warehouse,
        "select min(customer_city) as city, ('0x' || substr(md5(customer_id), 17, 15))::bigint as person, customer_id "
        "from marts.fct_orders group by customer_id having count(*) = 1 and bool_and(is_valid_order)",
    ).set_index("person")
    orders = orders_of_everybody(published_warehouse)
    compared = 0
    for stage, found in moments.items():
        for row in range(0, len(found.day), 23):
            person = int(found.person[row])
            if person not in single.index:
                continue
            given = GivenOrder.model_validate(orders[str(single.customer_id[person])][0]).order()
            if stage == CHECKOUT:
                given = type(given)(**{**given.__dict__, "delivered_at": None, "reviews": []})
            answer, features = first_purchase.answer(given, str(single.city[person]))
            assert answer.stage == stage
            days = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
            features["last_order_weekday"] = days[features["last_order_weekday"] - 1]
            expected = told(found.features, row)
            for name in STAGES[stage]:
                own = features[name]
                if not isinstance(own, str):
                    own = np.nan if own is None else float(own)
                    assert own == pytest.approx(expected[name], nan_ok=True), name
                else:
                    assert own == expected[name], name
            compared += 1
    assert compared > 100


def test_both_stages_are_answered_with_what_the_model_says(server: Server, first_purchase: FirstPurchaseModel) -> None:
    later = {
        "delivered_at": "2025-03-12T12:00:00",
        "estimated_delivery_date": "2025-03-10",
        "reviews": [{"score": 2, "known_at": "2025-03-14T09:00:00"}],
    }
    for order, stage in ((ORDER, CHECKOUT), ({**ORDER, **later}, DELIVERED)):
        answer = server.post(PATH, {"order": {**order, "city": "sao paulo"}})
        assert answer.status_code == 200, answer.text
        content = answer.json()
        expected, _ = first_purchase.answer(GivenOrder.model_validate(order).order(), "sao paulo")
        assert content["stage"] == stage == expected.stage
        assert content["probability"] == expected.probability
        assert content["expected_revenue"] == expected.expected_revenue
        assert [one["text"] for one in content["reasons"]] == [one.text for one in expected.reasons]
        amounts = sum(one["contribution"] for one in content["reasons"]) + content["other_contribution"]
        assert content["base_score"] + amounts == pytest.approx(content["score"], abs=1e-12)
        says_base_rate = "no better than the base rate" in answer.text
        assert says_base_rate == expected.is_base_rate
        assert [one["category"] for one in content["next_categories"]] == list(expected.categories)
        assert content["model"] == first_purchase.version and content["build_id"]


def test_what_it_is_and_wants_is_told(server: Server, first_purchase: FirstPurchaseModel) -> None:
    information = server.get("/model/info?model=first-purchase", "stakeholder").json()
    assert set(information["stages"]) == {CHECKOUT, DELIVERED}
    assert information["stages"][CHECKOUT]["metrics"]["logistic"]["roc_auc"]["low"] is not None
    features = server.get("/features?model=first-purchase", "stakeholder").json()["features"]
    assert {one["name"] for one in features} == set(STAGES[DELIVERED])
    assert server.get("/version").json()["models"]["first-purchase"] == first_purchase.version


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"is_valid": False}, "order.is_valid"),
        ({"delivered_at": "2024-03-02T10:15:00"}, "order.delivered_at"),
        ({"purchased_at": "9999-12-31T10:15:00"}, "order"),
        ({"purchased_at": None}, "order.purchased_at"),
        ({"payment_value": "Infinity"}, "order.payment_value"),
        ({"payment_value": "x"}, "order.payment_value"),
        ({"reviews": [{"score": 9, "known_at": "2025-03-14T09:00:00"}]}, "order.reviews.0.score"),
        ({"colour": "red"}, "order.colour"),
        ({"city": 5}, "order.city"),
    ],
)
def test_a_wrong_order_names_its_field(server: Server, change: dict[str, Any], named: str) -> None:
    assert fields(problem_of(server.post(PATH, {"order": {**ORDER, **change}}), 422)) == {named}


def test_it_is_for_analysts_and_odd_orders_are_warned_of(server: Server) -> None:
    problem_of(server.post(PATH, {"order": ORDER}, "stakeholder"), 403)
    problem_of(server.post(PATH, {"order": ORDER}, None), 401)
    odd = {**ORDER, "payment_value": 999_999, "main_category": "'; drop table marts.customer_360; --"}
    answer = server.post(PATH, {"order": odd})
    assert answer.status_code == 200
    assert {"first_order_payment", "first_category"} <= {one["field"] for one in answer.json()["warnings"]}
    russian = server.post(PATH, {"order": {**ORDER, "is_valid": False}}, headers={"Accept-Language": "ru"})
    assert "отмен" in russian.text


def test_without_the_model_it_says_how_to_get_one(published_warehouse: Path, tmp_path: Path) -> None:
    from api_server import serving

    with serving(published_warehouse, tmp_path / "home", tmp_path / "models") as bare:
        problem = problem_of(bare.post(PATH, {"order": ORDER}), 404)
        assert "python -m scoring.first_purchase" in problem["detail"]
