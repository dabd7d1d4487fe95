"""The buy-till-you-die likelihoods: published parameters, known parameters, and sums over all futures."""

from __future__ import annotations

from importlib.metadata import files

import numpy as np
import pandas as pd
import pytest

from scoring.models import btyd


@pytest.fixture(scope="module")
def cdnow() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the CDNOW sample (2,357 customers, weeks) that the papers fit; it comes with the lifetimes package."""
    found = [file for file in files("lifetimes") or [] if file.name == "cdnow_customers_summary.csv"]
    table = pd.read_csv(str(found[0].locate()))
    assert len(table) == 2357
    return (
        table["frequency"].to_numpy(dtype=float),
        table["recency"].to_numpy(dtype=float),
        table["T"].to_numpy(dtype=float),
    )


@pytest.mark.parametrize(
    ("kind", "published", "log_likelihood"),
    [
        ("bg", (0.243, 4.414, 0.793, 2.426), -9582.43),
        ("mbg", (0.525, 6.183, 0.891, 1.614), -9582.14),
    ],
)
def test_the_published_parameters_of_cdnow_are_reproduced(
    cdnow: tuple[np.ndarray, np.ndarray, np.ndarray],
    kind: btyd.Kind,
    published: tuple[float, float, float, float],
    log_likelihood: float,
) -> None:
    model = btyd.fit(kind, *cdnow)
    assert (model.r, model.alpha, model.a, model.b) == pytest.approx(published, abs=0.005)
    assert model.log_likelihood == pytest.approx(log_likelihood, abs=0.01)


def simulate(
    kind: btyd.Kind, truth: tuple[float, float, float, float], *, customers: int, horizon: float, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Draw histories from the model itself: repeats, last, age, and the purchases in the horizon that followed."""
    r, alpha, a, b = truth
    draw = np.random.default_rng(seed)
    rates = draw.gamma(r, 1 / alpha, customers)
    dropouts = draw.beta(a, b, customers)
    ages = draw.uniform(20, 60, customers)
    repeats, last, future = np.zeros(customers), np.zeros(customers), np.zeros(customers)
    for i in range(customers):
        now = 0.0
        alive = kind == "bg" or draw.random() >= dropouts[i]
        while alive:
            now += draw.exponential(1 / rates[i])
            if now > ages[i] + horizon:
                break
            if now <= ages[i]:
                repeats[i] += 1
                last[i] = now
            else:
                future[i] += 1
            alive = draw.random() >= dropouts[i]
    return repeats, last, ages, future


@pytest.mark.parametrize("kind", ["bg", "mbg"])
def test_known_parameters_are_recovered_and_forecasts_are_right_on_average(kind: btyd.Kind) -> None:
    truth = (0.6, 8.0, 1.2, 3.0)
    repeats, last, age, future = simulate(kind, truth, customers=20_000, horizon=26.0, seed=3)
    model = btyd.fit(kind, repeats, last, age)
    # Twice the gain over the true parameters is chi-square with four degrees of freedom: 18.5 in 1 case of 1,000.
    everyone = np.ones(len(repeats))
    at_truth = btyd.log_likelihood(kind, np.array(truth), repeats=repeats, last=last, age=age, weight=everyone)
    assert 0 <= 2 * (model.log_likelihood - at_truth) < 18.5
    # The four parameters trade off against each other; the mean rate and the mean drop-out are what the data determine.
    assert model.r / model.alpha == pytest.approx(truth[0] / truth[1], rel=0.15)
    assert model.a / (model.a + model.b) == pytest.approx(truth[2] / (truth[2] + truth[3]), rel=0.15)
    assert model.expected_purchases(repeats, last, age, 26.0).sum() == pytest.approx(future.sum(), rel=0.05)
    chance = model.probability_of_purchase(repeats, last, age, 26.0)
    assert chance.sum() == pytest.approx((future > 0).sum(), rel=0.05)


def test_alive_is_certain_for_one_time_buyers_under_bg_nbd_and_therefore_no_churn_score() -> None:
    bg = btyd.BuyTillYouDie("bg", 0.24, 4.4, 0.8, 2.4, 0.0)
    mbg = btyd.BuyTillYouDie("mbg", 0.52, 6.2, 0.9, 1.6, 0.0)
    once = (np.zeros(2), np.zeros(2), np.array([1.0, 100.0]))
    assert bg.probability_alive(*once).tolist() == [1.0, 1.0]
    assert mbg.probability_alive(*once)[1] < mbg.probability_alive(*once)[0] < 1.0
    assert bg.expected_purchases(*once, 39.0)[1] < bg.expected_purchases(*once, 39.0)[0]


def test_expected_purchases_do_not_jump_where_the_formula_has_a_hole() -> None:
    history = (np.array([2.0]), np.array([10.0]), np.array([30.0]))
    at_one = btyd.BuyTillYouDie("mbg", 0.5, 6.0, 1.0, 1.6, 0.0).expected_purchases(*history, 39.0)
    beside = btyd.BuyTillYouDie("mbg", 0.5, 6.0, 1.0001, 1.6, 0.0).expected_purchases(*history, 39.0)
    assert at_one == pytest.approx(beside, rel=1e-3)


def test_a_horizon_of_nothing_brings_nothing() -> None:
    model = btyd.BuyTillYouDie("mbg", 0.5, 6.0, 0.9, 1.6, 0.0)
    history = (np.array([0.0, 3.0]), np.array([0.0, 20.0]), np.array([30.0, 30.0]))
    assert model.expected_purchases(*history, 1e-9) == pytest.approx([0.0, 0.0], abs=1e-6)


def test_nobody_is_no_model() -> None:
    with pytest.raises(ValueError, match="No customer"):
        btyd.fit("mbg", np.array([]), np.array([]), np.array([]))


@pytest.mark.parametrize(("shape", "rate"), [(0.15, 1_200.0), (2.0, 90.0)])
def test_the_pace_of_a_shop_whose_customers_never_leave_is_found(shape: float, rate: float) -> None:
    draw = np.random.default_rng(4)
    age = draw.uniform(10, 700, 20_000).round()
    speed = draw.gamma(shape, 1 / rate, len(age))
    repeats, future = draw.poisson(speed * age).astype(float), speed * 90
    pace = btyd.fit_pace(repeats, age)
    assert pace.shape == pytest.approx(shape, rel=0.15)
    assert pace.shape / pace.rate == pytest.approx(shape / rate, rel=0.05)
    usual = pace.purchases(repeats, age, 90.0)
    assert usual.sum() == pytest.approx(future.sum(), rel=0.05)
    often = repeats >= np.quantile(repeats, 0.9)
    assert usual[often].sum() == pytest.approx(future[often].sum(), rel=0.1)


def test_where_nobody_ever_came_back_nothing_is_usual() -> None:
    pace = btyd.fit_pace(np.zeros(50), np.arange(1.0, 51.0))
    assert pace.purchases(np.zeros(2), np.array([1.0, 50.0]), 90.0) == pytest.approx([0.0, 0.0], abs=0.05)
