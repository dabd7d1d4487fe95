"""Cohorts of first orders: who comes back, what they have paid, and when the second order comes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import CensoredData, ecdf

from recompute.orders import months_between

NORMAL_95 = 1.959963984540054


def first_orders(orders: pd.DataFrame) -> pd.DataFrame:
    """Return each person's first valid order (earliest, ties by order id)."""
    return orders[orders["customer_order_number"] == 1]


def cohort_cells(orders: pd.DataFrame, last_month: pd.Timestamp, dimension: str | None = None) -> pd.DataFrame:
    """Return every cohort month x month since, observable cells filled, the others with missing measures.

    Cohorts stop at the last complete month; each has as many cells as the oldest cohort has complete months.

    Parameters
    ----------
    orders
        The answer of `orders.orders`.
    last_month
        The shop's last complete month.
    dimension
        Column of the first order to split by; None for the whole shop.
    """
    first = first_orders(orders).set_index("customer_id")
    valid = orders[orders["is_valid_order"]].copy()
    valid["cohort_month"] = valid["customer_id"].map(first["order_month"])
    valid["value"] = valid["customer_id"].map(first[dimension].fillna("unknown")) if dimension else "all"
    valid = valid[valid["cohort_month"] <= last_month]
    valid["months_since_first_order"] = months_between(valid["cohort_month"], valid["order_month"])
    cells = valid.groupby(["value", "cohort_month", "months_since_first_order"]).agg(
        active_customers=("customer_id", "nunique"),
        orders=("order_id", "size"),
        revenue=("payment_value", "sum"),
    )
    size = cells["active_customers"].xs(0, level="months_since_first_order").rename("cohort_size")

    grid = size.reset_index()
    longest = int(months_between(grid["cohort_month"], last_month).max())
    steps = pd.DataFrame({"months_since_first_order": range(longest + 1)})
    grid = grid.merge(steps, how="cross")
    grid = grid.merge(cells.reset_index(), on=["value", "cohort_month", "months_since_first_order"], how="left")
    grid["is_observable"] = grid["months_since_first_order"] <= months_between(grid["cohort_month"], last_month)
    measures = ["active_customers", "orders", "revenue"]
    grid[measures] = grid[measures].fillna(0).astype("int64").astype("Int64")
    grid = grid.sort_values(["value", "cohort_month", "months_since_first_order"]).reset_index(drop=True)
    grid["cumulative_revenue"] = grid.groupby(["value", "cohort_month"])["revenue"].cumsum()
    for measure in [*measures, "cumulative_revenue"]:
        grid[measure] = grid[measure].where(grid["is_observable"])
    grid["retention_rate"] = (grid["active_customers"] / grid["cohort_size"]).astype("Float64").astype(float)
    grid["cumulative_revenue_per_customer"] = (
        (grid["cumulative_revenue"] / grid["cohort_size"] / 100).astype("Float64").astype(float)
    )
    low, high = wilson(grid["active_customers"].astype("Float64").astype(float), grid["cohort_size"])
    grid["retention_low"], grid["retention_high"] = low, high
    grid["is_small_cell"] = grid["cohort_size"] < 30
    return grid


