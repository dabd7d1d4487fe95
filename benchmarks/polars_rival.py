"""Rival: order, RFM, ABC, XYZ and cohort tables as a polars script would make them, from landed Parquet to Parquet.

Lazy from the scan on, money as whole cents. Like the pandas script it leaves out cleaned city names, tests, contracts.
"""

from __future__ import annotations

import sys
from datetime import date, timedelta
from pathlib import Path

import polars as pl

SEEDS = Path(__file__).resolve().parents[1] / "seeds"
NORMAL_95 = 1.959963984540054
col = pl.col


def main(landing: Path, out: Path) -> None:
    """Read the landing, write the five tables."""
    out.mkdir(parents=True, exist_ok=True)
    orders = order_table(landing).collect()
    rfm = rfm_table(orders.lazy()).collect()
    tables = {
        "fct_orders": orders,
        "customer_rfm": rfm,
        "customer_abc": abc_table(rfm.lazy()).collect(),
        "customer_xyz": xyz_table(orders.lazy()).collect(),
        "cohort_retention": cohort_table(orders),
    }
    for name, table in tables.items():
        table.write_parquet(out / f"{name}.parquet")


def read(landing: Path, table: str) -> pl.LazyFrame:
    """Scan a landed table; decimals become whole cents."""
    found = pl.scan_parquet(landing / table / "*.parquet")
    money = [name for name, kind in found.collect_schema().items() if isinstance(kind, pl.Decimal)]
    return found.with_columns((col(money).cast(pl.Float64) * 100).round().cast(pl.Int64)) if money else found


def order_table(landing: Path) -> pl.LazyFrame:
    """One row per order: items, payments and reviews rolled up, then joined."""
    regions = pl.scan_csv(SEEDS / "brazilian_states.csv").select(customer_state="state", customer_region="region")
    customers = read(landing, "customers").select(
        "customer_zip_code_prefix",
        "customer_state",
        order_customer_id="customer_id",
        customer_id="customer_unique_id",
    )
    arrived = pl.when(col("is_delivered")).then(col("delivered_at").dt.date())
    orders = (
        read(landing, "orders")
        .select(
            "order_id",
            "order_status",
            order_customer_id="customer_id",
            purchased_at="order_purchase_timestamp",
            approved_at="order_approved_at",
            shipped_at="order_delivered_carrier_date",
            delivered_at="order_delivered_customer_date",
            estimated_delivery_date=col("order_estimated_delivery_date").dt.date(),
        )
        .join(customers, on="order_customer_id", how="left")
        .with_columns(
            col("customer_id").fill_null(col("order_customer_id")),
            col("customer_state").fill_null("unknown"),
            is_valid_order=~col("order_status").is_in(["canceled", "unavailable"]),
            is_delivered=col("order_status") == "delivered",
            order_date=col("purchased_at").dt.date(),
            order_month=col("purchased_at").dt.date().dt.month_start(),
        )
        .with_columns(
            delivery_days=(arrived - col("order_date")).dt.total_days(),
            delay_days=(arrived - col("estimated_delivery_date")).dt.total_days(),
        )
        .with_columns(is_late=col("delay_days") > 0)
        .join(regions, on="customer_state", how="left")
        .with_columns(col("customer_region").fill_null("unknown"))
    )
    for side in (item_sums(landing), payment_sums(landing), latest_reviews(landing)):
        orders = orders.join(side, on="order_id", how="left")
    numbers = (
        orders.filter("is_valid_order")
        .sort("purchased_at", "order_id")
        .select(
            "order_id",
            customer_order_number=pl.int_range(1, pl.len() + 1).over("customer_id"),
            customer_occasion_number=col("purchased_at").dt.date().rank("dense").over("customer_id"),
        )
    )
    zero = ["item_count", "seller_count", "payment_count", "review_count"]
    zero += ["item_value", "freight_value", "payment_value", "refunded_value"]
    return (
        orders.join(numbers, on="order_id", how="left")
        .with_columns(col(zero).fill_null(0))
        .with_columns(order_value=col("item_value") + col("freight_value"))
    )


