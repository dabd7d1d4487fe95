# mypy: disable-error-code="no-any-return"
"""Who came back: by where they came from, and by what was said of them before."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats

from recompute.cohorts import first_orders, wilson
from recompute.history import segments_at
from recompute.raw import Raw

FOLLOW_UP = 180
HORIZON = 90
SIGNIFICANT = 0.05
MIN_EXPECTED = 5
WINDOWS = (30, 60, 90)
LABELS = ("rfm_segment", "churn_risk_tier", "loyalty_group")


def returning_by_origin(orders: pd.DataFrame, last_month: pd.Timestamp, dimension: str) -> pd.DataFrame:
    """Return who came back in time, per value of a dimension of the first order, each against the others."""
    end = last_month + pd.DateOffset(months=1)
    first = first_orders(orders).set_index("customer_id")
    first = first[(end - first["order_date"]).dt.days >= FOLLOW_UP]
    second = orders[orders["customer_occasion_number"] == 2].groupby("customer_id")["order_date"].min()
    days = (second.reindex(first.index) - first["order_date"]).dt.days
    grouped = (days < FOLLOW_UP).groupby(first[dimension].fillna("unknown"))
    table = pd.DataFrame({"customers": grouped.size(), "returned": grouped.sum().astype("int64")})
    table["return_rate"] = table["returned"] / table["customers"]
    table["return_rate_low"], table["return_rate_high"] = wilson(table["returned"], table["customers"])
    total, back = table["customers"].sum(), table["returned"].sum()
    table["overall_rate"] = back / total if total else np.nan
    p_values = []
    for _, row in table.iterrows():
        counts = np.array(
            [
                [row["returned"], row["customers"] - row["returned"]],
                [back - row["returned"], total - row["customers"] - back + row["returned"]],
            ]
        )
        expected = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / total
        if expected.min() < MIN_EXPECTED:
            p_values.append(np.nan)
        else:
            p_values.append(stats.chi2_contingency(counts, correction=False).pvalue)
    tested = pd.Series(p_values, index=table.index, dtype=float)
    adjusted = pd.Series(np.nan, index=table.index)
    if tested.notna().any():
        adjusted[tested.notna()] = stats.false_discovery_control(tested.dropna())
    table["p_value_adjusted"] = adjusted
    above = table["return_rate"] > table["overall_rate"]
    table["comparison"] = np.select(
        [adjusted.isna(), adjusted >= SIGNIFICANT, above], ["too few", "as others", "above others"], "below others"
    )
    return table.rename_axis("dimension_value").reset_index()


def backtest(raw: Raw, orders: pd.DataFrame, cutoffs: Sequence[pd.Timestamp], cells: pd.DataFrame) -> pd.DataFrame:
    """Return per label and cut-off how many people carried it on that day, and how many came back in time.

    Parameters
    ----------
    raw, orders
        The raw tables, and the answer of `orders.orders` on them.
    cutoffs
        First days of months.
    cells
        The seed that names each (recency, frequency, monetary) cell.
    """
    parts = []
    for cutoff in cutoffs:
        people = segments_at(raw, cutoff, cells)
        window = orders["order_date"].between(cutoff, cutoff + pd.Timedelta(days=HORIZON - 1))
        came = set(orders.loc[window & orders["is_valid_order"], "customer_id"])
        people["is_back"] = people["customer_id"].isin(came)
        for kind in LABELS:
            groups = people.groupby(kind)["is_back"]
            counted = (
                pd.DataFrame({"people": groups.size(), "returned": groups.sum()}).rename_axis("label").reset_index()
            )
            parts.append(counted.assign(label_kind=kind, cutoff_date=cutoff))
    table = pd.concat(parts, ignore_index=True)
    table["return_rate"] = table["returned"] / table["people"]
    table["return_rate_low"], table["return_rate_high"] = wilson(table["returned"], table["people"])
    return table


def retention_by_quarter(orders: pd.DataFrame, last_month: pd.Timestamp) -> pd.DataFrame:
    """Return who came back within 30, 60 and 90 days, by the quarter of the first order, and the change of the rate.

    Parameters
    ----------
    orders
        The answer of `orders.orders`.
    last_month
        The shop's last complete month: a quarter is observed when all its people were followed up to its end.
    """
    people = _first_quarters(orders)
    end = last_month + pd.DateOffset(months=1)
    parts = []
    for window in WINDOWS:
        table = pd.DataFrame(
            {
                "customers": people.groupby("quarter").size(),
                "returned": (people["days"] <= window).groupby(people["quarter"]).sum(),
            }
        )
        table.index = pd.PeriodIndex(table.index).to_timestamp()
        followed = pd.Series(table.index, table.index) + pd.DateOffset(months=3) + pd.Timedelta(days=window)
        observed = followed <= end
        table["returned"] = table["returned"].astype("Int64").where(observed)
        known = table["returned"].astype("Float64").astype(float)
        # Changes are those of the published rates, which have nine digits.
        table["return_rate"] = (known / table["customers"]).round(9)
        low, high = wilson(known, table["customers"])
        table["return_rate_low"], table["return_rate_high"] = low.round(9), high.round(9)
        before = table[["return_rate", "return_rate_low", "return_rate_high"]].copy()
        before.index = pd.DatetimeIndex(before.index) + pd.DateOffset(months=3)
        before = before.reindex(table.index)
        rate, rate_before = table["return_rate"], before["return_rate"]
        table["rate_change"] = rate - rate_before
        down = np.hypot(rate - table["return_rate_low"], before["return_rate_high"] - rate_before)
        up = np.hypot(table["return_rate_high"] - rate, rate_before - before["return_rate_low"])
        table["rate_change_low"] = table["rate_change"] - down
        table["rate_change_high"] = table["rate_change"] + up
        table["window_days"] = window
        parts.append(table.rename_axis("acquisition_quarter").reset_index())
    return pd.concat(parts, ignore_index=True)


def _first_quarters(orders: pd.DataFrame) -> pd.DataFrame:
    """Return each person's first order with its quarter and the days to the second occasion."""
    first = first_orders(orders).set_index("customer_id")
    second = orders[orders["customer_occasion_number"] == 2].groupby("customer_id")["order_date"].min()
    first["days"] = (second.reindex(first.index) - first["order_date"]).dt.days
    first["quarter"] = first["order_date"].dt.to_period("Q")
    return first


def change_parts(orders: pd.DataFrame, quarter: pd.Timestamp, window: int, dimension: str) -> pd.DataFrame:
    """Return what each value of a dimension adds to the change of the rate up to a quarter: by mix, and by rate."""
    people = _first_quarters(orders)
    people["value"] = people[dimension].fillna("unknown")
    people["is_back"] = people["days"] <= window
    later = pd.Period(quarter, "Q")
    both = [people[people["quarter"] == one] for one in (later, later - 1)]
    values = sorted(set(both[0]["value"]) | set(both[1]["value"]))
    share, share_before = (one["value"].value_counts(normalize=True).reindex(values).fillna(0) for one in both)
    rate, rate_before = (one.groupby("value")["is_back"].mean().reindex(values) for one in both)
    rate, rate_before = rate.fillna(rate_before), rate_before.fillna(rate)
    overall = (both[0]["is_back"].mean() + both[1]["is_back"].mean()) / 2
    table = pd.DataFrame(
        {
            "mix_effect": (share - share_before) * ((rate + rate_before) / 2 - overall),
            "rate_effect": (rate - rate_before) * (share + share_before) / 2,
        }
    )
    return table.rename_axis("dimension_value").reset_index()
