# mypy: disable-error-code="no-any-return, attr-defined, arg-type, call-overload, index"
"""What to offer a person, one person at a time, from the pairs and times that are published."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

AVAILABLE, REST, AWAY = 90, 30, 365
PRIOR, PRIOR_OF_REPEATS, MIN_PEOPLE = 200, 20, 5


class Shop:
    """What is known of all products on a day.

    Parameters
    ----------
    lines
        Order lines of valid orders: `customer_id`, `product_id`, `category`, `date`.
    cohorts
        Category that each person began with.
    marts
        `product_affinity`, `category_affinity` and `repurchase_times` as published.
    day
        Lines from this day on are unknown.
    """

    def __init__(
        self, lines: pd.DataFrame, cohorts: pd.Series, marts: Mapping[str, pd.DataFrame], day: pd.Timestamp
    ) -> None:
        self.day, self.marts, self.cohorts = day, marts, cohorts
        self.lines = lines[lines["date"] < day]
        recent = self.lines[self.lines["date"] >= day - pd.Timedelta(days=AVAILABLE)]
        self.recent = recent.drop_duplicates(["customer_id", "product_id"]).copy()
        self.recent["cohort"] = self.recent["customer_id"].map(cohorts)
        sold = self.recent.groupby("product_id").agg(people=("customer_id", "size"), category=("category", "first"))
        sold = sold.reset_index().sort_values(["people", "product_id"], ascending=[False, True], ignore_index=True)
        sold["number"] = sold.index
        sold["share"] = (sold["people"] / self.recent["customer_id"].nunique()).round(9)
        self.sold = sold.set_index("product_id")
        self.share: dict[str, float] = dict(zip(sold["product_id"], sold["share"], strict=True))
        self.number: dict[str, int] = dict(zip(sold["product_id"], sold["number"], strict=True))
        self.cached: dict[str, dict[str, float]] = {}
        self.due_after = marts["repurchase_times"].set_index("product_category")["quarter_bought_again_days"].dropna()
        pairs = self.lines.groupby(["customer_id", "product_id"])["date"].agg(["min", "max"])
        pairs["again"] = pairs["min"] < pairs["max"]
        categories = self.lines.drop_duplicates("product_id").set_index("product_id")["category"]
        again = pairs.groupby("product_id")["again"].agg(["sum", "size"])
        by_category = again.groupby(categories.reindex(again.index).to_numpy()).sum()
        usual = (by_category["sum"] / by_category["size"]).round(9)
        usual = pd.Series(usual.reindex(categories.reindex(again.index)).to_numpy(), index=again.index)
        self.repeats = (again["sum"] + PRIOR_OF_REPEATS * usual) / (again["size"] + PRIOR_OF_REPEATS)

    def pulled(self, product: str, part: int, people: int) -> float:
        """Return a share of few people, pulled to everyone's."""
        return (part + PRIOR * self.share[product]) / (people + PRIOR)

    def together(self, products: set[str]) -> dict[str, float]:
        """Return what goes with what was bought."""
        pairs = self.marts["product_affinity"]
        pairs = pairs[pairs["product_id"].isin(products) & (pairs["lift_low"] > 1)]
        pairs = pairs[pairs["other_product_id"].isin(self.sold.index)]
        pairs = pairs.assign(number=pairs["other_product_id"].map(self.sold["number"]))
        pairs = pairs.sort_values(["both_people", "number"], ascending=[False, True]).groupby("product_id").head(10)
        found: dict[str, float] = {}
        for row in pairs.itertuples():
            score = self.pulled(row.other_product_id, row.both_people, row.people)
            found[row.other_product_id] = max(score, found.get(row.other_product_id, 0))
        return found

    def next_category(self, categories: set[str]) -> dict[str, float]:
        """Return what is popular in categories that go with theirs."""
        pairs = self.marts["category_affinity"]
        pairs = pairs[pairs["product_category"].isin(categories) & (pairs["lift_low"] > 1)]
        order = ["confidence", "other_product_category"]
        pairs = pairs.sort_values(order, ascending=[False, True]).groupby("product_category").head(3)
        found: dict[str, float] = {}
        for row in pairs.itertuples():
            buyers = self.recent[self.recent["category"] == row.other_product_category]["customer_id"].nunique()
            best = self.sold[self.sold["category"] == row.other_product_category].sort_values("number").head(5)
            for product, people in best["people"].items():
                found[str(product)] = max(row.confidence * round(people / buyers, 9), found.get(str(product), 0))
        return found

    def in_cohort(self, cohort: str) -> dict[str, float]:
        """Return what is popular with those who began alike."""
        if cohort not in self.cached:
            self.cached[cohort] = self._in_cohort(cohort)
        return self.cached[cohort]

    def _in_cohort(self, cohort: str) -> dict[str, float]:
        theirs = self.recent[self.recent["cohort"] == cohort]
        counts = theirs["product_id"].value_counts()
        buyers = theirs["customer_id"].nunique()
        counts = counts[counts >= MIN_PEOPLE]
        scores = {str(product): self.pulled(str(product), people, buyers) for product, people in counts.items()}
        best = sorted(scores, key=lambda product: (-round(scores[product], 9), self.number[product]))[:10]
        return {product: scores[product] for product in best}

    def offers(self, person: str) -> list[str]:
        """Return up to five products for a person, the best first."""
        own = (
            self.lines[self.lines["customer_id"] == person]
            .groupby("product_id")
            .agg(category=("category", "first"), last=("date", "max"))
        )
        own["days"] = (self.day - own["last"]).dt.days
        if own["days"].min() > AWAY:
            return []
        lasting = ~own["category"].isin(self.due_after.index)
        resting = set(own.loc[lasting & (own["days"] <= REST), "category"])
        best: dict[str, float] = {}
        for found in (
            self.together(set(own.index)),
            self.next_category(set(own["category"])),
            self.in_cohort(self.cohorts[person]),
            self.sold["share"].head(10).to_dict(),
        ):
            for product, score in found.items():
                if product not in own.index and self.sold.loc[product, "category"] not in resting:
                    best[product] = max(score, best.get(product, 0))
        for product, row in own.iterrows():
            is_due = row["category"] in self.due_after.index and row["days"] >= self.due_after[row["category"]]
            if is_due and product in self.sold.index and round(self.repeats[product], 9) > 0:
                best[str(product)] = self.repeats[product]
        ranked = sorted(best, key=lambda product: (-round(best[product], 9), self.number[product]))
        return ranked[:5]
