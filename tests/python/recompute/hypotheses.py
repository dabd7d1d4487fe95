# mypy: disable-error-code="no-any-return"
"""The eighteen hypotheses tested by scipy on single observations, one row per unit, from the raw files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from scipy import optimize, stats

from recompute.orders import items
from recompute.raw import stamps
from recompute.sellers import single_seller_orders
from recompute.shop import Recomputed

FOLLOW_UP = 180
REVIEW_DAYS = 45
LARGEST_CITIES = 10
MIN_SELLER_ORDERS = 10
MIN_GROUP = 5
COMPLETE_MONTH_MIN_SHARE = 0.10


@dataclass(frozen=True)
class Expected:
    """What a test gives."""

    n: int
    statistic: float
    p_value: float
    effect: float


def _days(later: pd.Series, earlier: pd.Series) -> pd.Series:
    return (later.dt.normalize() - earlier.dt.normalize()).dt.days


class Tests:
    """Every hypothesis' test on one shop.

    Parameters
    ----------
    shop
        The recomputed tables.
    """

    __test__ = False  # not a test class of pytest's

    def __init__(self, shop: Recomputed) -> None:
        self.shop = shop
        seen = shop.calendar
        assert seen.last_complete_month is not None
        self.last_month = seen.last_complete_month
        self.observed_until = seen.last_complete_month + pd.DateOffset(months=1)

    @cached_property
    def orders(self) -> pd.DataFrame:
        """Valid orders with whether each was reviewed in time."""
        reviews = self.shop.raw.reviews
        answered = stamps(reviews, "review_answer_timestamp").fillna(stamps(reviews, "review_creation_date"))
        first_review = answered.groupby(reviews["order_id"]).min()
        orders = self.shop.valid_orders.copy()
        reviewed_at = orders["order_id"].map(first_review)
        orders["is_reviewed"] = _days(reviewed_at, orders["purchased_at"]) < REVIEW_DAYS
        orders["is_mature"] = (self.observed_until - orders["order_date"]).dt.days >= REVIEW_DAYS
        return orders.sort_values(["customer_id", "customer_order_number"]).reset_index(drop=True)

    @cached_property
    def months(self) -> pd.DataFrame:
        """The unbroken run of complete months."""
        orders = self.orders
        first_day = self.shop.orders["order_date"].min()
        spine = pd.date_range(first_day.replace(day=1), self.last_month, freq="MS")
        counts = orders["order_month"].value_counts().reindex(spine, fill_value=0)
        broken = counts.index[
            (counts < COMPLETE_MONTH_MIN_SHARE * counts.median()) | (counts == 0) | (counts.index < first_day)
        ]
        run = counts[counts.index > broken.max()] if len(broken) else counts
        month = pd.DatetimeIndex(run.index)
        return pd.DataFrame({"orders": run, "days": month.days_in_month, "month": month.month})

    @cached_property
    def customers(self) -> pd.DataFrame:
        """People with a valid order: the first order and what came after."""
        orders = self.orders
        first = orders.drop_duplicates("customer_id").set_index("customer_id")
        mine = orders["customer_id"]
        since = _days(orders["order_date"], mine.map(first["order_date"]))
        later = orders["customer_occasion_number"] > 1
        delivered = mine.map(first["delivered_at"])
        after_delivery = later & (orders["purchased_at"] > delivered)
        after_delivery &= _days(orders["purchased_at"], delivered) < FOLLOW_UP
        first["is_back"] = (later & (since < FOLLOW_UP)).groupby(mine).any()
        first["is_back_after_review"] = (later & since.between(REVIEW_DAYS, FOLLOW_UP - 1)).groupby(mine).any()
        first["is_back_after_delivery"] = after_delivery.groupby(mine).any()
        first["has_follow_up"] = (self.observed_until - first["order_date"]).dt.days >= FOLLOW_UP
        until = pd.Series(self.observed_until, index=first.index)
        first["has_delivery_follow_up"] = _days(until, first["delivered_at"]) >= FOLLOW_UP
        first["item_price"] = (first["item_value"] / first["item_count"].where(first["item_count"] > 0) / 100).round(9)
        first["mature_orders"] = orders["is_mature"].groupby(mine).sum()
        first["mature_occasions"] = orders["order_date"].where(orders["is_mature"]).groupby(mine).nunique()
        first["reviewed_orders"] = (orders["is_mature"] & orders["is_reviewed"]).groupby(mine).sum()
        place = first.groupby(["customer_state", "customer_city"])
        sizes = place.size().rank(method="min", ascending=False)
        largest = set(sizes.index[sizes <= LARGEST_CITIES])
        first["is_largest_city"] = [
            key in largest for key in zip(first["customer_state"], first["customer_city"], strict=True)
        ]
        return first

    @cached_property
    def followed(self) -> pd.DataFrame:
        """Of these, the ones observed long enough."""
        return self.customers[self.customers["has_follow_up"]]

    @cached_property
    def products(self) -> pd.DataFrame:
        """Products observed long enough since their first valid sale."""
        lines = items(self.shop.raw).merge(self.orders[["order_id", "order_date"]], on="order_id")
        first = lines.groupby("product_id")["order_date"].min()
        early = lines[(lines["order_date"] - lines["product_id"].map(first)).dt.days < FOLLOW_UP]
        raw = self.shop.raw.products.set_index("product_id")
        table = pd.DataFrame(
            {
                "orders": early.groupby("product_id")["order_id"].nunique(),
                "photos": pd.to_numeric(raw["product_photos_qty"]),
                "description": pd.to_numeric(raw["product_description_lenght"]),
            }
        ).dropna(subset=["orders"])
        return table[(self.observed_until - first.reindex(table.index)).dt.days >= FOLLOW_UP]

    def expected(self, hypothesis_id: int) -> Expected:
        """Return what the test of a hypothesis gives."""
        tests: dict[int, Callable[[], Expected]] = {
            1: lambda: shares(self.followed["is_largest_city"], self.followed["is_back"]),
            2: lambda: correlation(self.products["photos"], self.products["orders"]),
            3: lambda: shares(self.followed["is_reviewed"], self.followed["is_back_after_review"]),
            4: self.order_value_by_payment_type,
            5: lambda: correlation(self.products["description"], self.products["orders"]),
            6: self.sale_days,
            7: lambda: correlation(self.orders["delivery_days"], self.orders["review_score"]),
            8: lambda: contingency(self.followed["order_date"].dt.day_of_week, self.followed["is_back"]),
            9: self.hours,
            10: self.weekdays,
            11: self.delivery_and_return,
            12: lambda: rate_trend(self.followed["item_price"], self.followed["is_back"]),
            13: self.review_share,
            14: self.sellers_by_state,
            15: lambda: correlation(self.rated_sellers["score"], self.rated_sellers["items"]),
            16: lambda: groups(self.run_orders["order_month"].dt.month, self.run_orders["review_score"]),
            17: lambda: two_groups(self.customers["is_largest_city"], self.customers["item_price"]),
            18: self.delivery_weeks,
        }
        return tests[hypothesis_id]()

    @property
    def run_orders(self) -> pd.DataFrame:
        """Valid orders of the complete months."""
        return self.orders[self.orders["order_month"].isin(self.months.index)]

    def order_value_by_payment_type(self) -> Expected:
        """Hypothesis 4."""
        orders = self.orders[self.orders["item_count"] > 0]
        return groups(orders["payment_type"], orders["order_value"])

    def sale_days(self) -> Expected:
        """Hypothesis 6, day by day."""
        first, last = self.months.index.min(), self.months.index.max() + pd.offsets.MonthEnd()
        days = pd.date_range(first, last)
        special = pd.Series([is_sale_day(day) for day in days], index=days)
        counts = self.orders["order_date"].value_counts().reindex(days, fill_value=0)
        relative = {}
        for day in days:
            around = slice(day - pd.Timedelta(days=14), day + pd.Timedelta(days=14))
            ordinary = counts.loc[around][~special.loc[around]].drop(day, errors="ignore")
            if ordinary.sum() > 0:
                relative[day] = round(counts[day] / ordinary.mean(), 9)
        level = pd.Series(relative)
        ones, others = level[special.reindex(level.index)], level[~special.reindex(level.index)]
        test = stats.ttest_ind(ones, others, equal_var=False)
        return Expected(len(level), test.statistic, test.pvalue, ones.mean() / others.mean())

    def hours(self) -> Expected:
        """Hypothesis 9."""
        counts = self.run_orders["purchased_at"].dt.hour.value_counts().reindex(range(24), fill_value=0)
        return goodness(counts, np.full(24, counts.sum() / 24))

    def weekdays(self) -> Expected:
        """Hypothesis 10."""
        counts = self.run_orders["order_date"].dt.day_of_week.value_counts().reindex(range(7), fill_value=0)
        first, last = self.months.index.min(), self.months.index.max() + pd.offsets.MonthEnd()
        days = pd.Series(pd.date_range(first, last)).dt.day_of_week.value_counts().reindex(range(7))
        return goodness(counts, (days / days.sum() * counts.sum()).to_numpy())

    def delivery_and_return(self) -> Expected:
        """Hypothesis 11."""
        people = self.customers[self.customers["has_delivery_follow_up"]]
        return rate_trend(people["delivery_days"], people["is_back_after_delivery"])

    def review_share(self) -> Expected:
        """Hypothesis 13."""
        people = self.customers[self.customers["mature_orders"] > 0]
        share = people["reviewed_orders"] / people["mature_orders"]
        frequent = people["mature_occasions"] > 1
        test = stats.ttest_ind(share[frequent], share[~frequent], equal_var=False)
        return Expected(
            len(share), test.statistic, test.pvalue, float(share[frequent].mean() - share[~frequent].mean())
        )

    @cached_property
    def rated_sellers(self) -> pd.DataFrame:
        """Sellers with enough scored orders of their own: mean score, mean items per order, state."""
        alone = single_seller_orders(self.shop.raw, self.shop.orders).dropna(subset=["review_score"])
        by_seller = alone.assign(score=alone["review_score"].astype(int)).groupby("seller_id")
        table = pd.DataFrame({"score": by_seller["score"].mean(), "items": by_seller["item_count"].mean()}).round(9)
        table = table[by_seller.size() >= MIN_SELLER_ORDERS]
        table["state"] = self.shop.raw.sellers.set_index("seller_id")["seller_state"].reindex(table.index)
        return table

    def sellers_by_state(self) -> Expected:
        """Hypothesis 14."""
        return groups(self.rated_sellers["state"], self.rated_sellers["score"])

    def delivery_weeks(self) -> Expected:
        """Hypothesis 18, by the textbook formulas."""
        orders = self.orders.dropna(subset=["delivery_days", "review_score"])
        weeks = np.minimum(orders["delivery_days"].to_numpy(dtype=int) // 7, 6)
        score = orders["review_score"].to_numpy(dtype=float)
        design = np.column_stack([np.ones(len(weeks)), weeks])
        coefficients, *_ = np.linalg.lstsq(design, score, rcond=None)
        inverse = np.linalg.inv(design.T @ design)
        residual = score - design @ coefficients
        covariance = inverse @ (design.T * residual**2 @ design) @ inverse * len(weeks) / (len(weeks) - 2)
        t = coefficients[1] / np.sqrt(covariance[1, 1])
        return Expected(len(weeks), t, 2 * stats.t.sf(abs(t), len(weeks) - 2), coefficients[1])


def correlation(x: pd.Series, y: pd.Series) -> Expected:
    """Spearman's rank correlation of the units that have both."""
    both = x.notna() & y.notna()
    test = stats.spearmanr(x[both].astype(float), y[both].astype(float))
    return Expected(int(both.sum()), test.statistic, test.pvalue, test.statistic)


