# mypy: disable-error-code="no-any-return"
"""RFM, ABC and XYZ: who buys, how much of the money, how evenly."""

from __future__ import annotations

import numpy as np
import pandas as pd

FREQUENCY_THRESHOLDS = (1, 2, 3, 4, 6)
A_MAX_SHARE, B_MAX_SHARE = 80, 95  # per cent of revenue before the item


def rfm_values(orders: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    """Return recency in days, number of occasions and orders, and money (cents) of each person, by customer id."""
    people = orders[orders["is_valid_order"]].groupby("customer_id")
    return pd.DataFrame(
        {
            "recency_days": (as_of - people["purchased_at"].max().dt.normalize()).dt.days,
            "frequency": people["customer_occasion_number"].max().astype("int64"),
            "order_count": people.size(),
            "monetary": people["payment_value"].sum(),
        }
    ).reset_index()


def _fifths(values: pd.Series) -> pd.Series:
    """Return ceil(5 x cume_dist) in whole numbers: how many fifths of the values are at most as large."""
    at_most = values.rank(method="max").astype("int64")
    return -(-5 * at_most // len(values))


def rfm_scores(values: pd.DataFrame, cells: pd.DataFrame) -> pd.DataFrame:
    """Add scores 1 to 5 (5 is best), cell, weighted score (in tenths), segment, risk tier and loyalty group.

    Parameters
    ----------
    values
        The answer of `rfm_values`.
    cells
        The seed that names each (recency, frequency, monetary) cell.
    """
    scored = values.copy()
    scored["recency_score"] = 6 - _fifths(scored["recency_days"])
    scored["frequency_score"] = np.searchsorted(FREQUENCY_THRESHOLDS, scored["frequency"], side="right")
    scored["monetary_score"] = _fifths(scored["monetary"])
    tenths = 5 * scored["recency_score"] + 3 * scored["frequency_score"] + 2 * scored["monetary_score"]
    scored["weighted_tenths"] = tenths
    return scored.merge(
        cells, on=["recency_score", "frequency_score", "monetary_score"], how="left", validate="many_to_one"
    )


def abc(revenue: pd.DataFrame, key: str) -> pd.DataFrame:
    """Add the share of revenue made by larger items, and the class."""
    ranked = revenue.sort_values(["revenue", key], ascending=[False, True]).reset_index(drop=True)
    # of equal items none is before the other
    before = (ranked["revenue"].cumsum() - ranked["revenue"]).groupby(ranked["revenue"]).transform("first")
    total = int(ranked["revenue"].sum())
    ranked["cumulative_share_before"] = before / total if total else np.nan
    ranked["abc_class"] = np.select(
        [ranked["revenue"] == 0, 100 * before < A_MAX_SHARE * total, 100 * before < B_MAX_SHARE * total],
        ["C", "A", "B"],
        "C",
    )
    return ranked


def variation(count: pd.Series, total: pd.Series, squares: pd.Series) -> pd.Series:
    """Return sample standard deviation over mean, from whole-number sums; NaN below two values or at mean zero."""
    n, s, q = (column.astype(object) for column in (count, total, squares))
    # n q - s^2 is a whole number: nothing is lost before the one square root.
    spread = (n * q - s * s).astype(float)
    possible = (count >= 2) & (total != 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.sqrt(count * spread / (count - 1).where(possible)) / total
    return value.where(possible)


def band(coefficient: pd.Series, x_max: float, y_max: float) -> pd.Series:
    """Return X, Y or Z for coefficients rounded to nine digits; a missing one (mean of zero) is Z."""
    rounded = coefficient.round(9)
    return pd.Series(np.select([rounded <= x_max, rounded <= y_max], ["X", "Y"], "Z"), index=coefficient.index)


def customer_xyz(orders: pd.DataFrame) -> pd.DataFrame:
    """Return each person's mean (cents) and variation of order payments, and the class."""
    valid = orders[orders["is_valid_order"]]
    grouped = valid.assign(square=valid["payment_value"] ** 2).groupby("customer_id")
    count, total = grouped.size(), grouped["payment_value"].sum()
    variation_of_orders = variation(count, total, grouped["square"].sum())
    occasions = grouped["order_date"].nunique()
    table = pd.DataFrame(
        {
            "valid_order_count": count,
            "occasion_count": occasions,
            "mean_order_value": total / count / 100,
            "order_value_cv": variation_of_orders,
            "xyz_class": band(variation_of_orders, 0.10, 0.25)
            .mask(occasions == 2, "two_purchases")
            .mask(occasions == 1, "single_purchase"),
        }
    )
    return table.reset_index()


def monthly_xyz(lines: pd.DataFrame, key: str, last_month: pd.Timestamp | None) -> pd.DataFrame:
    """Return the variation of monthly units from first sale to the last complete month, empty months included.

    Parameters
    ----------
    lines
        Order lines of valid orders with `order_month`.
    key
        What to group by: product or category.
    last_month
        The shop's last complete month.
    """
    first = lines.groupby(key)["order_month"].min()
    inside = lines[lines["order_month"] <= last_month] if last_month is not None else lines.iloc[:0]
    monthly = inside.groupby([key, "order_month"]).size().rename("units").reset_index()
    monthly["square"] = monthly["units"] ** 2
    sums = monthly.groupby(key)[["units", "square"]].sum().reindex(first.index, fill_value=0)
    months = pd.Series(0, index=first.index)
    if last_month is not None:
        months = ((last_month.year - first.dt.year) * 12 + last_month.month - first.dt.month + 1).clip(lower=0)
    enough = (months >= 12) & (sums["units"] >= 100)
    variation_of_months = variation(months, sums["units"], sums["square"]).where(enough)
    table = pd.DataFrame(
        {
            "first_sale_month": first,
            "units": lines.groupby(key).size(),
            "complete_months": months,
            "complete_units": sums["units"],
            "mean_monthly_units": (sums["units"] / months).where(enough),
            "monthly_units_cv": variation_of_months,
            "xyz_class": band(variation_of_months, 0.5, 1.0).where(enough, "insufficient_history"),
        }
    )
    return table.reset_index()


def abc_xyz(lines: pd.DataFrame, key: str, last_month: pd.Timestamp | None) -> pd.DataFrame:
    """Return ABC by item revenue and XYZ by monthly units of what was sold, with the combined code."""
    revenue = lines.groupby(key)["price"].sum().rename("revenue").reset_index()
    table = abc(revenue, key).merge(monthly_xyz(lines, key, last_month), on=key)
    table["revenue_share"] = table["revenue"] / table["revenue"].sum() if table["revenue"].sum() else np.nan
    code = table["abc_class"] + "_" + table["xyz_class"]
    table["abc_xyz_segment"] = code.mask(table["xyz_class"] == "insufficient_history", "insufficient_history")
    return table


def score_by_bands(values: pd.Series, bands: pd.DataFrame) -> pd.Series:
    """Look values up in the published bands of one axis: lower bound included, a missing bound is open."""
    low = bands["lower_bound"].astype(float).fillna(-np.inf).to_numpy()
    high = bands["upper_bound"].astype(float).fillna(np.inf).to_numpy()
    inside = (values.to_numpy(float)[:, None] >= low) & (values.to_numpy(float)[:, None] < high)
    assert (inside.sum(axis=1) == 1).all(), "a value lies in no band, or in two"
    return pd.Series(bands["score"].to_numpy()[inside.argmax(axis=1)], index=values.index)
