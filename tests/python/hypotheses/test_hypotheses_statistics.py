"""The statistics on value counts equal scipy's on single observations, and their intervals hold what they promise."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy import optimize, stats

from hypotheses import count_statistics as statistics
from hypotheses.count_statistics import Floats, Result

Draw = Callable[[np.random.Generator], tuple[Floats, Floats]]


def counted(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, Floats, Floats]:
    """Value counts of two aligned columns."""
    pairs: dict[tuple[object, float], int] = {}
    for pair in zip(x.tolist(), y.tolist(), strict=True):
        pairs[pair] = pairs.get(pair, 0) + 1
    return (
        np.array([pair[0] for pair in pairs], dtype=x.dtype),
        np.array([pair[1] for pair in pairs], dtype=np.float64),
        np.array(list(pairs.values()), dtype=np.float64),
    )


def tied(seed: int, size: int = 400, top: int = 6) -> tuple[Floats, Floats]:
    """Two related columns with many equal values."""
    random = np.random.default_rng(seed)
    x = random.integers(0, top, size).astype(float)
    return x, np.round(x * 0.2 + random.normal(size=size), 1)


def close(result: Result, statistic: float, p_value: float) -> None:
    assert result.statistic == pytest.approx(statistic, rel=1e-9)
    assert result.p_value == pytest.approx(p_value, rel=1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_rank_correlation_is_scipys_spearman(seed: int) -> None:
    x, y = tied(seed)
    expected = stats.spearmanr(x, y)
    close(statistics.rank_correlation(*counted(x, y)), expected.statistic, expected.pvalue)


@pytest.mark.parametrize("seed", range(5))
def test_mann_whitney_is_scipys(seed: int) -> None:
    x, y = tied(seed, top=2)
    result = statistics.mann_whitney(*counted(x, y))
    expected = stats.mannwhitneyu(y[x == 1], y[x == 0], method="asymptotic", use_continuity=False)
    close(result, expected.statistic, expected.pvalue)
    pairs = np.sign(y[x == 1][:, None] - y[x == 0][None, :])
    assert result.effect_size == pytest.approx(pairs.mean(), abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_kruskal_wallis_is_scipys(seed: int) -> None:
    x, y = tied(seed)
    names = np.array([f"group {int(value)}" for value in x])
    expected = stats.kruskal(*(y[x == value] for value in np.unique(x)))
    close(statistics.kruskal_wallis(*counted(names, y)), expected.statistic, expected.pvalue)


def test_kruskal_wallis_leaves_out_groups_that_are_too_small() -> None:
    x, y = tied(1)
    names = np.array([f"group {int(value)}" for value in x])
    names[:4] = "tiny"
    result = statistics.kruskal_wallis(*counted(names, y))
    expected = stats.kruskal(*(y[names == name] for name in np.unique(names) if name != "tiny"))
    assert result.n == 396
    close(result, expected.statistic, expected.pvalue)


@pytest.mark.parametrize("seed", range(5))
def test_independence_is_scipys_chi_square(seed: int) -> None:
    random = np.random.default_rng(seed)
    x, y = random.integers(0, 7, 600).astype(float), random.integers(0, 2, 600).astype(float)
    table = np.array([[np.sum((x == a) & (y == b)) for b in range(2)] for a in range(7)])
    expected = stats.chi2_contingency(table, correction=False)
    close(statistics.independence(*counted(x, y)), expected.statistic, expected.pvalue)


def test_goodness_of_fit_is_scipys_chi_square_against_the_exposure() -> None:
    orders = np.array([120.0, 90, 100, 80, 150, 70, 0])
    days = np.array([10.0, 9, 9, 9, 9, 9, 9])
    expected = stats.chisquare(orders, days / days.sum() * orders.sum())
    close(statistics.goodness_of_fit(days, orders), expected.statistic, expected.pvalue)


@pytest.mark.parametrize("seed", range(5))
def test_risk_ratio_tests_like_the_chi_square_of_two_shares(seed: int) -> None:
    random = np.random.default_rng(seed)
    x = random.integers(0, 2, 500).astype(float)
    y = (random.random(500) < 0.1 + 0.05 * x).astype(float)
    result = statistics.risk_ratio(*counted(x, y))
    table = np.array([[np.sum((x == a) & (y == b)) for b in range(2)] for a in range(2)])
    expected = stats.chi2_contingency(table, correction=False)
    close(result, expected.statistic, expected.pvalue)
    ratio = stats.contingency.relative_risk(table[1, 1], table[1].sum(), table[0, 1], table[0].sum())
    assert result.effect_size == pytest.approx(ratio.relative_risk)
    interval = ratio.confidence_interval(0.95)
    assert (result.effect_low, result.effect_high) == pytest.approx((interval.low, interval.high))


def test_a_risk_ratio_without_any_outcome_in_a_group_is_not_given() -> None:
    columns = np.array([1.0, 1, 0]), np.array([1.0, 0, 0]), np.array([30.0, 70, 100])
    assert statistics.risk_ratio(*columns) == Result(200)


def test_rate_trend_solves_the_likelihood_equations_and_keeps_ties_together() -> None:
    random = np.random.default_rng(4)
    x = random.integers(0, 6, 900).astype(float)
    y = (random.random(900) < 0.3 - 0.03 * x).astype(float)
    result = statistics.rate_trend(*counted(x, y))
    rank = (stats.rankdata(x) - 0.5) / 900
    slope = -np.log(result.effect_size or 0) / 0.75
    # the intercept that fits the total; the slope must then fit the total of the ranks too
    share = np.exp(slope * rank) * y.sum() / np.exp(slope * rank).sum()
    assert (rank * (y - share)).sum() == pytest.approx(0, abs=1e-6)


def test_rate_trend_has_no_line_where_the_outcome_lies_at_one_end() -> None:
    x = np.array([0.0, 1, 2, 3])
    assert statistics.rate_trend(x, (x == 0).astype(float), np.full(4, 50.0)) == Result(200)


@pytest.mark.parametrize("seed", range(5))
def test_ratio_of_means_tests_like_scipys_welch(seed: int) -> None:
    random = np.random.default_rng(seed)
    x = random.integers(0, 2, 300).astype(float)
    y = np.round(random.lognormal(0.2 * x, 0.5), 2)
    result = statistics.ratio_of_means(*counted(x, y))
    expected = stats.ttest_ind(y[x == 1], y[x == 0], equal_var=False)
    close(result, expected.statistic, expected.pvalue)
    assert result.effect_size == pytest.approx(y[x == 1].mean() / y[x == 0].mean())


@pytest.mark.parametrize("seed", range(5))
def test_mean_difference_is_scipys_welch(seed: int) -> None:
    x, y = tied(seed, top=2)
    result = statistics.mean_difference(*counted(x, y))
    expected = stats.ttest_ind(y[x == 1], y[x == 0], equal_var=False)
    close(result, expected.statistic, expected.pvalue)
    interval = expected.confidence_interval()
    assert (result.effect_low, result.effect_high) == pytest.approx((interval.low, interval.high))


@pytest.mark.parametrize("seed", range(5))
def test_linear_trend_is_the_least_squares_slope_with_whites_error(seed: int) -> None:
    x, y = tied(seed)
    result = statistics.linear_trend(*counted(x, y))
    design = np.column_stack([np.ones_like(x), x])
    inverse = np.linalg.inv(design.T @ design)
    coefficients = inverse @ design.T @ y
    residual = y - design @ coefficients
    covariance = inverse @ (design.T * residual**2) @ design @ inverse * x.size / (x.size - 2)
    assert result.effect_size == pytest.approx(stats.linregress(x, y).slope)
    assert result.statistic == pytest.approx(coefficients[1] / np.sqrt(covariance[1, 1]))
    assert result.p_value == pytest.approx(2 * stats.t.sf(abs(result.statistic or 0), x.size - 2), rel=1e-6)


@pytest.mark.parametrize(("statistic", "degrees"), [(3.0, 9), (12.0, 3), (250.0, 23), (36_000.0, 23)])
def test_noncentrality_interval_inverts_scipys_distribution(statistic: float, degrees: int) -> None:
    low, high = statistics.noncentrality_interval(statistic, degrees)
    for bound, probability in ((low, 0.975), (high, 0.025)):
        if stats.chi2.cdf(statistic, degrees) <= probability:
            assert bound == 0
            continue
        found = optimize.brentq(
            lambda value, tail=probability: stats.ncx2.cdf(statistic, degrees, value) - tail, 1e-9, 2 * statistic + 100
        )
        assert bound == pytest.approx(found, rel=1e-6)


def test_adjusted_p_values_are_scipys_and_skip_what_was_not_tested() -> None:
    raw = np.array([0.2, np.nan, 0.001, 0.04, 0.04, 1.0, 1e-300])
    adjusted = statistics.adjust(raw)
    tested = ~np.isnan(raw)
    np.testing.assert_allclose(adjusted[tested], stats.false_discovery_control(raw[tested], method="bh"))
    assert np.isnan(adjusted[1])


def test_adjusted_p_values_are_never_an_ulp_below_the_raw_ones() -> None:
    draw = np.random.default_rng(1)
    for size in range(1, 60):
        raw = draw.uniform(size=size)
        assert (statistics.adjust(raw) >= raw).all()


NORMAL_SHIFT = 0.5
EFFECTS: dict[str, tuple[Callable[..., Result], Draw, float]] = {
    "rank_correlation": (
        statistics.rank_correlation,
        lambda random: tuple(random.multivariate_normal([0, 0], [[1, 0.4], [0.4, 1]], 200).T),
        6 / np.pi * np.arcsin(0.2),
    ),
    "mann_whitney": (
        statistics.mann_whitney,
        lambda random: (np.repeat([0.0, 1.0], 100), random.normal(np.repeat([0, NORMAL_SHIFT], 100))),
        2 * stats.norm.cdf(NORMAL_SHIFT / np.sqrt(2)) - 1,
    ),
    "risk_ratio": (
        statistics.risk_ratio,
        lambda random: (np.repeat([0.0, 1.0], 2000), (random.random(4000) < np.repeat([0.2, 0.3], 2000)).astype(float)),
        1.5,
    ),
    "rate_trend": (
        statistics.rate_trend,
        lambda random: (
            x := random.permutation(4000).astype(float),
            (random.random(4000) < 0.4 * np.exp(-x / 4000)).astype(float),
        ),
        float(np.exp(0.75)),
    ),
    "ratio_of_means": (
        statistics.ratio_of_means,
        lambda random: (np.repeat([0.0, 1.0], [300, 100]), random.gamma(4, np.repeat([1.0, 1.5], [300, 100]))),
        1.5,
    ),
    "mean_difference": (
        statistics.mean_difference,
        lambda random: (np.repeat([0.0, 1.0], [150, 50]), random.normal(np.repeat([0, 0.5], [150, 50]))),
        0.5,
    ),
    "linear_trend": (
        statistics.linear_trend,
        lambda random: (x := random.integers(0, 6, 300).astype(float), 0.3 * x + random.normal(size=300) * (1 + x / 3)),
        0.3,
    ),
    "independence": (
        statistics.independence,
        lambda random: (
            x := random.integers(0, 5, 1000).astype(float),
            (random.random(1000) < 0.3 + 0.05 * x).astype(float),
        ),
        float(1 + np.std([0.3, 0.35, 0.4, 0.45, 0.5]) / 0.4),
    ),
    "goodness_of_fit": (
        lambda x, _, units: statistics.goodness_of_fit(np.ones(6), np.bincount(x.astype(int), units, 6).astype(float)),
        lambda random: (random.choice(6, 1000, p=[0.1, 0.1, 0.15, 0.15, 0.2, 0.3]).astype(float), np.zeros(1000)),
        float(np.sqrt(6 * np.sum((np.array([0.1, 0.1, 0.15, 0.15, 0.2, 0.3]) - 1 / 6) ** 2))),
    ),
}


@pytest.mark.parametrize("name", EFFECTS)
def test_intervals_hold_the_true_effect_about_95_times_in_100(name: str) -> None:
    function, draw, truth = EFFECTS[name]
    random = np.random.default_rng(11)
    results = [function(*counted(*draw(random))) for _ in range(400)]
    held = sum((result.effect_low or 0) <= truth <= (result.effect_high or 0) for result in results)
    assert 0.915 <= held / 400 <= 0.985
    assert np.mean([result.effect_size or 0 for result in results]) == pytest.approx(truth, abs=0.02)


@pytest.mark.parametrize("size", [40, 150, 600])
@pytest.mark.parametrize(
    "name", ["rank_correlation", "mann_whitney", "kruskal_wallis", "mean_difference", "linear_trend"]
)
def test_small_samples_without_effect_give_a_small_p_value_one_time_in_twenty(name: str, size: int) -> None:
    random = np.random.default_rng(size)
    two_groups = name in ("mann_whitney", "mean_difference")
    found = tested = 0
    for _ in range(1000):
        x = random.integers(0, 2 if two_groups else 4, size).astype(float)
        y = random.choice(5, size, p=[0.1, 0.05, 0.1, 0.2, 0.55]).astype(float)
        p_value = getattr(statistics, name)(*counted(x, y)).p_value
        if p_value is not None:
            tested += 1
            found += p_value < 0.05
    assert tested > 900
    assert 0.02 <= found / tested <= 0.085


SHARES = ["independence", "risk_ratio", "rate_trend"]
PAIRWISE = ["rank_correlation", "mann_whitney", "kruskal_wallis", "mean_difference", "ratio_of_means", *SHARES]


@pytest.mark.parametrize("name", [*PAIRWISE, "linear_trend"])
def test_the_order_of_the_counts_does_not_change_a_bit(name: str) -> None:
    random = np.random.default_rng(5)
    x, y = random.integers(0, 2, 300).astype(float), random.integers(0, 2, 300).astype(float)
    if name not in SHARES:
        y = np.round(random.lognormal(size=300), 2)
    columns = counted(x, y)
    results = set()
    for _ in range(20):
        order = random.permutation(columns[0].size)
        results.add(getattr(statistics, name)(*(column[order] for column in columns)))
    assert len(results) == 1


NOTHING_TO_TEST = {
    "no rows": (np.zeros(0), np.zeros(0)),
    "one unit": (np.ones(1), np.ones(1)),
    "29 units": (np.arange(29.0) % 2, np.arange(29.0)),
    "one group": (np.ones(50), np.arange(50.0) % 2),
    "one value": (np.arange(50.0) % 2, np.ones(50)),
}


@pytest.mark.parametrize("data", NOTHING_TO_TEST)
@pytest.mark.parametrize("name", [*PAIRWISE, "linear_trend"])
def test_too_little_to_test_gives_no_numbers_and_no_error(name: str, data: str) -> None:
    x, y = NOTHING_TO_TEST[data]
    result = getattr(statistics, name)(*counted(x, y))
    assert result == Result(result.n)
    assert result.n <= x.size


@pytest.mark.parametrize("units", [np.zeros(0), np.zeros(24), np.ones(24)])
def test_goodness_of_fit_needs_five_expected_units_in_every_class(units: Floats) -> None:
    assert statistics.goodness_of_fit(np.ones(units.size), units) == Result(int(units.sum()))


def test_groups_that_do_not_overlap_have_a_finite_interval() -> None:
    result = statistics.mann_whitney(*counted(np.repeat([0.0, 1.0], 20), np.arange(40.0)))
    assert result.effect_size == result.effect_high == 1
    assert 0.5 < (result.effect_low or 0) < 1


def test_equal_ranks_correlate_perfectly() -> None:
    result = statistics.rank_correlation(*counted(np.arange(40.0), np.arange(40.0) ** 2))
    assert (result.p_value, result.effect_size, result.effect_low) == (0, 1, 1)
