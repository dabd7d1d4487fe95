"""Several horizons of the same people agree, and the horizon of the marts is what it is without the others."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_scoring_warehouse import read, run

from scoring.horizons import agree, in_turn

pytestmark = pytest.mark.rows_only

HORIZONS = (30, 90, 180, 365)


def test_horizons_agree_with_their_neighbours_from_the_first_one_outwards() -> None:
    assert in_turn([365, 30, 90, 180], 90) == [(180, 90), (365, 180), (30, 90)]
    assert in_turn([90], 90) == []


@given(st.integers(0, 3), st.lists(st.lists(st.floats(0, 9), min_size=3, max_size=3), min_size=4, max_size=4))
def test_values_grow_with_the_horizon_and_those_of_the_first_stay(first: int, values: list[list[float]]) -> None:
    given_values = {horizon: np.array(one) for horizon, one in zip(HORIZONS, values, strict=True)}
    found = agree(given_values, HORIZONS[first])
    assert (found[HORIZONS[first]] == given_values[HORIZONS[first]]).all()
    assert (np.diff(np.array([found[horizon] for horizon in HORIZONS]), axis=0) >= 0).all()
    # what grew already is left alone
    assert all((agree(found, HORIZONS[first])[horizon] == found[horizon]).all() for horizon in HORIZONS)


def test_horizons_are_scored_by_one_command_each_with_its_card(published_warehouse: Path, tmp_path: Path) -> None:
    """The horizon of the marts is applied, the others are judged and fitted, and change nothing of it."""
    for name in ("build.duckdb", "churn_model.json"):
        shutil.copy(published_warehouse / name, tmp_path)
    told = run([sys.executable, "-m", "scoring", "--horizon", "30", "180", "365"], tmp_path)
    assert "horizons of 30, 90, 180, 365 days" in told
    for horizon in (30, 180, 365):
        card = (tmp_path / f"model_card_{horizon}d.md").read_text()
        assert card.startswith(f"# Churn model, {horizon} days")
    versions = read(tmp_path, "select horizon_days, model_version from scores.churn_model order by 1")
    assert [row[0] for row in versions] == list(HORIZONS)
    for table in ("customer_churn_scores", "churn_model_metrics", "forecast_drift", "churn_feature_effects"):
        own = f"select * from scores.{table} where horizon_days = 90 order by all"
        assert read(tmp_path, own) == read(published_warehouse, own), table
    falls = read(
        tmp_path,
        """
        with following as (
            select *,
                lag(churn_probability) over horizons as shorter_churn,
                lag(expected_orders) over horizons as shorter_orders,
                lag(expected_revenue) over horizons as shorter_revenue,
                lag(usual_revenue) over horizons as shorter_usual
            from scores.customer_churn_scores
            window horizons as (partition by customer_id order by horizon_days)
        )
        select
            count(*) > 1000,
            count(*) filter (
                churn_probability > shorter_churn or expected_orders < shorter_orders
                or expected_revenue < shorter_revenue or usual_revenue < shorter_usual
            ),
            count(*) filter (value_at_risk <> greatest(round(usual_revenue - expected_revenue, 2), 0))
        from following
        """,
    )
    assert falls == [(True, 0, 0)]
    # and a run of the own horizon alone leaves nothing of the others behind
    run([sys.executable, "-m", "scoring"], tmp_path)
    assert read(tmp_path, "select distinct horizon_days from scores.customer_churn_scores") == [(90,)]
    assert not list(tmp_path.glob("model_card_*"))
