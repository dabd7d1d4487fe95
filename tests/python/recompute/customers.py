"""People: one row each, from their orders."""

from __future__ import annotations

import pandas as pd


def customers(orders: pd.DataFrame) -> pd.DataFrame:
    """Return who each person is now (latest order) and was first (first valid order)."""
    ordered = orders.sort_values(["purchased_at", "order_id"])
    people = ordered.groupby("customer_id")
    latest = ordered.drop_duplicates("customer_id", keep="last").set_index("customer_id")
    first = ordered[ordered["customer_order_number"] == 1].set_index("customer_id").reindex(latest.index)
    return pd.DataFrame(
        {
            "state": latest["customer_state"],
            "region": latest["customer_region"],
            "city": latest["customer_city"],
            "zip_code_prefix": latest["customer_zip_code_prefix"],
            "first_order_at": people["purchased_at"].min(),
            "last_order_at": people["purchased_at"].max(),
            "order_count": people.size(),
            "valid_order_count": people["is_valid_order"].sum(),
            "occasion_count": people["customer_occasion_number"].max().fillna(0).astype("int64"),
            "is_repeat_customer": people["customer_occasion_number"].max().fillna(0) > 1,
            "first_valid_order_at": first["purchased_at"],
            "first_order_state": first["customer_state"],
            "first_order_region": first["customer_region"],
            "first_order_category": first["main_category"].fillna("unknown").where(first["purchased_at"].notna()),
            "first_order_payment_type": first["payment_type"].fillna("unknown").where(first["purchased_at"].notna()),
        }
    ).reset_index()
