"""Shops that have little: orders with person, day and amount, and a stranger's country."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from builds import build_warehouses, mart, query

# person (none for a guest), day, payments; ties, a cent, money given back, a customer of nothing net.
ORDERS: list[tuple[str, str | None, str, list[float]]] = [
    ("o01", "ann", "2024-01-05", [10.00]),
    ("o02", "ann", "2024-01-05", [5.00]),
    ("o03", "ann", "2024-03-09", [20.00, -5.00]),
    ("o04", "ben", "2024-01-20", [10.00]),
    ("o05", "cat", "2024-01-20", [10.00]),
    ("o06", None, "2024-02-01", [99.99]),
    ("o07", None, "2024-02-02", [0.01]),
    ("o08", "dan", "2024-02-10", [168.40, -168.40]),
    ("o09", "eve", "2024-02-11", [30.00]),
    ("o10", "eve", "2024-03-11", [30.00]),
    ("o11", "eve", "2024-03-25", [30.00]),
    ("o12", "fay", "2024-03-28", [12.50]),
]
# order, line, product, price of the line, units
LINES = [
    ("o01", 1, "tea", 9.0, 3),
    ("o01", 2, "cup", 4.0, None),
    ("o04", 1, "tea", 30.0, 10),
    ("o06", 1, "pot", 50.0, 1),
]


def _write(folder: Path, **tables: pd.DataFrame) -> Path:
    folder.mkdir(parents=True)
    for name, table in tables.items():
        table.to_csv(folder / f"olist_{name}_dataset.csv", index=False)
    return folder


def _orders() -> tuple[pd.DataFrame, pd.DataFrame]:
    orders = pd.DataFrame(
        {
            "order_id": [order for order, *_ in ORDERS],
            # one guest has no customer at all, the other one a customer who is nobody
            "customer_id": [None if order == "o06" else f"of-{order}" for order, *_ in ORDERS],
            "order_purchase_timestamp": [f"{day} 00:00:00" for _, _, day, _ in ORDERS],
        }
    )
    named = [(f"of-{order}", person) for order, person, *_ in ORDERS if order != "o06"]
    return orders, pd.DataFrame(named, columns=["customer_id", "customer_unique_id"])


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders of two warehouses: `paid` of payments alone, in pounds; `lines` of lines alone, in the US."""
    folder = tmp_path_factory.mktemp("bare")
    orders, customers = _orders()
    payments = pd.DataFrame(
        [(order, number, amount) for order, *_, paid in ORDERS for number, amount in enumerate(paid, start=1)],
        columns=["order_id", "payment_sequential", "payment_value"],
    )
    lines = pd.DataFrame(LINES, columns=["order_id", "order_item_id", "product_id", "price", "quantity"])
    customers_placed = customers.assign(
        customer_state=["MA" if number % 2 else "TX" for number in range(len(customers))]
    )
    raws = {
        "paid": _write(folder / "raw" / "paid", orders=orders, customers=customers, order_payments=payments),
        "lines": _write(
            folder / "raw" / "lines",
            orders=orders,
            customers=customers_placed,
            order_items=lines.assign(quantity=lines["quantity"].astype("Int64")),
        ),
    }
    variables: dict[str, dict[str, object]] = {
        "paid": {"shop_currency": "GBP", "shop_country": None},
        "lines": {"shop_currency": "USD", "shop_country": "US"},
    }
    return build_warehouses({name: (raw, folder / name, variables[name]) for name, raw in raws.items()})


def test_sentences_are_in_the_shops_own_money(bare: dict[str, Path]) -> None:
    sentences = mart(bare["paid"], "marts.findings_sentences")
    for language in ("sentence_en", "sentence_ru"):
        assert sentences[language].str.contains("£ ").any()
        assert not sentences[language].str.contains("R$", regex=False).any()


def test_money_and_people_of_three_columns_add_up(bare: dict[str, Path]) -> None:
    expected = pd.DataFrame(
        [(person, day, round(sum(paid), 2)) for _, person, day, paid in ORDERS], columns=["person", "day", "net"]
    )
    months = mart(bare["paid"], "marts.monthly_sales", "order_month")
    assert list(months["revenue"].astype(float)) == list(
        expected.groupby(expected["day"].str[:7])["net"].sum().round(2)
    )
    assert list(months["refunded_value"].astype(float)) == [0, 168.40, 5.00]
    people = mart(bare["paid"], "marts.customer_rfm").set_index("customer_id")
    known = expected.dropna(subset=["person"])
    assert people["monetary"].astype(float).to_dict() == known.groupby("person")["net"].sum().round(2).to_dict()
    assert people["frequency"].to_dict() == known.drop_duplicates(["person", "day"]).groupby("person").size().to_dict()
    classes = mart(bare["paid"], "marts.customer_abc").set_index("customer_id")["abc_class"]
    assert classes["dan"] == "C", "168.40 gross and nothing net"
    assert classes["ben"] == classes["cat"], "equal money, equal class"