def item_sums(landing: Path) -> pl.LazyFrame:
    """One row per order with items."""
    products = (
        read(landing, "products")
        .select("product_id", "product_category_name")
        .join(read(landing, "category_translation"), on="product_category_name", how="left")
        .select(
            "product_id",
            category=pl.coalesce("product_category_name_english", "product_category_name", pl.lit("unknown")),
        )
    )
    items = read(landing, "order_items").select("order_id", "product_id", "seller_id", "price", "freight_value")
    items = items.join(products, on="product_id", how="left").with_columns(col("category").fill_null("unknown"))
    sums = items.group_by("order_id").agg(
        item_count=pl.len(),
        seller_count=col("seller_id").n_unique(),
        item_value=col("price").sum(),
        freight_value=col("freight_value").sum(),
    )
    main = (
        items.group_by("order_id", "category")
        .agg(col("price").sum())
        .sort("price", "category", descending=[True, False])
        .group_by("order_id")
        .agg(main_category=col("category").first())
    )
    return sums.join(main, on="order_id")


def payment_sums(landing: Path) -> pl.LazyFrame:
    """One row per order with payments."""
    return (
        read(landing, "order_payments")
        .sort("payment_value", "payment_sequential", descending=[True, False])
        .group_by("order_id")
        .agg(
            payment_value=col("payment_value").sum(),
            refunded_value=-col("payment_value").clip(upper_bound=0).sum(),
            payment_count=pl.len(),
            max_installments=col("payment_installments").max(),
            payment_type=col("payment_type").first(),
        )
    )


def latest_reviews(landing: Path) -> pl.LazyFrame:
    """One row per order with reviews: the latest answer speaks for the order."""
    return (
        read(landing, "order_reviews")
        .select("order_id", "review_id", "review_score", "review_answer_timestamp")
        .sort("review_answer_timestamp", "review_id", nulls_last=False)
        .group_by("order_id")
        .agg(
            review_count=pl.len(),
            review_score=col("review_score").last(),
            review_answered_at=col("review_answer_timestamp").last(),
        )
    )


def rfm_table(orders: pl.LazyFrame) -> pl.LazyFrame:
    """One row per person with a valid order."""
    as_of = orders.select(col("order_date").max()).collect().item() + timedelta(days=1)
    cells = pl.scan_csv(SEEDS / "rfm_segments.csv", schema_overrides={"rfm_cell": pl.String})
    scores = ["recency_score", "frequency_score", "monetary_score"]
    tenths = 5 * col("recency_score") + 3 * col("frequency_score") + 2 * col("monetary_score")
    return (
        orders.filter("is_valid_order")
        .group_by("customer_id")
        .agg(
            last_valid_order_date=col("order_date").max(),
            frequency=col("order_date").n_unique().cast(pl.Int64),
            order_count=pl.len().cast(pl.Int64),
            monetary=col("payment_value").sum(),
        )
        .with_columns(recency_days=(pl.lit(as_of) - col("last_valid_order_date")).dt.total_days())
        .with_columns(
            recency_score=6 - fifths("recency_days"),
            frequency_score=pl.sum_horizontal(
                [(col("frequency") >= least).cast(pl.Int64) for least in (1, 2, 3, 4, 6)]
            ),
            monetary_score=fifths("monetary"),
        )
        .with_columns(tenths=tenths)
        .with_columns(rfm_weighted_score=col("tenths") / 10)
        .drop("tenths")
        .join(cells, on=scores, how="left")
    )


def fifths(name: str) -> pl.Expr:
    """Return ceil(5 x cume_dist)."""
    count = pl.len().cast(pl.Int64)
    return (5 * col(name).rank("max").cast(pl.Int64) + count - 1) // count


def abc_table(rfm: pl.LazyFrame) -> pl.LazyFrame:
    """One row per person: Pareto class by money."""
    total = col("revenue").sum()
    return (
        rfm.select("customer_id", revenue="monetary")
        .sort("revenue", "customer_id", descending=[True, False])
        # equal customers share a class: none of them is before the other
        .with_columns(before=col("revenue").cum_sum() - col("revenue"))
        .with_columns(before=col("before").min().over("revenue"))
        .select(
            "customer_id",
            "revenue",
            cumulative_share_before=pl.when(total > 0).then(col("before") / total).round(9),
            abc_class=pl.when(col("revenue") == 0)
            .then(pl.lit("C"))
            .when(100 * col("before") < 80 * total)
            .then(pl.lit("A"))
            .when(100 * col("before") < 95 * total)
            .then(pl.lit("B"))
            .otherwise(pl.lit("C")),
        )
    )


