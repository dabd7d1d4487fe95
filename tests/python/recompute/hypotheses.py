# mypy: disable-error-code="no-any-return"
"""The eighteen hypotheses tested by scipy on single observations, one row per unit, from the raw files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from scipy import stats

from recompute.orders import calendar, items
from recompute.raw import stamps
from recompute.sellers import single_seller_orders
from recompute.shop import Recomputed

FOLLOW_UP = 180
REVIEW_DAYS = 45
LARGEST_CITIES = 10
MIN_CITY_CUSTOMERS = 20
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
        seen = calendar(shop.orders)
        assert seen is not None
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
        later = orders["customer_order_number"] > 1
        delivered = mine.map(first["delivered_at"])
        after_delivery = later & (orders["purchased_at"] > delivered)
        after_delivery &= _days(orders["purchased_at"], delivered) < FOLLOW_UP
        first["orders_in_follow_up"] = (since < FOLLOW_UP).groupby(mine).sum()
        first["is_back"] = (later & (since < FOLLOW_UP)).groupby(mine).any()
        first["is_back_after_review"] = (later & since.between(REVIEW_DAYS, FOLLOW_UP - 1)).groupby(mine).any()
        first["is_back_after_delivery"] = after_delivery.groupby(mine).any()
        first["has_follow_up"] = (self.observed_until - first["order_date"]).dt.days >= FOLLOW_UP
        until = pd.Series(self.observed_until, index=first.index)
        first["has_delivery_follow_up"] = _days(until, first["delivered_at"]) >= FOLLOW_UP
        first["item_price"] = (first["item_value"] / first["item_count"].where(first["item_count"] > 0) / 100).round(9)
        first["mature_orders"] = orders["is_mature"].groupby(mine).sum()
        first["reviewed_orders"] = (orders["is_mature"] & orders["is_reviewed"]).groupby(mine).sum()
        place = first.groupby(["customer_state", "customer_city"])
        first["city_customers"] = place["order_id"].transform("size")
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
            1: lambda: two_groups(self.followed["is_largest_city"], self.followed["orders_in_follow_up"]),
            2: lambda: correlation(self.products["photos"], self.products["orders"]),
            3: lambda: shares(self.followed["is_reviewed"], self.followed["is_back_after_review"]),
            4: self.order_value_by_payment_type,
            5: lambda: correlation(self.products["description"], self.products["orders"]),
            6: self.seasons,
            7: lambda: correlation(self.orders["delivery_days"], self.orders["review_score"]),
            8: lambda: contingency(self.followed["order_date"].dt.day_of_week, self.followed["is_back"]),
            9: self.hours,
            10: self.weekdays,
            11: self.delivery_and_return,
            12: lambda: two_groups(self.followed["is_back"], self.followed["item_price"]),
            13: self.review_share,
            14: self.sellers_by_state,
            15: lambda: correlation(
                self.orders["item_count"].where(self.orders["item_count"] > 0), self.orders["review_score"]
            ),
            16: lambda: groups(self.run_orders["order_month"], self.run_orders["review_score"]),
            17: self.cities,
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

    def seasons(self) -> Expected:
        """Hypothesis 6."""
        logarithm = np.log(self.months["orders"] / self.months["days"])
        time = np.arange(len(logarithm))
        residual = logarithm - np.polyval(np.polyfit(time, logarithm, 1), time)
        return groups(self.months["month"] % 12 // 3, residual.round(9), min_group=2)

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
        return two_groups(people["is_back_after_delivery"], people["delivery_days"])

    def review_share(self) -> Expected:
        """Hypothesis 13."""
        people = self.customers[self.customers["mature_orders"] > 0]
        share = people["reviewed_orders"] / people["mature_orders"]
        frequent = people["mature_orders"] > 1
        test = stats.ttest_ind(share[frequent], share[~frequent], equal_var=False)
        return Expected(
            len(share), test.statistic, test.pvalue, float(share[frequent].mean() - share[~frequent].mean())
        )

    def sellers_by_state(self) -> Expected:
        """Hypothesis 14."""
        alone = single_seller_orders(self.shop.raw, self.shop.orders).dropna(subset=["review_score"])
        score = alone["review_score"].astype(int).groupby(alone["seller_id"])
        mean = score.mean()[score.size() >= MIN_SELLER_ORDERS].round(9)
        state = self.shop.raw.sellers.set_index("seller_id")["seller_state"].reindex(mean.index)
        return groups(state, mean)

    def cities(self) -> Expected:
        """Hypothesis 17."""
        place = self.customers.groupby(["customer_state", "customer_city"])
        enough = place["item_price"].count() >= MIN_CITY_CUSTOMERS
        # rounded, or equal prices differ by how their mean was taken
        return correlation(place.size()[enough], place["item_price"].median()[enough].round(10))

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
    """Two proportions; the effect is their difference."""
    test = stats.chi2_contingency(pd.crosstab(is_one, outcome), correction=False)
    difference = outcome[is_one].mean() - outcome[~is_one].mean()
    return Expected(len(outcome), test.statistic, test.pvalue, float(difference))


def contingency(x: pd.Series, y: pd.Series) -> Expected:
    """Chi-square test of independence."""
    table = pd.crosstab(x, y)
    test = stats.chi2_contingency(table, correction=False)
    effect = np.sqrt(max(0.0, test.statistic - test.dof) / (len(x) * (min(table.shape) - 1)))
    return Expected(len(x), test.statistic, test.pvalue, float(effect))


def goodness(counts: pd.Series, expected: np.ndarray) -> Expected:
    """Chi-square test against expected counts."""
    test = stats.chisquare(counts, expected)
    total = int(counts.sum())
    effect = np.sqrt(max(0.0, test.statistic - len(counts) + 1) / total)
    return Expected(total, test.statistic, test.pvalue, float(effect))
