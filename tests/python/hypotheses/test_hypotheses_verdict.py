"""Verdicts come from the effect, its interval and the smallest effect of interest."""

from __future__ import annotations

import pytest
from simulated_shops import hypotheses

from hypotheses.count_statistics import Result
from hypotheses.judging import TESTS, Hypothesis, evaluate, verdict


@pytest.mark.parametrize(
    ("direction", "low", "high", "p_value_adjusted", "expected"),
    [
        ("positive", 0.10, 0.20, 0.001, "supported"),
        ("positive", 0.11, 0.20, 0.01, "inconclusive"),
        ("positive", 0.09, 0.20, 0.001, "inconclusive"),
        ("positive", 0.09, 0.18, 0.001, "at_threshold"),
        ("positive", 0.099, 0.101, 0.9, "at_threshold"),
        ("positive", -0.18, -0.09, 0.001, "at_threshold"),
        ("positive", -0.09, 0.09, 0.001, "negligible"),
        ("positive", 0.05, 0.10, 0.001, "at_threshold"),
        ("positive", -0.30, 0.30, 0.8, "inconclusive"),
        ("positive", -0.20, -0.10, 0.001, "rejected"),
        ("positive", -0.20, -0.05, 0.001, "inconclusive"),
        ("negative", -0.20, -0.10, 0.001, "supported"),
        ("negative", 0.10, 0.20, 0.001, "rejected"),
        ("negative", 0.10, 0.20, 0.02, "inconclusive"),
        ("negative", -0.05, 0.05, 0.9, "negligible"),
        ("different", 0.10, 0.20, 0.001, "supported"),
        ("different", 0.00, 0.05, 0.001, "negligible"),
        ("different", 0.00, 0.20, 0.001, "inconclusive"),
    ],
)
def test_verdict(direction: str, low: float, high: float, p_value_adjusted: float, expected: str) -> None:
    result = Result(100, 1.0, p_value_adjusted / 2, (low + high) / 2, low, high)
    assert verdict(Hypothesis(1, "rank_correlation", 0.1, direction), result, p_value_adjusted) == expected


@pytest.mark.parametrize(
    ("direction", "low", "high", "expected"),
    [
        ("positive", 0.95, 1.30, "inconclusive"),
        ("positive", 1.20, 1.30, "at_threshold"),
        ("positive", 1.25, 1.30, "supported"),
        ("positive", 0.81, 1.24, "negligible"),
        ("positive", 0.79, 1.24, "inconclusive"),
        ("positive", 0.60, 0.79, "rejected"),
        ("positive", 0.75, 0.85, "at_threshold"),
        ("negative", 0.60, 0.79, "supported"),
        ("different", 1.00, 1.10, "negligible"),
        ("different", 1.30, 1.60, "supported"),
    ],
)
def test_ratios_are_judged_by_their_logarithms(direction: str, low: float, high: float, expected: str) -> None:
    result = Result(100, 1.0, 1e-4, (low * high) ** 0.5, low, high)
    assert verdict(Hypothesis(11, "risk_ratio", 1.25, direction), result, 1e-3) == expected


def test_without_any_data_no_declared_hypothesis_is_tested() -> None:
    declared = hypotheses()
    tested = evaluate(declared, {})
    assert [row.hypothesis for row in tested] == declared
    assert {(row.result, row.p_value_adjusted, row.verdict) for row in tested} == {(Result(0), None, "not_tested")}


def test_eighteen_hypotheses_are_declared_each_with_a_known_test() -> None:
    declared = hypotheses()
    assert [row.hypothesis_id for row in declared] == list(range(1, 19))
    assert {row.test for row in declared} == set(TESTS)
    assert all(row.smallest_effect > 0 for row in declared)