def xyz_table(orders: pl.LazyFrame) -> pl.LazyFrame:
    """One row per person: how even the payments of the orders are."""
    count, total = col("valid_order_count").cast(pl.Float64), col("total").cast(pl.Float64)
    spread = (count * col("squares") - total**2).clip(0)
    return (
        orders.filter("is_valid_order")
        .group_by("customer_id")
        .agg(
            valid_order_count=pl.len(),
            occasion_count=col("order_date").n_unique(),
            total=col("payment_value").sum(),
            squares=(col("payment_value").cast(pl.Float64) ** 2).sum(),
        )
        .with_columns(
            mean_order_value=(total / count / 100).round(9),
            order_value_cv=pl.when((count >= 2) & (total > 0))
            .then((count * spread / (count - 1)).sqrt() / total)
            .round(9),
        )
        .with_columns(
            xyz_class=pl.when(col("occasion_count") < 2)
            .then(pl.lit("single_purchase"))
            .when(col("occasion_count") == 2)
            .then(pl.lit("two_purchases"))
            .when(col("order_value_cv") <= 0.10)
            .then(pl.lit("X"))
            .when(col("order_value_cv") <= 0.25)
            .then(pl.lit("Y"))
            .otherwise(pl.lit("Z"))
        )
        .drop("total", "squares")
    )


def cohort_table(orders: pl.DataFrame) -> pl.DataFrame:
    """One row per cohort month and month since the first order."""
    last_month = last_complete_month(orders)
    months = (col("order_month").dt.year() - col("cohort_month").dt.year()).cast(pl.Int64) * 12 + (
        col("order_month").dt.month().cast(pl.Int64) - col("cohort_month").dt.month().cast(pl.Int64)
    )
    seen = (pl.lit(last_month.year) - col("cohort_month").dt.year()).cast(pl.Int64) * 12 + (
        pl.lit(last_month.month).cast(pl.Int64) - col("cohort_month").dt.month().cast(pl.Int64)
    )
    cells = (
        orders.lazy()
        .filter("is_valid_order")
        .select("customer_id", "order_month", "payment_value")
        .with_columns(cohort_month=col("order_month").min().over("customer_id"))
        .filter(col("order_month") <= last_month)
        .group_by("cohort_month", months.alias("months_since_first_order"))
        .agg(
            active_customers=col("customer_id").n_unique().cast(pl.Int64),
            orders=pl.len().cast(pl.Int64),
            revenue=col("payment_value").sum(),
        )
        .collect()
    )
    sizes = cells.filter(col("months_since_first_order") == 0).select("cohort_month", cohort_size="active_customers")
    longest = sizes.select(seen.max()).item()
    steps = pl.DataFrame({"months_since_first_order": range(longest + 1)})
    size, active, z2 = col("cohort_size").cast(pl.Float64), col("active_customers"), NORMAL_95**2
    half = NORMAL_95 * (active * (size - active) / size + z2 / 4).sqrt()
    measures = ["active_customers", "orders", "revenue", "cumulative_revenue"]
    return (
        sizes.join(steps, how="cross")
        .join(cells, on=["cohort_month", "months_since_first_order"], how="left")
        .with_columns(col(measures[:3]).fill_null(0))
        .sort("cohort_month", "months_since_first_order")
        .with_columns(
            cumulative_revenue=col("revenue").cum_sum().over("cohort_month"),
            is_observable=col("months_since_first_order") <= seen,
        )
        .with_columns([pl.when(col("is_observable")).then(col(name)).alias(name) for name in measures])
        .with_columns(
            retention_rate=(active / size).round(9),
            retention_low=((active + z2 / 2 - half) / (size + z2)).round(9),
            retention_high=((active + z2 / 2 + half) / (size + z2)).round(9),
            cumulative_revenue_per_customer=(col("cumulative_revenue") / size / 100).round(9),
            is_small_cell=col("cohort_size") < 30,
        )
    )


def last_complete_month(orders: pl.DataFrame) -> date:
    """Return the last ended month with at least a tenth of the median month's orders."""
    first, last = orders.select(col("order_date").min()).item(), orders.select(col("order_date").max()).item()
    ended = pl.DataFrame(
        {
            "order_month": pl.date_range(
                first.replace(day=1), (last + timedelta(days=1)).replace(day=1), "1mo", closed="left", eager=True
            )
        }
    )
    counts = orders.group_by("order_month").len()
    counts = ended.join(counts, on="order_month", how="left").with_columns(col("len").fill_null(0))
    enough = counts.filter((col("len") > 0) & (col("len") >= 0.10 * counts["len"].median()))
    found: date = enough["order_month"].max()
    return found


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
