"""Buy-till-you-die models for shops without contracts: BG/NBD and MBG/NBD.

A customer buys as a Poisson process with a rate of their own (gamma over customers: `r`, `alpha`) and may drop out
after a purchase with a probability of their own (beta over customers: `a`, `b`).

* BG/NBD: no drop-out at the first purchase. Fader, Hardie and Lee, "Counting Your Customers the Easy Way", Marketing
  Science 24(2), 2005, equations 6 (likelihood) and 10 (expected purchases).
* MBG/NBD: drop-out is possible at the first purchase too, so that a one-time buyer may be gone. Batislam, Denizel and
  Filiztekin, "Empirical validation and comparison of models for customer base analysis", International Journal of
  Research in Marketing 24(3), 2007.

Beside them stands the model they grew out of, in which nobody drops out: the gamma-Poisson model (NBD) of Ehrenberg,
"The Pattern of Consumer Purchases", Applied Statistics 8(1), 1959. It forecasts too much, for people do leave; what it
tells is the pace a customer would keep up by staying (:class:`Pace`).

P(alive) is not a churn score: under BG/NBD it is exactly 1 for every one-time buyer. The expected number of purchases
is one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.optimize import minimize
from scipy.special import betaln, gammaln, hyp2f1

from scoring.features import Floats

Kind = Literal["bg", "mbg"]


@dataclass(frozen=True)
class BuyTillYouDie:
    """A fitted model.

    Parameters
    ----------
    kind : {"bg", "mbg"}
        BG/NBD or MBG/NBD.
    r, alpha : float
        Shape and rate (in the time unit of the data) of the purchase rates.
    a, b : float
        Parameters of the drop-out probabilities.
    log_likelihood : float
        Of the data it was fitted to.
    """

    kind: Kind
    r: float
    alpha: float
    a: float
    b: float
    log_likelihood: float

    def expected_purchases(self, repeats: Floats, last: Floats, age: Floats, horizon: float) -> Floats:
        """Return the expected purchases in the `horizon` after now.

        Parameters
        ----------
        repeats : array, shape (n,)
            Purchases after the first.
        last : array, shape (n,)
            Time from the first purchase to the last.
        age : array, shape (n,)
            Time from the first purchase to now.
        horizon : float
            Length of the time ahead, same unit.

        Returns
        -------
        array, shape (n,)
        """
        shift = 0.0 if self.kind == "bg" else 1.0
        # a = 1 is a removable singularity of the formula; a hair beside it the value is the same.
        a = self.a if abs(self.a - 1) > 1e-6 else 1 + 1e-6
        shape = self.r + repeats
        c = a + self.b + repeats - 1 + shift
        survival = ((self.alpha + age) / (self.alpha + age + horizon)) ** shape
        hyper = hyp2f1(shape, self.b + repeats + shift, c, horizon / (self.alpha + age + horizon))
        if_alive = c / (a - 1) * (1 - survival * hyper)
        result: Floats = np.maximum(if_alive * self.probability_alive(repeats, last, age), 0.0)
        return result

    def probability_alive(self, repeats: Floats, last: Floats, age: Floats) -> Floats:
        """Return the probability of not having dropped out; arguments as in :meth:`expected_purchases`."""
        shift = 0.0 if self.kind == "bg" else 1.0
        odds = np.zeros_like(age)
        some = np.ones_like(age, dtype=bool) if self.kind == "mbg" else repeats > 0
        gone = self.a / (self.b + repeats[some] - 1 + shift)
        odds[some] = gone * ((self.alpha + age[some]) / (self.alpha + last[some])) ** (self.r + repeats[some])
        result: Floats = 1 / (1 + odds)
        return result

    def probability_of_purchase(self, repeats: Floats, last: Floats, age: Floats, horizon: float) -> Floats:
        """Return the probability of at least one purchase in the horizon.

        Drop-out happens at purchases only, so whoever is alive now makes the next purchase whatever happens after it:
        P = P(alive) * (1 - ((alpha + age) / (alpha + age + horizon)) ** (r + repeats)).
        """
        waits = ((self.alpha + age) / (self.alpha + age + horizon)) ** (self.r + repeats)
        result: Floats = self.probability_alive(repeats, last, age) * (1 - waits)
        return result


@dataclass(frozen=True)
class Pace:
    """How often customers buy as long as they stay: purchase rates with a gamma distribution.

    Parameters
    ----------
    shape : float
    rate : float
        In days.
    """

    shape: float
    rate: float

    def purchases(self, repeats: Floats, age: Floats, horizon: float) -> Floats:
        """Return the purchases of the `horizon` at each customer's own pace, shrunk to that of all customers.

        The posterior mean rate: ``(shape + repeats) / (rate + age) * horizon``; arguments as in
        :meth:`BuyTillYouDie.expected_purchases`, in days.
        """
        result: Floats = (self.shape + repeats) / (self.rate + age) * horizon
        return result


def fit_pace(repeats: Floats, age: Floats) -> Pace:
    """Fit the gamma-Poisson model by maximum likelihood.

    Parameters
    ----------
    repeats, age : arrays, shape (n,)
        Purchases after the first, and days since it; at least one customer.

    Returns
    -------
    Pace
    """
    histories, counts = np.unique(np.column_stack([repeats, age]), axis=0, return_counts=True)
    x, weight = histories[:, 0], counts / counts.sum()
    unit = float(np.average(histories[:, 1], weights=weight)) or 1.0
    t = histories[:, 1] / unit

    def cost(logs: Floats) -> float:
        r, alpha = np.exp(logs)
        buying = gammaln(r + x) - gammaln(r) + r * np.log(alpha) - (r + x) * np.log(alpha + t)
        return -float(np.sum(weight * buying))

    found = minimize(cost, np.zeros(2), method="L-BFGS-B", bounds=[(-9, 9)] * 2, options={"ftol": 1e-13, "gtol": 1e-9})
    shape, rate = np.exp(found.x)
    return Pace(float(shape), float(rate) * unit)


def log_likelihood(
    kind: Kind, parameters: Floats, *, repeats: Floats, last: Floats, age: Floats, weight: Floats
) -> float:
    """Return the log-likelihood of (r, alpha, a, b), each customer counted `weight` times."""
    r, alpha, a, b = parameters
    shift = 0.0 if kind == "bg" else 1.0
    buying = gammaln(r + repeats) - gammaln(r) + r * np.log(alpha)
    staying = betaln(a, b + repeats + shift) - betaln(a, b)
    still = staying - (r + repeats) * np.log(alpha + age)
    with np.errstate(divide="ignore", invalid="ignore"):
        gone = betaln(a + 1, b + repeats - 1 + shift) - betaln(a, b) - (r + repeats) * np.log(alpha + last)
    if kind == "bg":
        gone = np.where(repeats > 0, gone, -np.inf)
    return float(np.sum(weight * (buying + np.logaddexp(still, gone))))


def fit(kind: Kind, repeats: Floats, last: Floats, age: Floats) -> BuyTillYouDie:
    """Fit by maximum likelihood.

    Customers with the same history are counted once with a weight: millions collapse to thousands.

    Parameters
    ----------
    kind : {"bg", "mbg"}
    repeats, last, age : arrays, shape (n,)
        As in :meth:`BuyTillYouDie.expected_purchases`.

    Returns
    -------
    BuyTillYouDie

    Raises
    ------
    ValueError
        When there is no customer, or the likelihood has no finite maximum.
    """
    if not len(repeats):
        raise ValueError("No customer to fit.")
    histories, counts = np.unique(np.column_stack([repeats, last, age]), axis=0, return_counts=True)
    weight = counts.astype(np.float64)
    # Time in units of the mean age: the same start suits days and weeks.
    unit = float(np.average(histories[:, 2], weights=weight)) or 1.0
    x, tx, t = histories[:, 0], histories[:, 1] / unit, histories[:, 2] / unit

    def cost(logs: Floats) -> float:
        value = log_likelihood(kind, np.exp(logs), repeats=x, last=tx, age=t, weight=weight) / weight.sum()
        return -value if np.isfinite(value) else 1e6

    best = None
    for start in ([-0.7, 0.0, -0.3, 0.7], [0.0, 1.0, 0.0, 0.0], [-2.0, -1.0, -1.0, 1.0]):
        found = minimize(
            cost,
            np.array(start),
            method="L-BFGS-B",
            bounds=[(-9, 9)] * 4,
            options={"maxiter": 500, "ftol": 1e-13, "gtol": 1e-9},
        )
        best = found if best is None or found.fun < best.fun else best
        if best.success and best.fun < 1e6:
            break
    assert best is not None
    if best.fun >= 1e6:
        raise ValueError("The likelihood has no finite maximum.")
    r, alpha, a, b = (float(value) for value in np.exp(best.x))
    fitted = np.array([r, alpha * unit, a, b])
    total = log_likelihood(
        kind, fitted, repeats=histories[:, 0], last=histories[:, 1], age=histories[:, 2], weight=weight
    )
    return BuyTillYouDie(kind, r, alpha * unit, a, b, total)
