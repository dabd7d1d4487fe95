"""The forecast beside a process that is known: as good as the truth allows, and nothing where there is nothing."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pandas as pd
import pytest
from builds import build_warehouse, query
from sklearn.metrics import roc_auc_score

from demo import generate
from demo.process import PROCESSES
from demo.shop import TRUTH_FILE

# None in the normal run, which looks at the session's small shop only; TRUTH_ORDERS=100000 builds eight shops.
ORDERS = int(os.environ.get("TRUTH_ORDERS", "0"))
SEEDS = (1, 2, 3)
MANY_ORDERS = 8
SHOPS = sorted({shop for shop, _ in PROCESSES})


@dataclass(frozen=True)
class Judged:
    """What shipped, at the test cut-off, and what nobody could have done better."""

    model: str
    auc: float
    auc_low: float
    auc_high: float
    slope: float
    slope_error: float
    true_auc: float
    returned: int
    revenue: float
    true_revenue: float

    def told(self) -> str:
        """Tell the figures in one line."""
        return (
            f"{self.model}: AUC {self.auc:.4f} [{self.auc_low:.4f}, {self.auc_high:.4f}], of the true probabilities "
            f"{self.true_auc:.4f}; calibration slope {self.slope:.3f} +- {self.slope_error:.3f}; expected revenue "
            f"{self.revenue:,.0f}, in truth {self.true_revenue:,.0f} ({self.revenue / self.true_revenue:.3f})"
        )


def judged(raw: Path, warehouse: Path) -> Judged:
    shipped = query(
        warehouse,
        "select * from marts.churn_model_metrics where role = 'test' and is_shipped",
    ).iloc[0]
    people = query(
        warehouse,
        f"""
        select churn_features.is_retained, truth.probability, churn_features.order_count
        from marts.churn_features
        inner join read_parquet('{raw / TRUTH_FILE}') as truth
            on churn_features.customer_id = truth.customer_unique_id
            and churn_features.cutoff_date = truth.cutoff_date
            and churn_features.horizon_days = truth.horizon_days
        where churn_features.cutoff_date = date '{shipped["cutoff_date"]:%Y-%m-%d}'
        """,
    )
    assert len(people) == shipped["customers"], "the truth is known of everyone who was judged"
    returned = people["is_retained"].astype(bool)
    worth = worth_of_a_return(warehouse)
    assert returned.sum() == shipped["retained_customers"]
    return Judged(
        model=str(shipped["model"]),
        auc=float(shipped["roc_auc"]),
        auc_low=float(shipped["roc_auc_low"]),
        auc_high=float(shipped["roc_auc_high"]),
        slope=float(shipped["calibration_slope"]),
        slope_error=float(shipped["calibration_slope_standard_error"]),
        true_auc=float(roc_auc_score(returned, people["probability"])),
        returned=int(shipped["retained_customers"]),
        revenue=float(shipped["revenue_expected"]),
        true_revenue=float((people["probability"] * people["order_count"].clip(upper=MANY_ORDERS).map(worth)).sum()),
    )


def worth_of_a_return(warehouse: Path) -> pd.Series:
    """Return what somebody who comes back pays within the horizon, by how often they had come before (8 = 8 and more).

    Occasions of all windows x mean later order. In the known process neither depends on the window, but the first grows
    with the number of past orders, and a shop's people have more of them every month.
    """
    found = query(
        warehouse,
        f"""
        select
            least(order_count, {MANY_ORDERS}) as order_count,
            coalesce(sum(orders_in_window) / nullif(count(*) filter (is_retained), 0), 0)
            * (select avg(payment_value) from marts.fct_orders where customer_order_number > 1) as worth
        from marts.churn_features
        group by 1
        """,
    )
    return found.set_index("order_count")["worth"]


def shop_of(folder: Path, shop: str, seed: int, *, signal: bool = True, pairs: bool = False) -> tuple[Path, Path]:
    if not ORDERS:
        pytest.skip("a long run: TRUTH_ORDERS=100000 builds and scores a shop of that size")
    raw = folder / "raw"
    generate(raw, ORDERS, seed, shop, "parquet", signal=signal, pairs=pairs)  # type: ignore[arg-type]
    return raw, build_warehouse(raw, folder / "warehouse")


def test_the_forecast_of_the_small_shop_ranks_as_well_as_the_truth_allows(
    demo_raw: Path, published_warehouse: Path
) -> None:
    found = judged(demo_raw, published_warehouse)
    standard_error = (found.auc_high - found.auc_low) / (2 * 1.96)
    # better than the truth by luck only, worse by no more than what a shop of this size teaches
    assert found.true_auc - 0.05 - 2 * standard_error < found.auc < found.true_auc + 2 * standard_error, found
    assert abs(found.slope - 1) < 0.1 + 2 * found.slope_error, found
    # a shop of this size has some 170 returns a window, whose number and payments are known to a tenth each
    assert found.revenue == pytest.approx(found.true_revenue, rel=0.3), found


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("shop", SHOPS)
def test_the_forecast_is_as_good_as_the_true_probabilities(shop: str, seed: int, tmp_path: Path) -> None:
    found = judged(*shop_of(tmp_path, shop, seed))
    print(f"  {shop} {seed}: {found.told()}", file=sys.stderr, flush=True)
    assert abs(found.auc - found.true_auc) <= 0.02
    assert 0.9 <= found.slope <= 1.1
    # 5 %, and what chance leaves open of the level: it rests on the returns of one window
    assert found.revenue == pytest.approx(found.true_revenue, rel=0.05 + 1.96 / found.returned**0.5)


def test_features_that_act_together_are_found_and_ship(tmp_path: Path) -> None:
    raw, warehouse = shop_of(tmp_path, "loyal", 1, pairs=True)
    found = judged(raw, warehouse)
    print(f"  loyal with pairs: {found.told()}", file=sys.stderr, flush=True)
    assert found.model in ("boosted_pairs", "blended_pairs")
    assert abs(found.auc - found.true_auc) <= 0.02
    (definition,) = query(warehouse, "select definition from scores.churn_model")["definition"]
    terms = json.loads(definition)["additive"]["terms"]
    pairs = [f"{term['first']['feature']} {term['second']['feature']}" for term in terms if term["kind"] == "pair"]
    assert any("order_count" in pair and "category" in pair for pair in pairs), pairs


@pytest.mark.parametrize("shop", SHOPS)
def test_without_a_signal_the_card_says_that_nothing_is_added(shop: str, tmp_path: Path) -> None:
    _, warehouse = shop_of(tmp_path, shop, 1, signal=False)
    metrics = query(warehouse, "select * from marts.churn_model_metrics where role = 'test'").set_index("model")
    for model, one in metrics.iterrows():
        print(
            f"  {shop} without signal: {model}: AUC {one['roc_auc']:.4f} "
            f"[{one['roc_auc_low']:.4f}, {one['roc_auc_high']:.4f}]",
            file=sys.stderr,
            flush=True,
        )
    (shipped,) = metrics.index[metrics["is_shipped"].astype(bool)]
    assert shipped in ("base_rate", "recency_only")
    assert metrics.loc[shipped, "roc_auc_low"] <= 0.5 <= metrics.loc[shipped, "roc_auc_high"]
    assert "no other model beats recency alone" in (warehouse / "model_card.md").read_text()
    with duckdb.connect(str(warehouse / "current" / "warehouse.duckdb"), read_only=True) as connection:
        spread = connection.execute("select count(distinct churn_probability) from marts.customer_360").fetchone()
    assert spread is not None
    assert spread[0] == 1 or shipped == "recency_only"
