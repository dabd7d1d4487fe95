"""Forecast held against what happened: numbers done by hand, a shop that changes, and a model that hears of it."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builds import mart, query

from scoring.calibration import expit
from scoring.cutoffs import Origin, Plan
from scoring.drift import USUAL_SPREAD, drift_rows, warning
from scoring.features import FeatureTable
from scoring.fitting import RECENCY_ONLY, Snapshot
from scoring.models.btyd import Pace
from scoring.run import Choice, Judged, Outcome, Run
from scoring.value import ValueModel

PEOPLE = 4_000
SETTINGS = {"churn_band_medium_min": 0.5, "churn_band_high_min": 0.8}
MONTHS = [date(2019 + number // 12, number % 12 + 1, 1) for number in range(18)]
AS_OF = date(2020, 9, 15)  # three months and some days after the last of them: its window has closed


@pytest.fixture(autouse=True)
def a_year_of_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scoring.cutoffs.WATCHED", 12)


def people(cutoff: date, chance: float) -> Snapshot:
    """Give people of whom those who bought lately come back the sooner, by a level."""
    draw = np.random.default_rng(cutoff.toordinal())
    recency = np.round(draw.uniform(1.0, 300.0, PEOPLE))
    numbers = {
        "recency_days": recency,
        "tenure_days": recency + 100.0,
        "order_count": np.full(PEOPLE, 1.0),
        "monetary_mean": np.full(PEOPLE, 50.0),
        "monetary_total": np.full(PEOPLE, 50.0),
    }
    back = draw.random(PEOPLE) < expit(np.log(chance / (1 - chance)) + 1.0 - recency / 150.0)
    number = np.arange(PEOPLE) + PEOPLE * (cutoff.year * 12 + cutoff.month)
    return Snapshot(
        FeatureTable(PEOPLE, numbers, {}),
        np.where(back, 5.0, np.nan),
        number % 1000,
        number,
        np.full(PEOPLE, cutoff.toordinal()),
        back.astype(float),
        np.where(back, 50.0, 0.0),
    )


def followed(levels: dict[date, float]) -> tuple[Run, list[dict[str, Any]]]:
    """Hold the forecast of every month against what happened, and fit on all of them."""
    run = Run(lambda day: people(day, levels[day]), MONTHS, AS_OF, 90, settings=SETTINGS)
    run.outcome.choice = Choice(RECENCY_ONLY, "for the test")
    run.ship()
    run.watch()
    return run, drift_rows(run.outcome)


def together(rows: list[dict[str, Any]]) -> dict[date, dict[str, Any]]:
    return {row["cutoff_date"]: row for row in rows if row["band"] == "everyone"}


def test_a_shop_that_goes_on_as_before_stays_within_its_intervals() -> None:
    run, rows = followed(dict.fromkeys(MONTHS, 0.2))
    found = together(rows)
    assert list(found) == MONTHS[-12:]
    assert [row["returns_verdict"] for row in found.values()] == ["as expected"] * 12
    assert [row["revenue_verdict"] for row in found.values()] == ["as expected"] * 12
    assert warning(rows) is None
    for cutoff, row in found.items():
        assert all(origin.known[-1] < cutoff for origin in run.outcome.plan.watched if origin.cutoff == cutoff)
        bands = [one for one in rows if one["cutoff_date"] == cutoff and one["band"] != "everyone"]
        for column in ("customers", "expected_returns", "actual_returns", "expected_revenue", "actual_revenue"):
            assert sum(one[column] for one in bands) == pytest.approx(row[column])


def test_a_shop_that_falls_is_told_of_and_the_model_of_that_run_follows() -> None:
    fallen = {day: 0.2 if day < MONTHS[-1] else 0.1 for day in MONTHS}
    run, rows = followed(fallen)
    last = together(rows)[MONTHS[-1]]
    assert (last["returns_verdict"], last["revenue_verdict"]) == ("below", "below")
    told = warning(rows)
    assert told is not None
    assert f"The window from {MONTHS[-1]} lies outside" in told
    assert "customers came back where" in told and "were paid where" in told
    # the model that was fitted with that window expects less of the next one than the one that had not seen it
    steady, _ = followed(dict.fromkeys(MONTHS, 0.2))
    table = people(MONTHS[-1], 0.1).features
    shipped, before = run.outcome.shipped, steady.outcome.shipped
    assert shipped is not None and before is not None
    assert (1 - shipped.churn_probability(table)).sum() < 0.9 * (1 - before.churn_probability(table)).sum()


def test_the_interval_is_chance_and_the_usual_distance_of_windows() -> None:
    day = date(2020, 1, 1)
    number = np.arange(PEOPLE)
    table = FeatureTable(
        PEOPLE,
        {"order_count": np.full(PEOPLE, 1.0), "monetary_mean": np.full(PEOPLE, 50.0), "tenure_days": number + 1.0}
        | {"recency_days": number + 1.0, "monetary_total": np.full(PEOPLE, 50.0)},
        {},
    )
    back = number % 10 == 0
    snapshot = Snapshot(
        table,
        np.where(back, 5.0, np.nan),
        number % 1000,
        number,
        number * 0,
        back.astype(float),
        np.where(back, 50.0, 0.0),
    )
    value = ValueModel((1.0, 1.0, 1.0, 1.0), 50.0, 1e9, 1.0, Pace(0.1, 900.0))
    outcome = Outcome(date(2020, 4, 1), 90, Plan(None, None, ()))
    outcome.watched = [Judged("watched", Origin(day, ()), {}, {"one": np.full(PEOPLE, 0.9)}, snapshot, value, {})]
    outcome.choice = Choice("one", "for the test")
    (row,) = [row for row in drift_rows(outcome) if row["band"] == "everyone"]
    assert (row["expected_returns"], row["actual_returns"], row["returns_verdict"]) == (400, 400, "as expected")
    reach = 1.96 * (PEOPLE * 0.1 * 0.9 + (USUAL_SPREAD * 400) ** 2) ** 0.5
    assert row["expected_returns_high"] - 400 == pytest.approx(reach, rel=1e-3)
    # everyone pays the same: the money varies as the returns do
    assert row["expected_revenue_high"] - 20_000 == pytest.approx(50 * reach, rel=1e-3)


def test_the_mart_holds_the_windows_of_a_real_build(published_warehouse: Path) -> None:
    rows = mart(published_warehouse, "marts.forecast_drift", "cutoff_date, band")
    assert 3 <= rows["cutoff_date"].nunique() <= 7
    everyone = rows[rows["band"] == "everyone"]
    judged = query(
        published_warehouse,
        """
        select cutoff_date, retained_customers, (1 - mean_churn_probability) * customers as expected
        from marts.churn_model_metrics
        where is_shipped
        """,
    )
    both = everyone.merge(judged, on="cutoff_date")
    assert len(both) == len(judged) > 1
    assert (both["actual_returns"] == both["retained_customers"]).all()
    assert both["expected_returns"].to_numpy() == pytest.approx(both["expected"].to_numpy(), rel=1e-6)
    assert (everyone["returns_verdict"] == "as expected").mean() > 0.6
