"""The nine raw tables and their input contract: columns, types, keys, allowed values, references.

The one place that knows the raw headers, and the one place that says which rows are fit to land.
"""

from __future__ import annotations

from dataclasses import dataclass, field

TEXT, WHOLE, MONEY, STAMP, DEGREE = "VARCHAR", "INTEGER", "DECIMAL(12,2)", "TIMESTAMP", "DOUBLE"

# How a type is called in a message.
KINDS = {
    WHOLE: "a whole number",
    MONEY: "an amount of money with two decimals",
    STAMP: "a date and time (YYYY-MM-DD HH:MM:SS)",
    DEGREE: "a number of degrees",
}

# Outside these years a date is a slip of the keyboard or some tool's default (1900, 1970, 9999), not a day of the shop.
STAMP_RANGE = ("1990-01-01 00:00:00", "2099-12-31 23:59:59")
NOT_NEGATIVE = (0, None)

ORDER_STATUSES = (
    "created",
    "approved",
    "processing",
    "invoiced",
    "shipped",
    "delivered",
    "canceled",
    "unavailable",
)


@dataclass(frozen=True)
class RawTable:
    """One raw table as the shop exports it, and what a row of it must keep to.

    Attributes
    ----------
    name : str
        Name of its landing folder and of its dbt source.
    stem : str
        File name without ending, as in the public Olist data.
    columns : dict of str to str
        Header name to DuckDB type, in the order of the published files.
    key : tuple of str
        Columns that name a row; empty where the table has no key and a repeated row is a repeated observation.
    required : tuple of str
        Columns, besides the key, that may not be empty.
    ranges : dict of str to tuple
        Smallest and largest allowed value; None leaves a side open. Timestamps have STAMP_RANGE without being listed.
    allowed : dict of str to tuple
        Column to its allowed texts.
    references : dict of str to str
        Column to the table that must hold its value as key.
    by_month : bool
        Whether landing files are cut by the month of purchase, so that a new day rewrites few of them.
    """

    name: str
    stem: str
    columns: dict[str, str]
    key: tuple[str, ...]
    required: tuple[str, ...] = ()
    ranges: dict[str, tuple[float | None, float | None]] = field(default_factory=dict)
    allowed: dict[str, tuple[str, ...]] = field(default_factory=dict)
    references: dict[str, str] = field(default_factory=dict)
    by_month: bool = False


TABLES: tuple[RawTable, ...] = (
    RawTable(
        "orders",
        "olist_orders_dataset",
        {
            "order_id": TEXT,
            "customer_id": TEXT,
            "order_status": TEXT,
            "order_purchase_timestamp": STAMP,
            "order_approved_at": STAMP,
            "order_delivered_carrier_date": STAMP,
            "order_delivered_customer_date": STAMP,
            "order_estimated_delivery_date": STAMP,
        },
        ("order_id",),
        required=("customer_id", "order_status", "order_purchase_timestamp"),
        allowed={"order_status": ORDER_STATUSES},
        references={"customer_id": "customers"},
        by_month=True,
    ),
    RawTable(
        "order_items",
        "olist_order_items_dataset",
        {
            "order_id": TEXT,
            "order_item_id": WHOLE,
            "product_id": TEXT,
            "seller_id": TEXT,
            "shipping_limit_date": STAMP,
            "price": MONEY,
            "freight_value": MONEY,
        },
        ("order_id", "order_item_id"),
        required=("product_id", "seller_id", "price", "freight_value"),
        ranges={"order_item_id": (1, None), "price": NOT_NEGATIVE, "freight_value": NOT_NEGATIVE},
        references={"order_id": "orders", "product_id": "products", "seller_id": "sellers"},
        by_month=True,
    ),
    RawTable(
        "order_payments",
        "olist_order_payments_dataset",
        {
            "order_id": TEXT,
            "payment_sequential": WHOLE,
            "payment_type": TEXT,
            "payment_installments": WHOLE,
            "payment_value": MONEY,
        },
        ("order_id", "payment_sequential"),
        required=("payment_type", "payment_value"),
        ranges={
            "payment_sequential": NOT_NEGATIVE,
            "payment_installments": NOT_NEGATIVE,
            "payment_value": NOT_NEGATIVE,
        },
        references={"order_id": "orders"},
        by_month=True,
    ),
    RawTable(
        "order_reviews",
        "olist_order_reviews_dataset",
        {
            "review_id": TEXT,
            "order_id": TEXT,
            "review_score": WHOLE,
            "review_comment_title": TEXT,
            "review_comment_message": TEXT,
            "review_creation_date": STAMP,
            "review_answer_timestamp": STAMP,
        },
        ("review_id", "order_id"),
        required=("review_score",),
        ranges={"review_score": (1, 5)},
        references={"order_id": "orders"},
        by_month=True,
    ),
    RawTable(
        "customers",
        "olist_customers_dataset",
        {
            "customer_id": TEXT,
            "customer_unique_id": TEXT,
            "customer_zip_code_prefix": TEXT,
            "customer_city": TEXT,
            "customer_state": TEXT,
        },
        ("customer_id",),
        required=("customer_unique_id",),
        by_month=True,
    ),
    RawTable(
        "geolocation",
        "olist_geolocation_dataset",
        {
            "geolocation_zip_code_prefix": TEXT,
            "geolocation_lat": DEGREE,
            "geolocation_lng": DEGREE,
            "geolocation_city": TEXT,
            "geolocation_state": TEXT,
        },
        (),
        required=("geolocation_zip_code_prefix", "geolocation_lat", "geolocation_lng"),
        ranges={"geolocation_lat": (-90, 90), "geolocation_lng": (-180, 180)},
    ),
    RawTable(
        "products",
        "olist_products_dataset",
        {
            "product_id": TEXT,
            "product_category_name": TEXT,
            # misspelt in the published headers, and so in every export of that shape
            "product_name_lenght": WHOLE,
            "product_description_lenght": WHOLE,
            "product_photos_qty": WHOLE,
            "product_weight_g": WHOLE,
            "product_length_cm": WHOLE,
            "product_height_cm": WHOLE,
            "product_width_cm": WHOLE,
        },
        ("product_id",),
        ranges=dict.fromkeys(
            (
                "product_name_lenght",
                "product_description_lenght",
                "product_photos_qty",
                "product_weight_g",
                "product_length_cm",
                "product_height_cm",
                "product_width_cm",
            ),
            NOT_NEGATIVE,
        ),
    ),
    RawTable(
        "sellers",
        "olist_sellers_dataset",
        {"seller_id": TEXT, "seller_zip_code_prefix": TEXT, "seller_city": TEXT, "seller_state": TEXT},
        ("seller_id",),
    ),
    RawTable(
        "category_translation",
        "product_category_name_translation",
        {"product_category_name": TEXT, "product_category_name_english": TEXT},
        ("product_category_name",),
    ),
)

BY_NAME = {table.name: table for table in TABLES}