def period_cells(orders: pd.DataFrame, last_month: pd.Timestamp, dimension: str | None = None) -> pd.DataFrame:
    """Return every cohort month x 30-day period since the first occasion, period 0 being days 1 to 30.

    A period is observed once the last day of the cohort's month lies thirty days per period before the end of the last
    complete month.

    Parameters
    ----------
    orders
        The answer of `orders.orders`.
    last_month
        The shop's last complete month.
    dimension
        Column of the first order to split by; None for the whole shop.
    """
    first = first_orders(orders).set_index("customer_id")
    first = first[first["order_month"] <= last_month]
    valid = orders[orders["is_valid_order"] & orders["customer_id"].isin(first.index)].copy()
    value = first[dimension].fillna("unknown") if dimension else pd.Series("all", index=first.index)
    day = (valid["order_date"] - valid["customer_id"].map(first["order_date"])).dt.days
    valid["period"] = np.ceil(day / 30).astype(int) - 1
    valid["value"], valid["cohort_month"] = (
        valid["customer_id"].map(value),
        valid["customer_id"].map(first["order_month"]),
    )
    keys = ["value", "cohort_month"]
    cells = valid.groupby([*keys, "period"]).agg(
        active_customers=("customer_id", "nunique"), orders=("order_id", "size"), revenue=("payment_value", "sum")
    )
    end = last_month + pd.offsets.MonthEnd(0)
    rows = []
    last_period = (end - (first["order_month"].min() + pd.offsets.MonthEnd(0))).days // 30 - 1
    for cohort, size in pd.Series(value).groupby([value, first["order_month"]]).size().items():
        key: tuple[Any, ...] = tuple(cohort)  # type: ignore[arg-type]  # of two levels
        month_end = key[1] + pd.offsets.MonthEnd(0)
        total = int(cells["revenue"].get((*key, -1), 0))
        for period in range(last_period + 1):
            active, count, paid = cells.loc[(*key, period)] if (*key, period) in cells.index else (0, 0, 0)
            total += int(paid)
            seen = month_end + pd.Timedelta(days=30 * (period + 1)) <= end
            rows.append((*key, period, size, *((active, count, paid, total) if seen else (None,) * 4), seen))
    names = ["active_customers", "orders", "revenue", "cumulative_revenue"]
    table = pd.DataFrame(rows, columns=[*keys, "periods_since_first_occasion", "cohort_size", *names, "is_observable"])
    table[names] = table[names].astype("Int64")
    active = table["active_customers"].astype("Float64").astype(float)
    table["retention_rate"] = active / table["cohort_size"]
    table["retention_low"], table["retention_high"] = wilson(active, table["cohort_size"])
    paid = table["cumulative_revenue"].astype("Float64").astype(float)
    table["cumulative_revenue_per_customer"] = paid / table["cohort_size"] / 100
    table["is_small_cell"] = table["cohort_size"] < 30
    return table


def wilson(successes: pd.Series, trials: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Return Wilson's 95 % interval of a rate."""
    rate, z2 = successes / trials, NORMAL_95**2
    middle = (rate + z2 / (2 * trials)) / (1 + z2 / trials)
    half = NORMAL_95 * np.sqrt(rate * (1 - rate) / trials + z2 / (4 * trials**2)) / (1 + z2 / trials)
    return middle - half, middle + half


def second_order_survival(orders: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    """Return the Kaplan-Meier curve of days from first to second occasion, censored at the as-of day."""
    first = first_orders(orders).set_index("customer_id")["order_date"]
    second = orders[orders["customer_occasion_number"] == 2].groupby("customer_id")["order_date"].min()
    second = second.reindex(first.index)
    waited = (second.fillna(as_of) - first).dt.days
    came_back = second.notna()
    table = pd.DataFrame({"days_since_first_order": range(int(waited.max()) + 1)})
    days = table["days_since_first_order"]
    table["events"] = waited[came_back].value_counts().reindex(days, fill_value=0).to_numpy()
    table["censored"] = waited[~came_back].value_counts().reindex(days, fill_value=0).to_numpy()
    table["at_risk"] = len(waited) - (table["events"] + table["censored"]).cumsum().shift(fill_value=0)

    curve = ecdf(CensoredData(uncensored=waited[came_back].to_numpy(), right=waited[~came_back].to_numpy())).sf
    table["survival"] = curve.evaluate(days)
    interval = curve.confidence_interval(confidence_level=0.95, method="log-log")
    # before the first event there is no spread to estimate: the curve is 1 and so are its bounds
    is_whole = table["survival"] == 1
    table["survival_low"] = pd.Series(interval.low.evaluate(days)).mask(is_whole, 1.0)
    table["survival_high"] = pd.Series(interval.high.evaluate(days)).mask(is_whole, 1.0)
    table["returned_share"] = 1 - table["survival"]
    return table
