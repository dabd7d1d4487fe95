"""No origin learns from a window that had not closed on its day."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.cutoffs import apart, make_plan, with_history

AS_OF = date(2018, 10, 18)


def months(count: int) -> list[date]:
    """Return so many month ends before the day, told by the days after them."""
    return [date(2018 + (9 - k) // 12, (9 - k) % 12 + 1, 1) for k in range(count)]


@given(count=st.integers(0, 40), horizon=st.integers(1, 400))
def test_what_is_learned_from_had_closed(count: int, horizon: int) -> None:
    plan = make_plan(months(count), AS_OF, horizon)
    window = timedelta(days=horizon)
    origins = [origin for _, origin in plan.judged] + ([plan.final] if plan.final else [])
    for origin in origins:
        assert origin.known
        assert all(cutoff + window <= origin.cutoff for cutoff in origin.known)
    for _, origin in plan.judged:
        assert origin.cutoff + window <= AS_OF
    if plan.test:
        assert all(origin.cutoff + window <= plan.test.cutoff for origin in plan.validations)
    for earlier, later in pairwise(plan.validations):
        assert earlier.cutoff + window <= later.cutoff


@given(count=st.integers(1, 40), horizon=st.integers(1, 200), days=st.integers(0, 60))
def test_what_is_learned_from_changes_when_a_window_closes_and_on_no_other_day(
    count: int, horizon: int, days: int
) -> None:
    later = AS_OF + timedelta(days=days)
    before, after = make_plan(months(count), AS_OF, horizon), make_plan(months(count), later, horizon)
    closed = [cutoff for cutoff in months(count) if AS_OF < cutoff + timedelta(days=horizon) <= later]
    if before.final and not closed:
        assert after.final is not None
        assert (before.final.known, before.judged) == (after.final.known, after.judged)


def test_two_years_have_a_cut_off_for_every_purpose() -> None:
    plan = make_plan(months(24), AS_OF, 90)
    assert [(role, origin.cutoff.isoformat()) for role, origin in plan.judged] == [
        ("validation", "2017-07-01"),
        ("validation", "2017-10-01"),
        ("validation", "2018-01-01"),
        ("validation", "2018-04-01"),
        ("test", "2018-07-01"),
    ]
    assert plan.final is not None
    assert plan.final.known[-1] == date(2018, 7, 1)
    assert len(plan.final.known) == 21


def test_windows_apart_do_not_overlap() -> None:
    assert apart(months(12), 90) == [date(2018, 1, 1), date(2018, 4, 1), date(2018, 7, 1), date(2018, 10, 1)]
    assert apart([], 90) == []


@pytest.mark.parametrize(("count", "horizon"), [(0, 90), (3, 90)])
def test_a_history_shorter_than_the_horizon_has_no_plan(count: int, horizon: int) -> None:
    plan = make_plan(months(count), AS_OF, horizon)
    assert plan.final is None
    assert plan.judged == ()


def test_one_closed_window_is_enough_to_score_but_not_to_judge() -> None:
    plan = make_plan(months(4), AS_OF, 90)
    assert plan.final is not None
    assert plan.judged == ()


def test_cut_offs_of_a_shop_younger_than_the_horizon_are_left_out() -> None:
    as_of = date(2020, 12, 1)
    history = {as_of - timedelta(days=90 * k): 400 - 90 * k for k in range(5)}
    assert with_history(history, as_of, 90) == [as_of - timedelta(days=90 * k) for k in range(4)]


def test_a_young_shop_learns_from_what_it_has() -> None:
    as_of = date(2020, 12, 1)
    history = {as_of: 150, as_of - timedelta(days=90): 60}
    assert with_history(history, as_of, 90) == list(history)
