"""The forecast that ships beside one that knows nothing of this project: the same people, day and label.

The baseline reads the raw files alone and shares no code with models or scoring: shopping days per person in pandas, a
dozen features that everybody would think of, scikit-learn's own logistic regression and gradient boosting.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from demo import generate
from pipeline.base import paths
from scoring.calibration import logistic_line, logit
from scoring.cutoffs import make_plan
from scoring.fitting import MBG_NBD, RECENCY_ONLY, fit_models
from scoring.run import RANDOM_STATE
from scoring.store import Store

Floats = npt.NDArray[np.float64]
INVALID = ("canceled", "unavailable")
COUNTED_DAYS = (30, 60, 90, 180, 365)
ABOUT = """# The forecast beside a baseline

Written by `python -m benchmarks --part forecast`; do not edit. Everyone is forecast at the last cut-off whose
window has closed, from windows that had closed on that day. The baselines know the raw files alone: recency, frequency,
money, tenure, gaps and counts of the last 30 to 365 days.

"""


@dataclass(frozen=True)
class Compared:
    """One shop: log losses on the last closed window, per model, and the difference to what ships.

    Parameters
    ----------
    shop : str
    cutoff : date
    people, returned : int
    shipped : str
        Kind of model that ships.
    log_loss, roc_auc : mapping of str to float
        Per model: what ships, two baselines, recency alone and MBG/NBD.
    brier_skill : mapping of str to float
        Per model, against the share that returned.
    slope, expected : float
        Of what ships: its calibration slope, and returns expected to observed.
    behind : mapping of str to float
        How many standard errors what ships is behind each baseline; negative where it is ahead.
    """

    shop: str
    cutoff: date
    people: int
    returned: int
    shipped: str
    log_loss: Mapping[str, float]
    roc_auc: Mapping[str, float]
    brier_skill: Mapping[str, float]
    slope: float
    expected: float
    behind: Mapping[str, float]


def shopping_days(raw: Path) -> pd.DataFrame:
    """Return a row a person and day with a valid order: what they paid, from the raw files."""
    orders = _table(
        raw, "olist_orders_dataset", ["order_id", "customer_id", "order_status", "order_purchase_timestamp"]
    )
    customers = _table(raw, "olist_customers_dataset", ["customer_id", "customer_unique_id"])
    payments = _table(raw, "olist_order_payments_dataset", ["order_id", "payment_value"])
    paid = payments.astype({"payment_value": float}).groupby("order_id")["payment_value"].sum()
    valid = orders[~orders["order_status"].isin(INVALID)].merge(customers, on="customer_id")
    valid = valid.assign(
        day=pd.to_datetime(valid["order_purchase_timestamp"], errors="coerce").dt.normalize(),
        paid=valid["order_id"].map(paid).fillna(0.0),
    ).dropna(subset=["day"])
    return valid.groupby(["customer_unique_id", "day"])[["paid"]].sum().reset_index()


def _table(raw: Path, stem: str, columns: Sequence[str]) -> pd.DataFrame:
    parts = [pd.read_csv(file, usecols=list(columns), dtype=str) for file in sorted(raw.glob(f"{stem}*.csv"))]
    parts += [pd.read_parquet(file, columns=list(columns)) for file in sorted(raw.glob(f"{stem}*.parquet"))]
    return pd.concat(parts, ignore_index=True)


def features_of(days: pd.DataFrame, cutoff: pd.Timestamp) -> pd.DataFrame:
    """Return what is known of everyone at a cut-off, a row a person."""
    past = days[days["day"] < cutoff].sort_values(["customer_unique_id", "day"])
    people = past.groupby("customer_unique_id")
    last, first, count = people["day"].max(), people["day"].min(), people.size()
    found = pd.DataFrame(
        {
            "recency": (cutoff - last).dt.days,
            "tenure": (cutoff - first).dt.days,
            "frequency": count,
            "money": people["paid"].sum(),
            "mean_money": people["paid"].mean(),
            "mean_gap": ((last - first).dt.days / (count - 1).where(count > 1)).fillna(-1.0),
        }
    )
    found["waiting"] = (found["recency"] / found["mean_gap"].where(found["mean_gap"] > 0)).fillna(-1.0)
    for length in COUNTED_DAYS:
        recent = past[past["day"] >= cutoff - pd.Timedelta(days=length)]
        found[f"days_{length}"] = recent.groupby("customer_unique_id").size().reindex(found.index).fillna(0.0)
    return found.astype(float)


def label_of(days: pd.DataFrame, people: pd.Index, cutoff: pd.Timestamp, horizon_days: int) -> npt.NDArray[np.bool_]:
    """Return who shops within the horizon."""
    window = days[(days["day"] >= cutoff) & (days["day"] < cutoff + pd.Timedelta(days=horizon_days))]
    return np.asarray(people.isin(window["customer_unique_id"].unique()))


def baselines(days: pd.DataFrame, cutoff: date, known: Sequence[date], horizon_days: int) -> pd.DataFrame:
    """Fit both baselines on the known cut-offs; return P(return) of everyone at the cut-off, a column each."""
    tables = [features_of(days, pd.Timestamp(day)) for day in known]
    labels = [
        label_of(days, table.index, pd.Timestamp(day), horizon_days) for table, day in zip(tables, known, strict=True)
    ]
    rows, outcome = pd.concat(tables), np.concatenate(labels)
    now = features_of(days, pd.Timestamp(cutoff))
    line = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    trees = HistGradientBoostingClassifier(
        learning_rate=0.05, max_iter=200, min_samples_leaf=100, early_stopping=True, random_state=RANDOM_STATE
    )
    found = {
        "logistic baseline": line.fit(_logs(rows), outcome).predict_proba(_logs(now))[:, 1],
        "boosted baseline": trees.fit(rows.to_numpy(), outcome).predict_proba(now.to_numpy())[:, 1],
    }
    return pd.DataFrame(found, index=now.index)


def _logs(table: pd.DataFrame) -> Floats:
    result: Floats = np.log1p(np.maximum(table.to_numpy(), 0.0))
    return np.column_stack([result, (table.to_numpy() < 0).any(axis=1)])


def compare(shop: str, raw: Path, warehouse: Path) -> Compared:
    """Judge what ships and the baselines on the last closed window of a build file.

    Raises
    ------
    ValueError
        The build has no closed window to judge on, or its people are not those of the raw files.
    """
    with Store(warehouse / "build.duckdb", read_only=True) as store:
        frame = store.frame()
        plan = make_plan(list(frame.customers), frame.as_of_date, frame.horizon_days) if frame else None
        if frame is None or plan is None or plan.test is None:
            raise ValueError(f"{shop}: no window has closed that could be judged.")
        shipped = store.shipped_kind()
        known = [store.snapshot(day) for day in plan.test.known]
        there = store.snapshot(plan.test.cutoff)
        ids = store.ids(plan.test.cutoff)
        ours = {
            name: 1.0 - fitted.churn_probability(there.features)
            for kind in dict.fromkeys((shipped, RECENCY_ONLY, MBG_NBD))
            for name, fitted in fit_models(known, frame.horizon_days, random_state=RANDOM_STATE, only=kind).items()
        }
    days = shopping_days(raw)
    days = days[days["day"] < pd.Timestamp(frame.as_of_date)]
    theirs = baselines(days, plan.test.cutoff, plan.test.known, frame.horizon_days).reindex(ids)
    returned = there.retained(frame.horizon_days)
    label = label_of(days, theirs.index, pd.Timestamp(plan.test.cutoff), frame.horizon_days)
    if theirs.isna().to_numpy().any() or (label != returned).any():
        raise ValueError(f"{shop}: the raw files tell other people, or other returns, than the warehouse.")
    chances = {**ours, **{str(name): theirs[name].to_numpy() for name in theirs}}
    losses = {name: _log_losses(chance, returned) for name, chance in chances.items()}
    return Compared(
        shop,
        plan.test.cutoff,
        len(ids),
        int(returned.sum()),
        shipped,
        {name: float(loss.mean()) for name, loss in losses.items()},
        {name: float(roc_auc_score(returned, chance)) for name, chance in chances.items()},
        {name: 1.0 - float(((chance - returned) ** 2).mean() / returned.var()) for name, chance in chances.items()},
        logistic_line(logit(chances[shipped]), returned.astype(np.float64))[1],
        float(chances[shipped].sum() / returned.sum()),
        {str(name): _standard_errors(losses[shipped] - losses[str(name)]) for name in theirs},
    )


def _log_losses(chance: Floats, returned: npt.NDArray[np.bool_]) -> Floats:
    clipped = np.clip(chance, 1e-9, 1 - 1e-9)
    result: Floats = -np.where(returned, np.log(clipped), np.log1p(-clipped))
    return result


def _standard_errors(difference: Floats) -> float:
    error = float(difference.std(ddof=1)) / len(difference) ** 0.5
    return float(difference.mean()) / error if error > 0 else 0.0


def race(orders: int, folder: Path) -> list[Compared]:
    """Build every shop and compare: the demo's three, the real files where OLIST_DIR says so, CDNOW where it is there.

    Parameters
    ----------
    orders : int
        Of each generated shop.
    folder : Path
        Where to work.
    """
    shops: dict[str, Path] = {}
    options: dict[str, dict[str, Any]] = {
        "demo, default": {"shop": "default"},
        "demo, loyal": {"shop": "loyal"},
        "demo, no signal": {"shop": "default", "signal": False},
    }
    for number, (name, chosen) in enumerate(options.items()):
        shops[name] = folder / f"raw-{number}"
        generate(shops[name], orders, 1, file_format="parquet", **chosen)
    if given := os.environ.get("OLIST_DIR"):
        shops["the real files"] = Path(given)
    if (table := cdnow_table()) is not None:
        shops["CDNOW"] = write_cdnow(table, folder / "raw-cdnow")
    found = []
    for number, (name, raw) in enumerate(shops.items()):
        warehouse = folder / f"warehouse-{number}"
        _build(raw, warehouse)
        found.append(compare(name, raw, warehouse))
    return found


def _build(raw: Path, warehouse: Path) -> None:
    environment = {
        **os.environ,
        "RAW_DIR": str(raw),
        "WAREHOUSE_DIR": str(warehouse),
        "DBT_TARGET_PATH": str(warehouse / "dbt-target"),
        "DBT_LOG_PATH": str(warehouse / "dbt-logs"),
    }
    dbt = [str(Path(sys.executable).with_name("dbt")), "--quiet"]
    chosen = ["--select", "+churn_features", "+parameters"]
    for command in ([*dbt, "seed"], [*dbt, "run", *chosen], [sys.executable, "-m", "scoring"]):
        subprocess.run(command, cwd=paths.PROJECT, env=environment, check=True)


def cdnow_table() -> Path | None:
    """Return CDNOW's 69,659 purchases of 23,570 people, which come with the lifetimes package, where that is there."""
    try:
        found = [file for file in files("lifetimes") or [] if file.name == "CDNOW_master.txt"]
    except PackageNotFoundError:
        return None
    return Path(str(found[0].locate())) if found else None


