"""The API says what the warehouse says, of everyone."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from api_server import Server
from builds import query

from scoring.table.model import TableModel


def orders_of_everybody(warehouse: Path) -> dict[str, list[dict[str, Any]]]:
    """Read the facts back into the orders that a program would send."""
    reviews: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in query(
        warehouse,
        """
        select
            order_id, review_id, fct_reviews.review_score as score, has_comment,
            strftime(coalesce(fct_reviews.review_answered_at, review_created_at, purchased_at), '%Y-%m-%dT%H:%M:%S')
                as known_at
        from marts.fct_reviews inner join marts.fct_orders using (order_id)
        """,
    ).to_dict("records"):
        reviews[str(row.pop("order_id"))].append({str(name): value for name, value in row.items()})
    people: dict[str, list[dict[str, Any]]] = defaultdict(list)
    rows = query(
        warehouse,
        """
        select
            customer_id, order_id, strftime(purchased_at, '%Y-%m-%dT%H:%M:%S') as purchased_at,
            payment_value::varchar as payment_value, order_value::varchar as order_value,
            freight_value::varchar as freight_value, item_count, main_category, payment_type, max_installments,
            customer_state as state, customer_region as region, is_valid_order as is_valid, is_delivered,
            strftime(delivered_at, '%Y-%m-%dT%H:%M:%S') as delivered_at,
            estimated_delivery_date::varchar as estimated_delivery_date
        from marts.fct_orders
        """,
    )
    rows = rows.astype(object).where(rows.notna(), None)
    for row in rows.to_dict("records"):
        values = {str(name): value for name, value in row.items()}
        people[values.pop("customer_id")].append({**values, "reviews": reviews[values["order_id"]]})
    return people


def test_a_batch_of_everybodys_orders_gets_the_scores_of_the_warehouse(
    server: Server, published_warehouse: Path
) -> None:
    expected = query(
        published_warehouse,
        "select customer_id, churn_probability, churn_band, reason_1, reason_2, reason_3, "
        "reason_1_contribution, score, model_version from scores.customer_churn_scores order by customer_id",
    )
    orders = orders_of_everybody(published_warehouse)
    worst, told = 0.0, 0
    for first in range(0, len(expected), 5_000):
        part = expected.iloc[first : first + 5_000]
        answer = server.post("/predict/batch", {"people": [{"orders": orders[one]} for one in part["customer_id"]]})
        assert answer.status_code == 200
        assert answer.json()["model"] == part["model_version"].iloc[0]
        for row, result in zip(part.itertuples(), answer.json()["results"], strict=True):
            worst = max(worst, abs(result["probability"] - row.churn_probability))
            assert result["band"] == row.churn_band
            wanted = [reason for reason in (row.reason_1, row.reason_2, row.reason_3) if isinstance(reason, str)]
            assert [reason["text"] for reason in result["reasons"]] == wanted
            total = sum(reason["contribution"] for reason in result["reasons"])
            assert result["base_score"] + total + result["other_contribution"] == pytest.approx(row.score, abs=1e-8)
            told += len(wanted)
    assert worst < 1e-12
    assert told > 0


def test_a_person_has_the_row_of_customer_360(server: Server, published_warehouse: Path) -> None:
    people = query(published_warehouse, "select * from marts.customer_360 order by md5(customer_id) limit 25").to_dict(
        "records"
    )
    for person in people:
        answer = server.get(f"/customers/{person['customer_id']}").json()
        assert set(answer) == {*map(str, person), "build_id"}
        assert answer["churn_probability"] == pytest.approx(person["churn_probability"], abs=1e-12)
        assert answer["reason_1"] == person["reason_1"]
        assert answer["monetary"] == pytest.approx(float(person["monetary"]))


def test_a_row_gets_what_the_model_says_alone_or_among_others(server: Server, table_model: TableModel) -> None:
    generator = np.random.default_rng(4)
    rows = []
    for _ in range(200):
        row: dict[str, Any] = {}
        for coding in table_model.codings:
            if generator.random() < 0.1:
                row[coding.feature] = None
            elif coding.kind == "number":
                row[coding.feature] = float(round(generator.uniform(coding.low, coding.high)))
            else:
                row[coding.feature] = str(generator.choice(coding.words))
        rows.append(row)
    batch = server.post("/predict/batch", {"model": "shop", "rows": rows}).json()["results"]
    for row, result in zip(rows, batch, strict=True):
        expected = table_model.answer(row)
        assert result["probability"] == pytest.approx(expected.probability, abs=1e-12)
        assert result["score"] == pytest.approx(expected.score, abs=1e-12)
        assert [one["features"] for one in result["reasons"]] == [list(one.features) for one in expected.reasons]
    assert any(len(reason["features"]) == 2 for result in batch for reason in result["reasons"])
    alone = server.post("/predict", {"row": rows[0]}).json()
    assert {name: alone[name] for name in batch[0]} == {**batch[0], "warnings": alone["warnings"]}
    assert alone["model"] == table_model.version
