# mypy: disable-error-code="no-any-return"
"""When people order next: waits on everyone's curve, person by person."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

STEPS = 20
HORIZONS = (7, 30, 90)
MIN_RETURNS = 30
MIN_WAITING = 30
PRIOR_GAPS = 2
BANDS = (0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4)
BAND_NAMES = (
    "1: under 1 %",
    "2: 1 to 2 %",
    "3: 2 to 5 %",
    "4: 5 to 10 %",
    "5: 10 to 20 %",
    "6: 20 to 40 %",
    "7: 40 % and more",
)
COLUMNS = [
    "customer_id",
    "basis",
    "gaps",
    "last_order_date",
    "days_waited",
    "usual_gap_days",
    "usual_latest_date",
    "is_overdue",
    "median_next_order_date",
    "four_fifths_next_order_date",
    *[f"order_probability_{horizon}_days" for horizon in HORIZONS],
]


@dataclass(frozen=True)
class Curve:
    """Logarithm of the share that stays away at the start of each step, the first step's number being `first`."""

    first: int
    starts: np.ndarray

    def at(self, place: float) -> float:
        """Return it at a place between steps; NaN beyond the last."""
        step = int(np.floor(place)) - self.first
        if step >= len(self.starts) - 1:
            return np.nan
        return float(np.interp(place - self.first, [step, step + 1], self.starts[step : step + 2]))

    def step_below(self, value: float) -> int | None:
        """Return the end of the first step by which no more than this are left."""
        below = np.flatnonzero(np.round(self.starts[1:], 9) <= round(value, 9))
        return self.first + int(below[0]) + 1 if len(below) else None

    def faster(self, pace: float) -> Curve:
        """Return the curve at another pace."""
        return Curve(self.first, pace * self.starts)


def windows(orders: pd.DataFrame, categories: pd.Series, day: pd.Timestamp) -> pd.DataFrame:
    """Return when each person is to be expected, as seen from the start of a day.

    Parameters
    ----------
    orders
        One row per order, with `customer_id`, `purchased_at` and `is_valid_order`.
    categories
        Main category of each person's first valid order, by customer id.
    day
        Orders from this day on are unknown.
    """
    valid = orders[orders["is_valid_order"] & orders["customer_id"].notna()]
    dates = valid.assign(date=valid["purchased_at"].dt.normalize())
    dates = dates[dates["date"] < day][["customer_id", "date"]].drop_duplicates().sort_values(["customer_id", "date"])
    people = dates.groupby("customer_id")["date"]
    waits = dates.assign(number=people.cumcount(), next_date=people.shift(-1))
    waits["is_return"] = waits["next_date"].notna()
    waits["days"] = (waits["next_date"].fillna(day) - waits["date"]).dt.days
    log_gaps = waits["days"].where(waits["is_return"]).astype(float).transform(np.log).round(9)
    usual = log_gaps.mean()
    so_far = log_gaps.groupby(waits["customer_id"]).cumsum().groupby(waits["customer_id"]).shift(1)
    waits["scale"] = ((so_far + PRIOR_GAPS * usual) / (waits["number"] + PRIOR_GAPS)).round(9).fillna(0.0)
    place = np.log(waits["days"] + np.where(waits["is_return"], 0.5, 0)) - waits["scale"]
    waits["step"] = np.floor(place.round(9) * STEPS).astype("int64")
    bands = pd.cut(waits["number"], [0, 1, 2, 5, np.inf], labels=["1", "2", "3-5", "6+"]).astype(object)
    waits["group"] = waits["customer_id"].map(categories).where(waits["number"] == 0, bands)
    parts = [_told(part, is_own, day) for is_own, part in waits.groupby(waits["number"] > 0)]
    found = [part for part in parts if part is not None]
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=COLUMNS)