def write_cdnow(table: Path, raw: Path) -> Path:
    """Write CDNOW's purchases as raw files: an order each, of one product, paid by card, delivered within the week."""
    rows = pd.read_csv(table, sep=r"\s+", names=["person", "day", "items", "money"], skiprows=1, dtype=str)
    day = pd.to_datetime(rows["day"], format="%Y%m%d")
    number = pd.Series(rows.index.astype(str))
    order, account = "order-" + number, "account-" + number

    def stamp(days: int) -> pd.Series:
        return (day + timedelta(days=days, hours=12)).dt.strftime("%Y-%m-%d %H:%M:%S")

    tables = {
        "olist_orders_dataset": pd.DataFrame(
            {
                "order_id": order,
                "customer_id": account,
                "order_status": "delivered",
                "order_purchase_timestamp": stamp(0),
                "order_approved_at": stamp(0),
                "order_delivered_carrier_date": stamp(1),
                "order_delivered_customer_date": stamp(5),
                "order_estimated_delivery_date": stamp(7),
            }
        ),
        "olist_order_items_dataset": pd.DataFrame(
            {
                "order_id": order,
                "order_item_id": "1",
                "product_id": "disc",
                "seller_id": "shop",
                "shipping_limit_date": stamp(2),
                "price": rows["money"],
                "freight_value": "0.00",
            }
        ),
        "olist_order_payments_dataset": pd.DataFrame(
            {
                "order_id": order,
                "payment_sequential": "1",
                "payment_type": "credit_card",
                "payment_installments": "1",
                "payment_value": rows["money"],
            }
        ),
        "olist_customers_dataset": pd.DataFrame(
            {
                "customer_id": account,
                "customer_unique_id": "person-" + rows["person"],
                "customer_zip_code_prefix": "01001",
                "customer_city": "sao paulo",
                "customer_state": "SP",
            }
        ),
        "olist_products_dataset": pd.DataFrame(
            {
                "product_id": ["disc"],
                "product_category_name": ["musica"],
                **{
                    name: ["1"]
                    for name in (
                        "product_name_lenght",
                        "product_description_lenght",
                        "product_photos_qty",
                        "product_weight_g",
                        "product_length_cm",
                        "product_height_cm",
                        "product_width_cm",
                    )
                },
            }
        ),
        "olist_sellers_dataset": pd.DataFrame(
            {
                "seller_id": ["shop"],
                "seller_zip_code_prefix": ["01001"],
                "seller_city": ["sao paulo"],
                "seller_state": ["SP"],
            }
        ),
        "product_category_name_translation": pd.DataFrame(
            {"product_category_name": ["musica"], "product_category_name_english": ["music"]}
        ),
        "olist_order_reviews_dataset": pd.DataFrame(
            columns=[
                "review_id",
                "order_id",
                "review_score",
                "review_comment_title",
                "review_comment_message",
                "review_creation_date",
                "review_answer_timestamp",
            ]
        ),
        "olist_geolocation_dataset": pd.DataFrame(
            {
                "geolocation_zip_code_prefix": ["01001"],
                "geolocation_lat": ["-23.55"],
                "geolocation_lng": ["-46.63"],
                "geolocation_city": ["sao paulo"],
                "geolocation_state": ["SP"],
            }
        ),
    }
    raw.mkdir(parents=True, exist_ok=True)
    for name, content in tables.items():
        content.to_csv(raw / f"{name}.csv", index=False)
    return raw


