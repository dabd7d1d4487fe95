"""What this warehouse replaces: items, payments and reviews merged into one wide table, then grouped, in pandas.

It reads the same landed Parquet and writes tables of the same names, but not the same figures: each payment is counted
once per item and review of its order. It is measured for its time and memory only; its figures are wrong.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd


def main(landing: Path, out: Path) -> None:
    """Read the landing whole, merge, group, write."""
    out.mkdir(parents=True, exist_ok=True)
    names = (
        "orders",
        "customers",
        "order_items",
        "order_payments",
        "order_reviews",
        "products",
        "category_translation",
    )
    raw = {name: pd.read_parquet(landing / name) for name in names}
    raw["order_items"][["price", "freight_value"]] = raw["order_items"][["price", "freight_value"]].astype(float)
    raw["order_payments"]["payment_value"] = raw["order_payments"]["payment_value"].astype(float)

    merged = (
        raw["orders"]
        .merge(raw["customers"], on="customer_id", how="left")
        .merge(raw["order_items"], on="order_id", how="left")
        .merge(raw["order_payments"], on="order_id", how="left")
        .merge(raw["order_reviews"], on="order_id", how="left")
        .merge(raw["products"], on="product_id", how="left")
        .merge(raw["category_translation"], on="product_category_name", how="left")
    )
    merged = merged[~merged["order_status"].isin(["canceled", "unavailable"])]
    merged["order_month"] = merged["order_purchase_timestamp"].dt.to_period("M").dt.to_timestamp()

    orders = merged.groupby("order_id").agg(
        customer_id=("customer_unique_id", "first"),
        purchased_at=("order_purchase_timestamp", "first"),
        order_month=("order_month", "first"),
        item_count=("order_item_id", "nunique"),
        seller_count=("seller_id", "nunique"),
        item_value=("price", "sum"),
        payment_value=("payment_value", "sum"),
        payment_type=("payment_type", "first"),
        review_score=("review_score", "mean"),
        main_category=("product_category_name_english", "first"),
    )
    as_of = merged["order_purchase_timestamp"].max() + pd.Timedelta(days=1)
    rfm = merged.groupby("customer_unique_id").agg(
        last_order_at=("order_purchase_timestamp", "max"),
        frequency=("order_id", "nunique"),
        monetary=("payment_value", "sum"),
    )
    rfm["recency_days"] = (as_of - rfm["last_order_at"]).dt.days
    rfm["recency_score"] = pd.qcut(rfm["recency_days"].rank(method="first"), 5, labels=False) + 1
    rfm["monetary_score"] = pd.qcut(rfm["monetary"].rank(method="first"), 5, labels=False) + 1

    abc = rfm[["monetary"]].sort_values("monetary", ascending=False)
    share = abc["monetary"].cumsum() / abc["monetary"].sum()
    abc["abc_class"] = np.select([share <= 0.8, share <= 0.95], ["A", "B"], "C")

    per_order = merged.groupby(["customer_unique_id", "order_id"])["payment_value"].sum()
    xyz = per_order.groupby("customer_unique_id").agg(["mean", "std"])
    xyz["xyz_class"] = np.select([xyz["std"] / xyz["mean"] <= 0.10, xyz["std"] / xyz["mean"] <= 0.25], ["X", "Y"], "Z")

    first = merged.groupby("customer_unique_id")["order_month"].transform("min")
    cohorts = merged.groupby([first.rename("cohort_month"), "order_month"]).agg(
        active_customers=("customer_unique_id", "nunique"), revenue=("payment_value", "sum")
    )
    tables = {
        "fct_orders": orders,
        "customer_rfm": rfm,
        "customer_abc": abc,
        "customer_xyz": xyz,
        "cohort_retention": cohorts,
    }
    for name, table in tables.items():
        table.reset_index().to_parquet(out / f"{name}.parquet", index=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
