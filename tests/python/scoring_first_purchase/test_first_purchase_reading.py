"""What is known of a first purchase at a moment, and what counts as its future."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import duckdb
import pytest

from scoring.first_purchase.reading import CHECKOUT, DELIVERED, Moments, read

ORDER = """(
    order_id varchar, customer_id varchar, is_valid_order boolean, is_delivered boolean, purchased_at timestamp,
    delivered_at timestamp, estimated_delivery_date date, item_count integer, freight_value decimal(18, 2),
    order_value decimal(18, 2), payment_value decimal(18, 2), payment_type varchar, max_installments integer,
    main_category varchar, customer_city varchar, customer_state varchar, customer_region varchar,
    customer_order_number integer, customer_occasion_number integer
)"""
# who, when, paid, category, number, occasion, delivered
ORDERS = [
    ("anna", "2025-01-10 09:00", 50, "toys", 1, 1, "2025-01-20"),
    ("anna", "2025-01-10 18:00", 30, "books", 2, 1, "2025-01-21"),
    ("anna", "2025-02-20 10:00", 70, "garden", 3, 2, None),
    ("anna", "2025-03-01 10:00", 20, "toys", 4, 3, None),
    ("bela", "2025-01-11 10:00", 40, "toys", 1, 1, "2025-01-15"),
    ("cleo", "2025-01-12 10:00", 60, None, 1, 1, None),
    ("cleo", "2025-06-20 10:00", 10, "toys", 2, 2, None),
    ("dora", "2025-06-25 10:00", 60, "toys", 1, 1, "2025-06-28"),
    ("ella", "2025-01-13 10:00", 25, "toys", 1, 1, "2025-01-16"),
    ("ella", "2025-01-15 10:00", 15, "toys", 2, 2, None),
]
REVIEWS = [
    ("anna-2", 4, "2025-01-25 10:00"),
    ("anna-2", 1, "2025-02-10 10:00"),
    ("bela-1", 2, "2025-03-30 10:00"),
    ("dora-1", 5, "2025-06-29 10:00"),
]


def warehouse(
    file: Path, orders: Sequence[tuple[object, ...]] = ORDERS, reviews: Sequence[tuple[object, ...]] = REVIEWS
) -> Path:
    """Write the tables of a published warehouse that are read, as of 2025-08-01."""
    with duckdb.connect(str(file)) as connection:
        connection.execute("create schema marts")
        connection.execute("create table marts.parameters as select 'as_of_date' as name, '2025-08-01' as value")
        connection.execute(f"create table given_orders {ORDER}")
        for who, when, paid, category, number, occasion, delivered in orders:
            connection.execute(
                "insert into given_orders values (?, ?, true, ?, ?, ?, '2025-01-18', 1, 5, ?, ?, 'boleto', 1, ?, 'x', "
                "'SP', 'South', ?, ?)",
                [
                    f"{who}-{number}",
                    who,
                    delivered is not None,
                    when,
                    delivered,
                    paid,
                    paid,
                    category,
                    number,
                    occasion,
                ],
            )
        connection.execute(
            "create table marts.fct_orders as select *, purchased_at::date as order_date, "
            "date_diff('day', purchased_at::date, delivered_at::date) as delivery_days, "
            "date_diff('day', estimated_delivery_date, delivered_at::date) as delay_days from given_orders"
        )
        connection.execute(
            "create table marts.fct_reviews (order_id varchar, review_id varchar, review_score integer, "
            "has_comment boolean, review_created_at timestamp, review_answered_at timestamp)"
        )
        for number, (order, score, known) in enumerate(reviews):
            connection.execute(
                "insert into marts.fct_reviews values (?, ?, ?, true, null, ?)", [order, str(number), score, known]
            )
    return file


def rows_of(moments: Moments) -> dict[float, int]:
    """Return the row of each first payment, which no two people share."""
    return {float(paid): row for row, paid in enumerate(moments.features.numbers["first_order_payment"])}


def test_the_moment_the_window_and_what_is_known(tmp_path: Path) -> None:
    as_of, moments = read(warehouse(tmp_path / "w.duckdb"), 90)
    assert as_of == date(2025, 8, 1)
    checkout, delivered = moments[CHECKOUT], moments[DELIVERED]
    # dora's window has not passed; ella came back before her parcel did
    assert set(rows_of(checkout)) == {80, 40, 60, 25} and set(rows_of(delivered)) == {80, 40}
    anna, bela = rows_of(checkout)[80], rows_of(checkout)[40]
    assert [checkout.is_back[anna], checkout.revenue[anna], checkout.next_category[anna]] == [True, 90, "garden"]
    assert not checkout.is_back[bela] and checkout.next_category[bela] is None
    # cleo came back too late
    assert not checkout.is_back[rows_of(checkout)[60]] and checkout.revenue[rows_of(checkout)[60]] == 0
    category = checkout.features.categories["first_category"]
    assert category.words[category.codes[anna]] == "books"
    anna, bela = rows_of(delivered)[80], rows_of(delivered)[40]
    assert date.fromordinal(int(delivered.day[anna])) == date(2025, 1, 25)
    assert delivered.features.numbers["last_review_score"][anna] == 4
    assert delivered.features.numbers["last_delay_days"][anna] == 3
    # bela answered months later: after two weeks nothing was known of it
    assert date.fromordinal(int(delivered.day[bela])) == date(2025, 1, 29)
    assert delivered.features.numbers["is_last_review_missing"][bela] == 1
    assert not delivered.is_back[bela]


def test_what_comes_later_changes_no_feature(tmp_path: Path) -> None:
    _, before = read(warehouse(tmp_path / "before.duckdb"), 90)
    changed = [
        (
            who,
            when,
            paid * 7 if occasion > 1 else paid,
            "moved" if occasion > 1 else category,
            number,
            occasion,
            arrived,
        )
        for who, when, paid, category, number, occasion, arrived in ORDERS
    ]
    reviews = [*REVIEWS[:1], ("anna-2", 3, "2025-02-27 10:00"), ("bela-1", 5, "2025-05-30 10:00")]
    _, after = read(warehouse(tmp_path / "after.duckdb", changed, reviews), 90)
    for stage in before:
        assert before[stage].features.numbers.keys() == after[stage].features.numbers.keys()
        for name, values in before[stage].features.numbers.items():
            assert values.tolist() == pytest.approx(after[stage].features.numbers[name].tolist(), nan_ok=True)
        for name, column in before[stage].features.categories.items():
            other = after[stage].features.categories[name]
            assert [column.words[code] for code in column.codes] == [other.words[code] for code in other.codes]
        assert before[stage].revenue.sum() != after[stage].revenue.sum()


def test_a_shop_without_reviews_or_deliveries_is_read(tmp_path: Path) -> None:
    _, moments = read(warehouse(tmp_path / "none.duckdb", reviews=[]), 90)
    # nothing is waited for where nobody reviews
    assert date.fromordinal(int(moments[DELIVERED].day.min())) == date(2025, 1, 15)
    never = [(*order[:6], None) for order in ORDERS]
    _, moments = read(warehouse(tmp_path / "never.duckdb", never, []), 90)
    assert len(moments[DELIVERED].day) == 0 and len(moments[CHECKOUT].day) == 4
