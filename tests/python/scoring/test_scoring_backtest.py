"""What closed windows say of forecast, rankings and bands, and what a contact must bring: numbers done by hand."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pytest
from builds import mart, query

from scoring.backtest import RANK_BANDS, RankBands, band_rows, decision_rows, forecast_rows, ranking_rows
from scoring.cutoffs import Origin, Plan
from scoring.features import FeatureTable
from scoring.fitting import Snapshot
from scoring.models.btyd import Pace
from scoring.run import Choice, Judged, Outcome
from scoring.value import ValueModel

DAY = date(2020, 1, 1)
SETTINGS = {"churn_contact_cost": 0.7, "churn_kept_customer_value": 0.0, "churn_margin_share": 0.2}
PEOPLE = 2_000


def outcome() -> Outcome:
    """Give 2,000 people: the longer ago the last order the likelier gone; every fiftieth returns and pays 100."""
    number = np.arange(PEOPLE)
    features = FeatureTable(
        PEOPLE,
        {
            "recency_days": np.linspace(1.0, 201.0, PEOPLE, endpoint=False),
            "tenure_days": np.full(PEOPLE, 300.0),
            "order_count": np.where(number % 4 == 0, 2.0, 1.0),
            "monetary_mean": np.where(number < 20, 1_000.0, 100.0),
            "monetary_total": np.where(number < 20, 1_000.0, 100.0),
        },
        {},
    )
    back = number % 50 == 0
    window = np.full(PEOPLE, DAY.toordinal())
    snapshot = Snapshot(
        features, np.where(back, 5.0, np.nan), number % 1000, number, window, back.astype(float), 100.0 * back
    )
    value = ValueModel((1.0, 1.0, 1.0, 1.0), 100.0, 1e9, 1.0, Pace(0.1, 900.0))
    judged = Judged(
        "test",
        Origin(DAY, ()),
        {},
        {"shipped": np.linspace(0.97, 0.99, PEOPLE, endpoint=False)},
        snapshot,
        value,
        {},
    )
    found = Outcome(date(2020, 4, 1), 90, Plan(None, None, ()), [judged])
    found.choice = Choice("shipped", "for the test")
    return found


def test_bands_hold_their_share_and_equals_share_the_later_band() -> None:
    churn = np.round(np.arange(1_000) / 1_000, 6)
    placed = RankBands.learn(churn).place(churn)
    assert [int((placed == name).sum()) for _, name in RANK_BANDS] == [10, 40, 150, 300]
    assert set(placed[:10]) == {"top 1 %"}
    # fifteen equals cannot be in the first hundredth of 1,000
    churn[:15] = 0.0
    placed = RankBands.learn(churn).place(churn)
    assert "top 1 %" not in placed
    assert set(placed[:50]) == {"1 to 5 %"}


def test_where_everyone_is_equal_nobody_is_in_front_and_the_lift_is_one() -> None:
    bands = RankBands.learn(np.full(100, 0.9))
    assert set(bands.place(np.full(100, 0.9))) == {"rest"}
    assert bands.lift(np.array([0.9, 0.8])) == pytest.approx([1.0, 2.0])


def test_the_tenths_add_up_to_everyone() -> None:
    rows = forecast_rows(outcome())
    everyone = next(row for row in rows if row["decile"] == 0)
    tenths = [row for row in rows if row["decile"]]
    for column in ("customers", "expected_occasions", "actual_occasions", "expected_revenue", "actual_revenue"):
        assert sum(row[column] for row in tenths) == pytest.approx(everyone[column])
    assert everyone["actual_revenue"] == 40 * 100
    assert everyone["actual_revenue_low"] == pytest.approx(4_000 - 1.96 * 100 * 40**0.5, abs=1)
    assert everyone["expected_revenue"] == pytest.approx(100 * (0.03 - 0.00001 * np.arange(PEOPLE)).sum())


def test_each_ranking_puts_its_own_people_first() -> None:
    found = {(row["ranking"], row["reach"]): row for row in ranking_rows(outcome())}
    assert found["return_probability", "1 %"]["people"] == 20
    assert found["return_probability", "1 %"]["returned"] == 1
    assert found["recency", "first 1,000"]["returned"] == 20
    assert found["recency", "first 1,000"]["paid"] == 2_000
    # those with two orders have the faster pace: 500 of them, every twenty-fifth returns
    assert found["value_at_risk", "20 %"]["returned"] == pytest.approx(400 / 25, abs=3)
    for ranking in ("return_probability", "expected_revenue", "value_at_risk", "recency", "monetary"):
        assert found[ranking, "everyone"]["returned"] == 40


def test_each_band_has_its_measured_rate() -> None:
    rows = {row["label"]: row for row in band_rows(outcome())}
    assert sum(row["people"] for row in rows.values()) == PEOPLE
    assert rows["rest"]["returned"] == 20
    assert rows["rest"]["return_rate_low"] < 0.02 < rows["rest"]["return_rate_high"]


def test_a_contact_pays_from_its_cost_over_what_a_kept_customer_is_worth() -> None:
    rows = decision_rows(outcome(), SETTINGS)
    first = rows[0]
    assert (first["contacted_share"], first["contacted_customers"], first["contact_cost"]) == (0.01, 20, 14.0)
    assert first["kept_customer_value"] == pytest.approx(0.2 * 100)
    assert first["break_even_uplift"] == pytest.approx(0.035)
    assert first["reading"] == "pays if at least 35 of 1,000 contacted come back because of it"
    assert not first["is_break_even_provable"]
    half = next(row for row in rows if row["contacted_share"] == 0.5)
    assert half["smallest_provable_uplift"] < 0.035
    assert half["is_break_even_provable"]
    own = decision_rows(outcome(), {**SETTINGS, "churn_kept_customer_value": 0.1})
    assert np.isnan(own[0]["break_even_uplift"])
    assert own[0]["reading"].startswith("cannot pay")


def test_the_smallest_uplift_is_the_one_that_a_test_shows_four_times_out_of_five() -> None:
    half = next(row for row in decision_rows(outcome(), SETTINGS) if row["contacted_share"] == 0.5)
    count, rate, uplift = 500, half["return_rate"], half["smallest_provable_uplift"]
    draw = np.random.default_rng(2)
    alone = draw.binomial(count, rate, 4_000) / count
    contacted = draw.binomial(count, rate + uplift, 4_000) / count
    mean = (alone + contacted) / 2
    shown = (contacted - alone) / np.sqrt(2 * mean * (1 - mean) / count) > 1.96
    assert shown.mean() == pytest.approx(0.8, abs=0.03)


def test_what_is_published_is_consistent(published_warehouse: Path) -> None:
    found = query(
        published_warehouse,
        """
        select
            sum(expected_revenue) as expected,
            sum(usual_revenue) as usual,
            sum(value_at_risk) as at_risk,
            avg(return_lift) as lift,
            count(*) filter (return_rank_band = 'top 1 %') / count(*) as first,
            count(reason_1) as with_reason,
            count(risk_reason_1) as with_risk_reason,
            count(*) filter (risk_reason_1 like '%(lowers%' or risk_reason_2 like '%(lowers%') as lowering
        from marts.customer_360
        """,
    ).iloc[0]
    assert found["lift"] == pytest.approx(1.0, abs=1e-4)
    assert found["first"] <= 0.01
    assert found["lowering"] == 0
    assert (found["with_risk_reason"] > 0) == (found["with_reason"] > 0)
    # money of the same size as what a window brings: nothing that sums to a shop's whole past
    forecast = mart(published_warehouse, "marts.forecast_calibration", "cutoff_date, decile")
    seen = forecast[forecast["decile"] == 0]["actual_revenue"]
    for name in ("expected", "usual", "at_risk"):
        assert found[name] < 3 * seen.max(), name


@pytest.mark.real
def test_the_real_files_forecast_what_came_and_rank_better_than_recency(olist_warehouse: Path) -> None:
    forecast = mart(olist_warehouse, "marts.forecast_calibration", "cutoff_date, decile")
    everyone = forecast[forecast["decile"] == 0]
    assert len(everyone) == 4
    ratio = everyone["expected_revenue"] / everyone["actual_revenue"]
    assert ((ratio > 0.5) & (ratio < 2)).all()
    money = query(olist_warehouse, "select sum(usual_revenue), sum(value_at_risk) from marts.customer_360").iloc[0]
    assert (money < 2.5 * everyone["actual_revenue"].max()).all()
    ranking = mart(olist_warehouse, "marts.ranking_backtest", "cutoff_date").query("reach == 'first 1,000'")
    returned = ranking.pivot_table(index="cutoff_date", columns="ranking", values="returned")
    for name in ("return_probability", "expected_revenue", "value_at_risk"):
        assert (returned[name] > returned["recency"]).all(), name
    bands = mart(olist_warehouse, "scores.return_band_backtest", "cutoff_date")
    for _, window in bands.groupby("cutoff_date"):
        rate = window.set_index("label")["return_rate"]
        assert rate["top 1 %"] > 3 * rate["rest"]