def two_groups(is_one: pd.Series, measure: pd.Series) -> Expected:
    """Mann-Whitney test; the effect is Cliff's delta."""
    present = measure.notna()
    flag, values = is_one[present].astype(bool), measure[present].astype(float)
    test = stats.mannwhitneyu(values[flag], values[~flag], method="asymptotic", use_continuity=False)
    pairs = float(flag.sum()) * float((~flag).sum())
    return Expected(len(values), test.statistic, test.pvalue, 2 * test.statistic / pairs - 1)


def groups(labels: pd.Series, measure: pd.Series, min_group: int = MIN_GROUP) -> Expected:
    """Kruskal-Wallis test over groups that are large enough."""
    frame = pd.DataFrame({"label": labels.to_numpy(), "value": measure.to_numpy()}).dropna()
    frame = frame[frame.groupby("label")["value"].transform("size") >= min_group]
    samples = [sample.astype(float) for _, sample in frame.groupby("label")["value"]]
    test = stats.kruskal(*samples)
    degrees = len(samples) - 1
    effect = max(0.0, test.statistic - degrees) / (len(frame) - len(samples))
    return Expected(len(frame), test.statistic, test.pvalue, effect)


def shares(is_one: pd.Series, outcome: pd.Series) -> Expected:
    """Two proportions; the effect is their ratio."""
    flag = is_one.astype(bool)
    test = stats.chi2_contingency(pd.crosstab(flag, outcome), correction=False)
    ratio = outcome[flag].mean() / outcome[~flag].mean()
    return Expected(len(outcome), test.statistic, test.pvalue, float(ratio))


