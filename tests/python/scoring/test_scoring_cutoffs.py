"""No origin learns from a window that had not closed on its day."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.cutoffs import make_plan, with_history

AS_OF = date(2018, 10, 18)


def every(step: int, count: int) -> list[date]:
    return [AS_OF - timedelta(days=step * k) for k in range(count + 1)]


@given(step=st.integers(7, 200), count=st.integers(0, 12), horizon=st.integers(1, 400))
def test_what_is_learned_from_had_closed(step: int, count: int, horizon: int) -> None:
    plan = make_plan(every(step, count), AS_OF, horizon)
    window = timedelta(days=horizon)
    origins = [origin for _, origin in plan.judged] + ([plan.final] if plan.final else [])
    for origin in origins:
        assert all(cutoff + window <= origin.cutoff for cutoff in (*origin.training, *origin.calibration))
        if not origin.is_split_by_people:
            assert all(cutoff + window <= origin.calibration[0] for cutoff in origin.training)
    for _, origin in plan.judged:
        assert origin.cutoff + window <= AS_OF
    if plan.validation and plan.test:
        assert plan.validation.cutoff + window <= plan.test.cutoff


def test_the_default_cut_offs_have_a_cut_off_for_every_purpose() -> None:
    plan = make_plan(every(90, 7), AS_OF, 90)
    assert [(role, (AS_OF - origin.cutoff).days) for role, origin in plan.judged] == [
        ("backtest", 270),
        ("validation", 180),
        ("test", 90),
    ]
    assert plan.final is not None
    assert plan.final.calibration == (AS_OF - timedelta(days=90),)
    assert len(plan.final.training) == 6


def test_a_longer_horizon_splits_by_people_where_no_cut_off_can_be_spared() -> None:
    plan = make_plan(every(90, 7), AS_OF, 180)
    assert len(plan.judged) == 3
    assert plan.test is not None
    assert plan.test.is_split_by_people
    assert len(plan.test.training) == 4
    assert plan.final is not None
    assert not plan.final.is_split_by_people


@pytest.mark.parametrize(("count", "horizon"), [(0, 90), (1, 91)])
def test_a_history_shorter_than_the_horizon_has_no_plan(count: int, horizon: int) -> None:
    plan = make_plan(every(90, count), AS_OF, horizon)
    assert plan.final is None
    assert plan.judged == ()


def test_one_closed_window_is_enough_to_score_but_not_to_judge() -> None:
    plan = make_plan(every(90, 1), AS_OF, 90)
    assert plan.final is not None
    assert plan.final.is_split_by_people
    assert plan.judged == ()


def test_cut_offs_of_a_shop_younger_than_the_horizon_are_left_out() -> None:
    as_of = date(2020, 12, 1)
    history = {as_of - timedelta(days=90 * k): 400 - 90 * k for k in range(5)}
    assert with_history(history, as_of, 90) == [as_of - timedelta(days=90 * k) for k in range(4)]


def test_a_young_shop_learns_from_what_it_has() -> None:
    as_of = date(2020, 12, 1)
    history = {as_of: 150, as_of - timedelta(days=90): 60}
    assert with_history(history, as_of, 90) == list(history)