def test_guests_are_in_the_shop_and_in_no_table_of_customers(bare: dict[str, Path]) -> None:
    shop = mart(bare["paid"], "marts.shop").iloc[0]
    assert (shop["orders"], shop["orders_without_person"]) == (12, 2)
    assert mart(bare["paid"], "marts.build_info")["orders_without_person"].item() == 2
    assert mart(bare["paid"], "marts.monthly_sales")["orders"].sum() == 12
    assert set(mart(bare["paid"], "marts.dim_customers")["customer_id"]) == {"ann", "ben", "cat", "dan", "eve", "fay"}
    assert mart(bare["paid"], "marts.customer_segments")["order_count"].sum() == 10
    odd = mart(bare["paid"], "quality.anomalies").set_index("anomaly")["row_count"]
    assert (odd["no person"], odd["money given back"]) == (2, 2)


def test_what_was_not_observed_is_not_claimed(bare: dict[str, Path]) -> None:
    for table in ("delivery_performance", "state_demand", "seller_scorecard"):
        assert mart(bare["paid"], f"marts.{table}")["late_share"].isna().all(), table
    verdicts = mart(bare["paid"], "marts.hypothesis_results")
    assert set(verdicts["verdict"]) <= {"not_tested", "inconclusive"}
    without_data = verdicts[verdicts["hypothesis_id"].isin([2, 3, 4, 5, 7, 9, 11, 12, 14, 15, 16, 17, 18])]
    assert set(without_data["verdict"]) == {"not_tested"}
    assert verdicts["agrees_with_study"].isna().all()
    assert mart(bare["paid"], "marts.purchase_rhythm").empty, "days tell no hour"


def test_the_shop_says_what_it_is_and_has(bare: dict[str, Path]) -> None:
    paid, lines = (mart(bare[name], "marts.shop").iloc[0] for name in ("paid", "lines"))
    assert (paid["currency"], paid["currency_symbol"], paid["country"]) == ("GBP", "£", None)
    assert (lines["currency"], lines["currency_symbol"], lines["country_name"]) == ("USD", "$", "United States")
    assert {name for name in paid.index if name.startswith("has_") and paid[name]} == {"has_money", "has_payments"}
    assert {name for name in lines.index if name.startswith("has_") and lines[name]} == {
        "has_money",
        "has_items",
        "has_products",
        "has_places",
    }
    assert float(paid["refunded_value"]) == 173.40


def test_without_payments_an_order_is_worth_its_items(bare: dict[str, Path]) -> None:
    orders = mart(bare["lines"], "marts.fct_orders").set_index("order_id")["payment_value"].astype(float)
    assert orders[orders > 0].to_dict() == {"o01": 13.0, "o04": 30.0, "o06": 50.0}
    products = mart(bare["lines"], "marts.product_abc_xyz").set_index("product_id")
    assert products["units"].to_dict() == {"tea": 13, "cup": 1, "pot": 1}
    assert products["revenue"].astype(float).to_dict() == {"tea": 39.0, "cup": 4.0, "pot": 50.0}
    prices = query(bare["lines"], "select lower_bound, units from marts.price_distribution order by 1")
    # tea is 3.00 apiece, a cup 4.00, a pot 50.00
    assert [(round(float(low), 2), int(units)) for low, units in prices.itertuples(index=False)] == [
        (2.51, 13),
        (3.98, 1),
        (39.81, 1),
    ]


def test_a_state_is_one_of_the_shops_own_country(bare: dict[str, Path]) -> None:
    states = mart(bare["lines"], "marts.state_demand").set_index("customer_state")
    assert set(states.index) == {"MA", "TX", "unknown"}, "no Brazilian state is listed"
    assert states.loc["MA", "customer_state_name"] == "Massachusetts"
    assert states.loc["MA", "customer_region"] == "not grouped"
    elsewhere = mart(bare["paid"], "marts.state_demand")
    assert set(elsewhere["customer_state"]) == {"unknown"}