def rate_trend(measure: pd.Series, outcome: pd.Series) -> Expected:
    """Share along the ranks of a measure: Poisson likelihood on single units, robust error by the textbook formulas."""
    present = measure.notna()
    came = outcome[present].to_numpy(dtype=float)
    rank = (measure[present].astype(float).rank().to_numpy() - 0.5) / len(came)
    design = np.column_stack([np.ones_like(rank), rank])

    def loss(line: np.ndarray) -> float:
        return float((np.exp(design @ line) - came * (design @ line)).sum())

    def slope(line: np.ndarray) -> np.ndarray:
        return design.T @ (np.exp(design @ line) - came)

    def curvature(line: np.ndarray) -> np.ndarray:
        return design.T * np.exp(design @ line) @ design

    start = np.array([np.log(came.mean()), 0.0])
    line = optimize.minimize(loss, start, jac=slope, hess=curvature, method="trust-exact", options={"gtol": 1e-9}).x
    inverse = np.linalg.inv(curvature(line))
    residual = came - np.exp(design @ line)
    error = np.sqrt((inverse @ (design.T * residual**2 @ design) @ inverse)[1, 1])
    z = line[1] / error
    return Expected(len(came), z, 2 * stats.norm.sf(abs(z)), float(np.exp(-0.75 * line[1])))


