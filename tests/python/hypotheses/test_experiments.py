"""Two arms compared from their sums: against the books, another library, and campaigns of known truth."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from hypotheses import experiments
from hypotheses.campaigns import REVENUE, compare
from hypotheses.experiments import Estimate, Sums

CAMPAIGNS = 2000
TREATED, CONTROL = 3000, 1500
# Of 2,000 campaigns so many more or less are what chance leaves in 999 cases of 1,000.
NOISE = 3.3 * np.sqrt(0.05 * 0.95 / CAMPAIGNS)


def sums_of(outcome: np.ndarray, before: np.ndarray) -> Sums:
    """Sum over the last axis, as SQL does over people."""
    return Sums(
        np.asarray(float(outcome.shape[-1])),
        outcome.sum(-1),
        (outcome**2).sum(-1),
        before.sum(-1),
        (before**2).sum(-1),
        (outcome * before).sum(-1),
    )


def simulated(seed: int, uplift: float) -> tuple[Sums, Sums]:
    """Simulate revenue of many campaigns: few return, who paid before pays more, and the treated return more often."""
    rng = np.random.default_rng(seed)
    arms = []
    for people, effect in ((TREATED, uplift), (CONTROL, 0.0)):
        before = rng.exponential(1.0, (CAMPAIGNS, people))
        returns = rng.random((CAMPAIGNS, people)) < 0.1 * (1 + effect) * (0.5 + before / 2)
        arms.append(sums_of(np.where(returns, 50 + 30 * before, 0.0), before))
    return arms[0], arms[1]


def test_where_nothing_works_at_most_one_campaign_in_twenty_says_so() -> None:
    rng = np.random.default_rng(5)
    for rate in (0.01, 0.05, 0.3):
        treated, control = (rng.binomial(people, rate, CAMPAIGNS) for people in (TREATED, CONTROL))
        difference = experiments.share_difference(treated, TREATED, control, CONTROL)
        verdicts = experiments.judge(difference, np.ones(CAMPAIGNS), np.nan)
        assert np.isin(verdicts, ["worked", "harmed"]).mean() <= 0.05 + NOISE
        assert np.mean((difference.low <= 0) & (difference.high >= 0)) >= 0.95 - NOISE
    revenue, _, p_value = experiments.mean_difference(*simulated(6, 0.0))
    assert np.mean((revenue.low > 0) | (revenue.high < 0)) <= 0.05 + NOISE
    assert np.mean(p_value < 0.05) == pytest.approx(0.05, abs=NOISE)


def test_intervals_hold_the_truth_nineteen_times_in_twenty() -> None:
    rng = np.random.default_rng(7)
    treated, control = rng.binomial(TREATED, 0.06, CAMPAIGNS), rng.binomial(CONTROL, 0.05, CAMPAIGNS)
    counts = treated, TREATED, control, CONTROL
    for estimate, truth in (
        (experiments.share_difference(*counts), 0.01),
        (experiments.share_ratio(*counts), 1.2),
    ):
        assert np.mean((estimate.low <= truth) & (truth <= estimate.high)) >= 0.95 - NOISE
    # E[(0.5 + x / 2) (50 + 30 x)] of an exponential x is 25 + 25 + 15 + 30
    truth = 0.1 * 0.3 * 95
    revenue, ratio, _ = experiments.mean_difference(*simulated(8, 0.3))
    assert np.mean((revenue.low <= truth) & (truth <= revenue.high)) == pytest.approx(0.95, abs=NOISE)
    assert np.mean((ratio.low <= 1.3) & (ratio.high >= 1.3)) == pytest.approx(0.95, abs=NOISE)


def test_what_people_paid_before_makes_the_interval_narrower() -> None:
    treated, control = simulated(9, 0.0)
    without = [
        Sums(arm.people, arm.outcome, arm.outcome_squared, *([arm.before * 0] * 3)) for arm in (treated, control)
    ]
    adjusted, _, _ = experiments.mean_difference(treated, control)
    plain, _, _ = experiments.mean_difference(*without)
    assert np.mean(adjusted.high - adjusted.low) < 0.97 * np.mean(plain.high - plain.low)


def test_without_a_covariate_it_is_the_test_of_welch() -> None:
    rng = np.random.default_rng(1)
    first, second = rng.exponential(3, 40), rng.exponential(2, 55)
    nothing = np.zeros
    difference, _, p_value = experiments.mean_difference(sums_of(first, nothing(40)), sums_of(second, nothing(55)))
    expected = stats.ttest_ind(first, second, equal_var=False)
    interval = expected.confidence_interval()
    assert p_value == pytest.approx(expected.pvalue, abs=1e-12)
    assert (difference.low, difference.high) == pytest.approx((interval.low, interval.high), abs=1e-9)


def test_adjusted_means_are_those_of_another_library() -> None:
    tea_tasting = pytest.importorskip("tea_tasting")
    pyarrow = pytest.importorskip("pyarrow")
    rng = np.random.default_rng(2)
    before = rng.exponential(10, 900)
    variant = (rng.random(900) < 0.6).astype(int)
    revenue = np.where(rng.random(900) < 0.2, before + rng.exponential(20, 900) + 3 * variant, 0.0)
    table = pyarrow.table({"variant": variant, "revenue": revenue, "before": before})
    found = tea_tasting.Experiment(revenue=tea_tasting.Mean("revenue", covariate="before")).analyze(table)["revenue"]
    treated, control = (sums_of(revenue[variant == arm], before[variant == arm]) for arm in (1, 0))
    difference, _, p_value = experiments.mean_difference(treated, control)
    ours = difference.value, difference.low, difference.high, p_value
    theirs = found.effect_size, found.effect_size_ci_lower, found.effect_size_ci_upper, found.pvalue
    assert [float(figure) for figure in ours] == pytest.approx(theirs, rel=1e-9)


def test_a_share_has_the_intervals_of_the_books() -> None:
    # Newcombe (1998), table II, example (a): 56 of 70 against 48 of 80
    difference = experiments.share_difference(56, 70, 48, 80)
    assert [round(float(bound), 4) for bound in (difference.value, difference.low, difference.high)] == [
        0.2,
        0.0524,
        0.3339,
    ]
    ratio = experiments.share_ratio(56, 70, 48, 80)
    expected = stats.contingency.relative_risk(56, 70, 48, 80)
    interval = expected.confidence_interval()
    assert (float(ratio.value), float(ratio.low), float(ratio.high)) == pytest.approx(
        (expected.relative_risk, interval.low, interval.high)
    )
    table = [[56, 14], [48, 32]]
    assert float(experiments.share_p_value(56, 70, 48, 80)) == pytest.approx(
        stats.chi2_contingency(table, correction=False).pvalue
    )


def test_the_detectable_difference_is_found_four_times_in_five() -> None:
    rng = np.random.default_rng(3)
    difference = float(experiments.detectable_difference(0.05, TREATED, CONTROL))
    treated = rng.binomial(TREATED, 0.05 + difference, CAMPAIGNS)
    control = rng.binomial(CONTROL, 0.05, CAMPAIGNS)
    found = np.mean(experiments.share_p_value(treated, TREATED, control, CONTROL) < 0.05)
    assert found == pytest.approx(0.8, abs=0.03)
    # the same the other way round
    needed = experiments.people_needed(0.05, difference / 0.05, CONTROL / (TREATED + CONTROL))
    assert needed == pytest.approx(TREATED + CONTROL, rel=1e-3)


def test_nothing_is_promised_where_nothing_can_be_shown() -> None:
    assert np.isnan(experiments.detectable_difference(0.5, 3, 3))
    assert np.isnan(experiments.detectable_difference(0.0, 1000, 1000))
    assert experiments.people_needed(0.6, 1.0, 0.5) is None


def test_verdicts_follow_the_interval() -> None:
    estimate = Estimate(
        np.array([0.02, -0.02, 0.001, 0.01, 0.02]),
        np.array([0.01, -0.03, -0.004, -0.02, 0.01]),
        np.array([0.03, -0.01, 0.006, 0.04, 0.03]),
    )
    split = np.array([0.5, 0.5, 0.5, 0.5, 0.0005])
    assert experiments.judge(estimate, split, 0.01).tolist() == [
        "worked",
        "harmed",
        "no_effect_that_matters",
        "cannot_tell",
        "broken_split",
    ]


def arm(name: str, people: int, returned: int, revenue: float) -> dict[str, object]:
    zero = {"revenue_before": 0.0, "revenue_before_squared": 0.0, "revenue_product": 0.0}
    squared = revenue**2 / returned if returned else 0.0
    sums = {"people": people, "returned": returned, "revenue": revenue, "revenue_squared": squared, **zero}
    return {"launch_id": "one", "arm": name, **sums}


def test_a_launch_is_compared_when_it_is_over_and_not_before() -> None:
    launch = {"launch_id": "one", "is_over": True, "control_share": 0.5, "planned_difference": None}
    sums = [arm("treated", 1000, 100, 5000.0), arm("control", 1000, 50, 2500.0), arm("global_control", 90, 80, 1.0)]
    rate, revenue = compare([launch], sums)
    assert (rate.treated_value, rate.control_value, rate.ratio) == pytest.approx((0.1, 0.05, 2.0))
    assert rate.verdict == "worked"
    assert revenue.measure == REVENUE
    assert revenue.difference == pytest.approx(2.5)
    assert not compare([{**launch, "is_over": False}], sums)
    assert not compare([launch], sums[:1])


def test_nobody_returned_is_a_result_too() -> None:
    launch = {"launch_id": "one", "is_over": True, "control_share": 0.5, "planned_difference": 0.01}
    rate, revenue = compare([launch], [arm("treated", 50, 0, 0.0), arm("control", 50, 0, 0.0)])
    assert (rate.difference, rate.ratio, rate.verdict) == (0.0, None, "cannot_tell")
    assert revenue.p_value is None