def _told(waits: pd.DataFrame, is_own: bool, day: pd.Timestamp) -> pd.DataFrame | None:
    if waits["is_return"].sum() < MIN_RETURNS:
        return None
    everyone = _curve(waits)
    rows = []
    for _, group in waits.groupby("group"):
        steps = group["step"].to_numpy() - everyone.first
        seen = steps < len(everyone.starts) - 1
        waiting = group[~group["is_return"]]
        if waiting.empty or not seen.any():
            continue
        returns = int(group["is_return"].to_numpy()[seen].sum())
        middles = (everyone.starts[steps[seen]] + everyone.starts[steps[seen] + 1]) / 2
        is_thin = not is_own and returns < MIN_RETURNS
        pace = 1.0 if is_thin else round((returns + MIN_RETURNS) / (-middles.sum() + MIN_RETURNS), 9)
        basis = "own rhythm" if is_own else "shop" if is_thin else "category"
        curve = everyone.faster(pace)
        alike = ["days", "scale", "number"]
        said = pd.DataFrame(
            [_person(one, curve, basis, day) for one in waiting.drop_duplicates(alike).itertuples()],
            columns=[*alike, *COLUMNS[1:]],
        )
        rows.append(waiting[["customer_id", *alike]].merge(said, on=alike))
    return pd.concat(rows, ignore_index=True)[COLUMNS]


def _curve(waits: pd.DataFrame) -> Curve:
    first, last = int(waits["step"].min()), int(waits["step"].max())
    size = last - first + 1
    everyone = np.bincount(waits["step"] - first, minlength=size)
    returned = np.bincount(waits["step"][waits["is_return"]] - first, minlength=size)
    waiting = everyone[::-1].cumsum()[::-1]
    kept = waiting >= MIN_WAITING
    seen = waiting[kept] - (everyone - returned)[kept] / 2
    staying = np.log(np.maximum(1 - returned[kept] / seen, 1e-9))
    return Curve(first, np.concatenate([[0.0], np.cumsum(staying)]))


def _person(one: object, curve: Curve, basis: str, day: pd.Timestamp) -> list[object]:
    days, scale, last = one.days, one.scale, one.date  # type: ignore[attr-defined]

    def date_of(step: int | None) -> pd.Timestamp | None:
        if step is None:
            return None
        return last + pd.Timedelta(days=int(np.ceil(round(np.exp(step / STEPS + scale), 6))) - 1)

    today = STEPS * (np.log(days) - scale)
    staying = curve.at(round(today, 6))
    start = int(np.floor(round(today, 6))) - curve.first
    given = curve.starts[start] if start < len(curve.starts) - 1 else np.nan
    end = curve.starts[-1]
    latest = date_of(curve.step_below(np.log(1 - 0.8 * (1 - np.exp(end)))) if end < 0 else None)
    expected = [
        date_of(None if np.isnan(given) else _not_before(curve, start, given + np.log(left))) for left in (0.5, 0.2)
    ]
    chances = [1 - np.exp(curve.at(round(STEPS * (np.log(days + h) - scale), 6)) - staying) for h in HORIZONS]
    gaps = one.number  # type: ignore[attr-defined]
    return [
        days,
        scale,
        gaps,
        basis,
        gaps,
        last,
        days,
        round(np.exp(scale), 1) if gaps else np.nan,
        latest,
        None if latest is None else latest < day,
        *[None if date is None else max(date, day) for date in expected],
        *chances,
    ]


def _not_before(curve: Curve, start: int, value: float) -> int | None:
    found = curve.step_below(value)
    return None if found is None else max(found, curve.first + start + 1)


def calibration(told: pd.DataFrame, orders: pd.DataFrame, day: pd.Timestamp) -> pd.DataFrame:
    """Return what was said on a day beside who ordered, per basis, horizon and band."""
    valid = orders[orders["is_valid_order"] & (orders["purchased_at"] >= day)]
    following = valid.groupby("customer_id")["purchased_at"].min()
    waited = (told["customer_id"].map(following).dt.normalize() - day).dt.days
    rows = []
    for horizon in HORIZONS:
        said = told[f"order_probability_{horizon}_days"].round(6)
        frame = pd.DataFrame({"basis": told["basis"], "said": said, "came": waited < horizon})[said.notna()]
        frame["band"] = np.array(BAND_NAMES)[np.searchsorted(BANDS, frame["said"], side="right") - 1]
        for keys, part in [
            *frame.groupby(["basis", "band"]),
            *(((basis, "all"), part) for basis, part in frame.groupby("basis")),
        ]:
            if len(part) >= MIN_WAITING:
                rows.append([keys[0], horizon, keys[1], len(part), part["said"].mean(), part["came"].sum()])
    return pd.DataFrame(
        rows, columns=["basis", "horizon_days", "probability_band", "people", "predicted_share", "people_who_ordered"]
    )