def is_sale_day(day: pd.Timestamp) -> bool:
    """Say whether a day is a Brazilian sale or lies in the week up to a holiday with presents."""
    november = pd.date_range(f"{day.year}-11-01", periods=30)
    black_friday = [one for one in november if one.day_of_week == 3][3] + pd.Timedelta(days=1)
    if black_friday <= day <= black_friday + pd.Timedelta(days=3):
        return True
    ends = [pd.Timestamp(day.year, *date) for date in ((3, 15), (6, 12), (10, 12), (12, 25))]
    for month in (5, 8):
        sundays = [one for one in pd.date_range(f"{day.year}-{month:02}-01", periods=31) if one.day_of_week == 6]
        ends.append(sundays[1])
    return any(end - pd.Timedelta(days=6) <= day <= end for end in ends)


def contingency(x: pd.Series, y: pd.Series) -> Expected:
    """Chi-square test of independence; the effect is a ratio to the overall share."""
    table = pd.crosstab(x, y)
    test = stats.chi2_contingency(table, correction=False)
    share = float(np.mean(y))
    spread = np.sqrt(max(0.0, test.statistic - test.dof) / len(x) * (1 - share) / share)
    return Expected(len(x), test.statistic, test.pvalue, float(1 + spread))


def goodness(counts: pd.Series, expected: np.ndarray) -> Expected:
    """Chi-square test against expected counts."""
    test = stats.chisquare(counts, expected)
    total = int(counts.sum())
    effect = np.sqrt(max(0.0, test.statistic - len(counts) + 1) / total)
    return Expected(total, test.statistic, test.pvalue, float(effect))