def as_table(found: Sequence[Compared]) -> str:
    """Return the comparison as Markdown."""
    lines = [
        "| shop | cut-off | people, returned | ships | log loss: ships | recency alone | MBG/NBD | logistic baseline "
        "| boosted baseline | behind, in standard errors | ROC AUC: ships | MBG/NBD | better baseline "
        "| Brier skill: ships | MBG/NBD | better baseline | slope, expected / observed |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for one in found:
        behind = ", ".join(f"{errors:+.1f}" for errors in one.behind.values())
        losses = [one.shipped, RECENCY_ONLY, MBG_NBD, *one.behind]
        best = max(one.roc_auc[name] for name in one.behind)
        sharpest = max(one.brier_skill[name] for name in one.behind)
        lines.append(
            f"| {one.shop} | {one.cutoff} | {one.people:,}, {one.returned:,} | {one.shipped} | "
            + " | ".join(f"{one.log_loss[name]:.5f}" if name in one.log_loss else "-" for name in losses)
            + f" | {behind} | {one.roc_auc[one.shipped]:.4f} | {_told(one.roc_auc, MBG_NBD)} | {best:.4f} "
            f"| {one.brier_skill[one.shipped]:.4f} | {_told(one.brier_skill, MBG_NBD)} | {sharpest:.4f} "
            f"| {one.slope:.2f}, {one.expected:.2f} |"
        )
    return "\n".join(lines) + "\n"


def _told(figures: Mapping[str, float], name: str) -> str:
    return f"{figures[name]:.4f}" if name in figures else "-"
