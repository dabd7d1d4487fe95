"""Settings proposed from a shop's data."""

from __future__ import annotations

from pathlib import Path

import pytest
from builds import run

from pipeline.propose import frequency_thresholds, horizon_days


@pytest.mark.parametrize(
    ("customers", "thresholds"),
    [
        ({1: 50, 2: 10, 3: 10, 4: 10, 5: 10}, [1, 2, 3, 4, 5]),
        ({1: 5, 10: 25, 20: 25, 30: 25, 40: 25}, [1, 10, 20, 30, 40]),
        ({1: 7}, [1, 2, 3, 4, 5]),
        ({9: 100}, [1, 9, 10, 11, 12]),
        ({}, [1, 2, 3, 4, 5]),
    ],
)
def test_thresholds_are_fifths_of_those_who_came_back(customers: dict[int, int], thresholds: list[int]) -> None:
    assert frequency_thresholds(customers) == thresholds


@pytest.mark.parametrize(
    ("gaps", "history", "days"),
    [
        ([7] * 10, 400, 30),
        ([7] * 7 + [80] * 3, 400, 90),
        ([300] * 10, 400, 90),
        ([300] * 10, 3000, 365),
        ([300], 20, 30),
    ],
)
def test_the_horizon_sees_most_returns_and_fits_into_the_history(gaps: list[int], history: int, days: int) -> None:
    assert horizon_days(gaps, history) == days


def test_proposing_needs_something_published(tmp_path: Path) -> None:
    answer = run(tmp_path, tmp_path / "warehouse", "propose")
    assert answer.returncode != 0
    assert "Nothing is published yet" in answer.stderr


def test_a_proposal_can_be_pasted(published_warehouse: Path, demo_raw: Path) -> None:
    answer = run(demo_raw, published_warehouse, "propose")
    assert answer.returncode == 0, answer.stderr
    assert "frequency" in answer.stdout
    assert "horizon" in answer.stdout
