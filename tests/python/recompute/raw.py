"""Read, write, shuffle the nine raw tables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import pandas as pd

FILES = {
    "orders": "olist_orders_dataset",
    "items": "olist_order_items_dataset",
    "payments": "olist_order_payments_dataset",
    "reviews": "olist_order_reviews_dataset",
    "customers": "olist_customers_dataset",
    "geolocation": "olist_geolocation_dataset",
    "products": "olist_products_dataset",
    "sellers": "olist_sellers_dataset",
    "translation": "product_category_name_translation",
}

HEADERS = {
    "orders": [
        "order_id",
        "customer_id",
        "order_status",
        "order_purchase_timestamp",
        "order_approved_at",
        "order_delivered_carrier_date",
        "order_delivered_customer_date",
        "order_estimated_delivery_date",
    ],
    "items": [
        "order_id",
        "order_item_id",
        "product_id",
        "seller_id",
        "shipping_limit_date",
        "price",
        "freight_value",
    ],
    "payments": ["order_id", "payment_sequential", "payment_type", "payment_installments", "payment_value"],
    "reviews": [
        "review_id",
        "order_id",
        "review_score",
        "review_comment_title",
        "review_comment_message",
        "review_creation_date",
        "review_answer_timestamp",
    ],
    "customers": [
        "customer_id",
        "customer_unique_id",
        "customer_zip_code_prefix",
        "customer_city",
        "customer_state",
    ],
    "geolocation": [
        "geolocation_zip_code_prefix",
        "geolocation_lat",
        "geolocation_lng",
        "geolocation_city",
        "geolocation_state",
    ],
    "products": [
        "product_id",
        "product_category_name",
        "product_name_lenght",
        "product_description_lenght",
        "product_photos_qty",
        "product_weight_g",
        "product_length_cm",
        "product_height_cm",
        "product_width_cm",
    ],
    "sellers": ["seller_id", "seller_zip_code_prefix", "seller_city", "seller_state"],
    "translation": ["product_category_name", "product_category_name_english"],
}

STAMPS = {
    "orders": HEADERS["orders"][3:],
    "reviews": HEADERS["reviews"][5:],
}


@dataclass(frozen=True)
class Raw:
    """The nine raw tables, every cell as the text of the file; an empty cell is missing."""

    orders: pd.DataFrame
    items: pd.DataFrame
    payments: pd.DataFrame
    reviews: pd.DataFrame
    customers: pd.DataFrame
    geolocation: pd.DataFrame
    products: pd.DataFrame
    sellers: pd.DataFrame
    translation: pd.DataFrame

    def map(self, change: Callable[[str, pd.DataFrame], pd.DataFrame]) -> Raw:
        """Return a copy with every table changed by ``change(name, table)``."""
        return Raw(**{field.name: change(field.name, getattr(self, field.name)) for field in fields(self)})


def read_raw(folder: Path) -> Raw:
    """Read the CSV files (plain or gzipped) of a folder, as text."""

    def read(name: str) -> pd.DataFrame:
        path = folder / f"{FILES[name]}.csv"
        if not path.exists():
            path = path.with_suffix(".csv.gz")
        return pd.read_csv(path, dtype=str, keep_default_na=False, na_values=[""])

    return Raw(**{name: read(name) for name in FILES})


def write_raw(raw: Raw, folder: Path) -> Path:
    """Write the nine tables as CSV files under their Olist names; return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for field in fields(raw):
        getattr(raw, field.name).to_csv(folder / f"{FILES[field.name]}.csv", index=False)
    return folder


def shuffled(raw: Raw, seed: int) -> Raw:
    """Return the same rows of every table in another order."""
    generator = np.random.default_rng(seed)
    return raw.map(lambda _, table: table.iloc[generator.permutation(len(table))])


def cents(amounts: pd.Series) -> pd.Series:
    """Return money written as text in whole cents; missing amounts count as nothing."""
    return (pd.to_numeric(amounts).astype(float).fillna(0) * 100).round().astype("int64")


def stamps(table: pd.DataFrame, column: str) -> pd.Series:
    """Return a column of timestamps, missing where the cell is empty."""
    return pd.to_datetime(table[column], format="%Y-%m-%d %H:%M:%S").astype("datetime64[us]")
