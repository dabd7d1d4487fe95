"""Every hypothesis' result equals scipy's on single observations from the raw files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from builds import mart
from conftest import Case
from recompute.hypotheses import Tests
from scipy import stats


@pytest.fixture(scope="module")
def recomputed(case: Case) -> Tests:
    return Tests(case.expected)


@pytest.mark.parametrize("hypothesis_id", range(1, 19))
def test_hypothesis_is_tested_as_scipy_does_on_single_observations(
    hypothesis_id: int, case: Case, recomputed: Tests
) -> None:
    published = mart(case.warehouse, "marts.hypothesis_results").set_index("hypothesis_id").loc[hypothesis_id]
    if np.isnan(published["statistic"]):
        # scipy refuses such samples too; that the real files have enough of everything is tested below
        pytest.skip("the shop is too small for this test")
    expected = recomputed.expected(hypothesis_id)
    assert published["n"] == expected.n
    assert published["statistic"] == pytest.approx(expected.statistic, rel=1e-8)
    assert published["p_value"] == pytest.approx(expected.p_value, rel=1e-5, abs=1e-300)
    assert published["effect_size"] == pytest.approx(expected.effect, rel=1e-8, abs=1e-12)


def test_adjustment_covers_every_test_made(case: Case) -> None:
    results = mart(case.warehouse, "marts.hypothesis_results", "hypothesis_id").dropna(subset=["p_value"])
    np.testing.assert_allclose(results["p_value_adjusted"], stats.false_discovery_control(results["p_value"]))


@pytest.mark.real
def test_the_real_files_have_enough_of_everything_to_test(olist_warehouse: Path) -> None:
    assert mart(olist_warehouse, "marts.hypothesis_results")["p_value"].notna().all()
