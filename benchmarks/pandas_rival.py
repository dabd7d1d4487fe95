# mypy: disable-error-code="no-any-return, call-overload, type-var, arg-type"
"""Rival: order, RFM, ABC, XYZ and cohort tables as a pandas script would make them, from landed Parquet to Parquet.

It is written to be fast: only the columns it needs, money as whole cents, one pass per table, no merge of many rows
with many. It does a little less than the warehouse (no cleaned city names, no tests, no contract), in its own favour.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

SEEDS = Path(__file__).resolve().parents[1] / "seeds"
NORMAL_95 = 1.959963984540054


def main(landing: Path, out: Path) -> None:
    """Read the landing, write the five tables."""
    out.mkdir(parents=True, exist_ok=True)
    orders = order_table(landing)
    rfm = rfm_table(orders)
    tables = {
        "fct_orders": orders,
        "customer_rfm": rfm,
        "customer_abc": abc_table(rfm),
        "customer_xyz": xyz_table(orders),
        "cohort_retention": cohort_table(orders),
    }
    for name, table in tables.items():
        table.to_parquet(out / f"{name}.parquet", index=False)


def read(landing: Path, table: str, columns: list[str]) -> pd.DataFrame:
    """Read columns of a landed table; decimals become whole cents."""
    found = ds.dataset(landing / table, format="parquet").to_table(columns=columns)
    for position, field in enumerate(found.schema):
        if pa.types.is_decimal(field.type):
            cents = pc.cast(pc.round(pc.multiply(pc.cast(found[field.name], pa.float64()), 100)), pa.int64())
            found = found.set_column(position, field.name, cents)
    return found.to_pandas()


def order_table(landing: Path) -> pd.DataFrame:
    """One row per order: items, payments and reviews rolled up, then joined."""
    orders = read(
        landing,
        "orders",
        [
            "order_id",
            "customer_id",
            "order_status",
            "order_purchase_timestamp",
            "order_approved_at",
            "order_delivered_carrier_date",
            "order_delivered_customer_date",
            "order_estimated_delivery_date",
        ],
    ).rename(
        columns={
            "customer_id": "order_customer_id",
            "order_purchase_timestamp": "purchased_at",
            "order_approved_at": "approved_at",
            "order_delivered_carrier_date": "shipped_at",
            "order_delivered_customer_date": "delivered_at",
            "order_estimated_delivery_date": "estimated_delivery_date",
        }
    )
    customers = read(
        landing, "customers", ["customer_id", "customer_unique_id", "customer_zip_code_prefix", "customer_state"]
    )
    orders = orders.merge(
        customers.rename(columns={"customer_id": "order_customer_id", "customer_unique_id": "customer_id"}),
        on="order_customer_id",
        how="left",
    )
    orders["customer_id"] = orders["customer_id"].fillna(orders["order_customer_id"])
    orders["customer_state"] = orders["customer_state"].fillna("unknown")
    regions = pd.read_csv(SEEDS / "brazilian_states.csv").set_index("state")["region"]
    orders["customer_region"] = orders["customer_state"].map(regions).fillna("unknown")

    orders["is_valid_order"] = ~orders["order_status"].isin(["canceled", "unavailable"])
    orders["is_delivered"] = orders["order_status"] == "delivered"
    orders["order_date"] = orders["purchased_at"].dt.normalize()
    orders["order_month"] = month_of(orders["purchased_at"])
    orders["estimated_delivery_date"] = orders["estimated_delivery_date"].dt.normalize()
    arrived = orders["delivered_at"].where(orders["is_delivered"]).dt.normalize()
    orders["delivery_days"] = (arrived - orders["order_date"]).dt.days
    orders["delay_days"] = (arrived - orders["estimated_delivery_date"]).dt.days
    orders["is_late"] = (orders["delay_days"] > 0).astype("boolean").mask(orders["delay_days"].isna())

    for side in (item_sums(landing), payment_sums(landing), latest_reviews(landing)):
        orders = orders.merge(side, on="order_id", how="left")
    counts = ["item_count", "seller_count", "payment_count", "review_count"]
    money = ["item_value", "freight_value", "payment_value", "refunded_value"]
    orders[counts + money] = orders[counts + money].fillna(0).astype("int64")
    orders["order_value"] = orders["item_value"] + orders["freight_value"]

    valid = orders.loc[orders["is_valid_order"], ["customer_id", "purchased_at", "order_id"]]
    valid = valid.sort_values(["purchased_at", "order_id"])
    orders["customer_order_number"] = valid.groupby("customer_id", sort=False).cumcount() + 1
    # the first order of each day opens a shopping occasion
    valid["opens"] = ~valid.assign(day=valid["purchased_at"].dt.normalize()).duplicated(["customer_id", "day"])
    orders["customer_occasion_number"] = valid.groupby("customer_id", sort=False)["opens"].cumsum()
    return orders


def item_sums(landing: Path) -> pd.DataFrame:
    """One row per order with items."""
    items = read(landing, "order_items", ["order_id", "product_id", "seller_id", "price", "freight_value"])
    products = read(landing, "products", ["product_id", "product_category_name"])
    english = read(landing, "category_translation", ["product_category_name", "product_category_name_english"])
    portuguese = products["product_category_name"]
    products["category"] = (
        portuguese.map(english.set_index("product_category_name")["product_category_name_english"])
        .fillna(portuguese)
        .fillna("unknown")
    )
    items["category"] = items["product_id"].map(products.set_index("product_id")["category"]).fillna("unknown")
    sums = items.groupby("order_id", sort=False).agg(
        item_count=("price", "size"),
        seller_count=("seller_id", "nunique"),
        item_value=("price", "sum"),
        freight_value=("freight_value", "sum"),
    )
    by_category = items.groupby(["order_id", "category"], sort=False, as_index=False)["price"].sum()
    by_category = by_category.sort_values(["price", "category"], ascending=[False, True])
    sums["main_category"] = by_category.drop_duplicates("order_id").set_index("order_id")["category"]
    return sums.reset_index()


def payment_sums(landing: Path) -> pd.DataFrame:
    """One row per order with payments."""
    payments = read(
        landing,
        "order_payments",
        ["order_id", "payment_sequential", "payment_type", "payment_installments", "payment_value"],
    )
    payments["refunded"] = -payments["payment_value"].clip(upper=0)
    sums = payments.groupby("order_id", sort=False).agg(
        payment_value=("payment_value", "sum"),
        refunded_value=("refunded", "sum"),
        payment_count=("payment_value", "size"),
        max_installments=("payment_installments", "max"),
    )
    largest = payments.sort_values(["payment_value", "payment_sequential"], ascending=[False, True])
    sums["payment_type"] = largest.drop_duplicates("order_id").set_index("order_id")["payment_type"]
    return sums.reset_index()


def latest_reviews(landing: Path) -> pd.DataFrame:
    """One row per order with reviews: the latest answer speaks for the order."""
    reviews = read(landing, "order_reviews", ["order_id", "review_id", "review_score", "review_answer_timestamp"])
    reviews = reviews.sort_values(["review_answer_timestamp", "review_id"], na_position="first")
    latest = reviews.drop_duplicates("order_id", keep="last").set_index("order_id")
    latest["review_count"] = reviews.groupby("order_id", sort=False).size()
    latest = latest.rename(columns={"review_answer_timestamp": "review_answered_at"})
    return latest[["review_count", "review_score", "review_answered_at"]].reset_index()


def rfm_table(orders: pd.DataFrame) -> pd.DataFrame:
    """One row per person with a valid order."""
    valid = orders[orders["is_valid_order"]]
    people = (
        valid.groupby("customer_id", sort=False)
        .agg(
            last_valid_order_date=("order_date", "max"),
            frequency=("order_date", "nunique"),
            order_count=("order_date", "size"),
            monetary=("payment_value", "sum"),
        )
        .reset_index()
    )
    as_of = orders["order_date"].max() + pd.Timedelta(days=1)
    people["recency_days"] = (as_of - people["last_valid_order_date"]).dt.days
    people["recency_score"] = 6 - fifths(people["recency_days"])
    people["frequency_score"] = np.searchsorted([1, 2, 3, 4, 6], people["frequency"], side="right")
    people["monetary_score"] = fifths(people["monetary"])
    tenths = 5 * people["recency_score"] + 3 * people["frequency_score"] + 2 * people["monetary_score"]
    people["rfm_weighted_score"] = tenths / 10
    cells = pd.read_csv(SEEDS / "rfm_segments.csv", dtype={"rfm_cell": str})
    return people.merge(cells, on=["recency_score", "frequency_score", "monetary_score"], how="left")


def fifths(values: pd.Series) -> pd.Series:
    """Return ceil(5 x cume_dist)."""
    return -(-5 * values.rank(method="max").astype("int64") // len(values))


def abc_table(rfm: pd.DataFrame) -> pd.DataFrame:
    """One row per person: Pareto class by money."""
    ranked = rfm[["customer_id", "monetary"]].rename(columns={"monetary": "revenue"})
    ranked = ranked.sort_values(["revenue", "customer_id"], ascending=[False, True])
    total = int(ranked["revenue"].sum())
    # equal customers share a class: none of them is before the other
    before = (ranked["revenue"].cumsum() - ranked["revenue"]).groupby(ranked["revenue"], sort=False).transform("first")
    ranked["cumulative_share_before"] = (before / total).round(9) if total else np.nan
    classes = [ranked["revenue"] == 0, 100 * before < 80 * total, 100 * before < 95 * total]
    ranked["abc_class"] = np.select(classes, ["C", "A", "B"], "C")
    return ranked


def xyz_table(orders: pd.DataFrame) -> pd.DataFrame:
    """One row per person: how even the payments of the orders are."""
    valid = orders.loc[orders["is_valid_order"], ["customer_id", "order_date", "payment_value"]]
    valid = valid.assign(square=valid["payment_value"].astype(float) ** 2)
    people = valid.groupby("customer_id", sort=False).agg(
        valid_order_count=("payment_value", "size"),
        occasion_count=("order_date", "nunique"),
        total=("payment_value", "sum"),
        squares=("square", "sum"),
    )
    count, total = people["valid_order_count"], people["total"].astype(float)
    spread = (count * people["squares"] - total**2).clip(lower=0)
    possible = (count >= 2) & (total > 0)
    variation = (np.sqrt(count * spread / (count - 1).where(possible)) / total.where(possible)).round(9)
    people["mean_order_value"] = (total / count / 100).round(9)
    people["order_value_cv"] = variation
    occasions = people["occasion_count"]
    classes = [occasions < 2, occasions == 2, variation <= 0.10, variation <= 0.25]
    people["xyz_class"] = np.select(classes, ["single_purchase", "two_purchases", "X", "Y"], "Z")
    return people.drop(columns=["total", "squares"]).reset_index()


def cohort_table(orders: pd.DataFrame) -> pd.DataFrame:
    """One row per cohort month and month since the first order."""
    last_month = last_complete_month(orders)
    valid = orders.loc[
        orders["is_valid_order"],
        ["customer_id", "order_month", "payment_value", "customer_order_number"],
    ]
    first = valid[valid["customer_order_number"] == 1].set_index("customer_id")["order_month"]
    valid = valid.assign(cohort_month=valid["customer_id"].map(first))
    valid = valid[valid["order_month"] <= last_month]
    valid["months_since_first_order"] = months_between(valid["cohort_month"], valid["order_month"])
    cells = valid.groupby(["cohort_month", "months_since_first_order"]).agg(
        active_customers=("customer_id", "nunique"), orders=("customer_id", "size"), revenue=("payment_value", "sum")
    )
    sizes = cells["active_customers"].xs(0, level="months_since_first_order").rename("cohort_size").reset_index()
    longest = int(months_between(sizes["cohort_month"], last_month).max())
    grid = sizes.merge(pd.DataFrame({"months_since_first_order": range(longest + 1)}), how="cross")
    grid = grid.merge(cells.reset_index(), on=["cohort_month", "months_since_first_order"], how="left")
    measures = ["active_customers", "orders", "revenue"]
    grid[measures] = grid[measures].fillna(0)
    grid = grid.sort_values(["cohort_month", "months_since_first_order"])
    grid["cumulative_revenue"] = grid.groupby("cohort_month")["revenue"].cumsum()
    grid["is_observable"] = grid["months_since_first_order"] <= months_between(grid["cohort_month"], last_month)
    measures.append("cumulative_revenue")
    grid[measures] = grid[measures].where(grid["is_observable"], np.nan)
    size, active = grid["cohort_size"], grid["active_customers"]
    grid["retention_rate"] = (active / size).round(9)
    middle, half = active + NORMAL_95**2 / 2, NORMAL_95 * np.sqrt(active * (size - active) / size + NORMAL_95**2 / 4)
    grid["retention_low"] = ((middle - half) / (size + NORMAL_95**2)).round(9)
    grid["retention_high"] = ((middle + half) / (size + NORMAL_95**2)).round(9)
    grid["cumulative_revenue_per_customer"] = (grid["cumulative_revenue"] / size / 100).round(9)
    grid["is_small_cell"] = size < 30
    return grid


def last_complete_month(orders: pd.DataFrame) -> pd.Timestamp:
    """Return the last ended month with at least a tenth of the median month's orders."""
    this_month = (orders["order_date"].max() + pd.Timedelta(days=1)).to_period("M").to_timestamp()
    ended = pd.date_range(orders["order_month"].min(), this_month, freq="MS", inclusive="left")
    counts = orders["order_month"].value_counts().reindex(ended, fill_value=0)
    return counts.index[(counts > 0) & (counts >= 0.10 * counts.median())].max()


def month_of(moments: pd.Series) -> pd.Series:
    """Return the first day of each month."""
    return moments.dt.to_period("M").dt.to_timestamp()


def months_between(start: pd.Series, end: pd.Series | pd.Timestamp) -> pd.Series:
    """Return calendar months from one month to another."""
    last = end.dt if isinstance(end, pd.Series) else end
    return (last.year - start.dt.year) * 12 + (last.month - start.dt.month)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
