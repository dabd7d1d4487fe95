"""Regularised logistic regression on standardised features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import LogisticRegression

from scoring.features import BY_NAME, FeatureTable, Flags, Floats
from scoring.models.additive import AdditiveScore, CategoryTerm, CurveTerm, LinearTerm, Term

# Words rarer than this have the average effect, and so has a value that is missing more rarely.
RARE_SHARE = 0.01
# Where the line of a number may bend: shares of the customers below.
BENDS = (0.1, 0.35, 0.65, 0.9)


@dataclass(frozen=True)
class Logistic:
    """Logistic regression with an L2 penalty.

    Amounts and counts enter as log(1 + value), standardised; a missing value, or a word, gets an effect of its own
    when at least one per cent of the customers have it.

    Parameters
    ----------
    features : sequence of str
        Features to use.
    inverse_penalty : float
        Weight of the data against the penalty (scikit-learn's C), on features of variance one.
    is_curved : bool
        Whether the line of a number bends, at four quantiles of it; beyond the smallest and the largest value it was
        learned from it stays level: a shop grows older, and no customer has shown yet what comes after.
    """

    features: Sequence[str]
    inverse_penalty: float = 0.05
    is_curved: bool = False

    def fit(self, table: FeatureTable, retained: Flags, weight: Floats) -> AdditiveScore:
        """Fit on customers whose outcome is known.

        Parameters
        ----------
        table : FeatureTable
            Features, n rows.
        retained : array of bool, shape (n,)
            Whether the customer ordered within the horizon.
        weight : array of float, shape (n,)
            How many customers each row stands for.

        Returns
        -------
        AdditiveScore
        """
        columns: list[Floats] = []
        plan: list[tuple[str, str, float, float]] = []  # feature, "value" / "missing" / word, mean, scale
        for name in self.features:
            if name in table.categories:
                self._add_words(name, table, weight, columns, plan)
            else:
                self._add_number(name, table, weight, columns, plan)
        if not columns:
            share = float(np.average(retained, weights=weight))
            return AdditiveScore(float(np.log(share / (1 - share))), ())
        # many columns, some nearly the same: Newton's steps need a dozen where gradients need hundreds
        solver = "newton-cholesky" if self.is_curved else "lbfgs"
        regression = LogisticRegression(C=self.inverse_penalty, max_iter=1000, tol=1e-6, solver=solver)
        # The penalty is per unit of data weight: scaled so that a subsample with weights is penalised like the whole.
        regression.fit(np.column_stack(columns), retained, sample_weight=weight)
        terms = _terms(self.features, plan, regression.coef_[0], table)
        return AdditiveScore(float(regression.intercept_[0]), terms).centred(table, weight)

    def _add_number(
        self,
        name: str,
        table: FeatureTable,
        weight: Floats,
        columns: list[Floats],
        plan: list[tuple[str, str, float, float]],
    ) -> None:
        values = table.numbers[name]
        missing = np.isnan(values)
        transformed = _place(values, BY_NAME[name].log)
        known = ~missing
        if known.any():
            mean = float(np.average(transformed[known], weights=weight[known]))
            scale = float(np.sqrt(np.average((transformed[known] - mean) ** 2, weights=weight[known])))
            if scale > 1e-9:
                columns.append(np.where(missing, 0.0, (transformed - mean) / scale))
                plan.append((name, "value", mean, scale))
                if self.is_curved:
                    for knot, column, middle, spread in _bends(transformed, known, weight):
                        columns.append(column)
                        plan.append((name, f">{knot!r}", middle, spread))
        share = float(np.average(missing, weights=weight))
        if RARE_SHARE <= share < 1.0:
            columns.append(missing - share)
            plan.append((name, "missing", share, 1.0))

    def _add_words(
        self,
        name: str,
        table: FeatureTable,
        weight: Floats,
        columns: list[Floats],
        plan: list[tuple[str, str, float, float]],
    ) -> None:
        column = table.categories[name]
        counts = np.bincount(column.codes, weights=weight, minlength=len(column.words)) / weight.sum()
        for code, word in sorted(enumerate(column.words), key=lambda item: item[1]):
            share = float(counts[code])
            if RARE_SHARE <= share < 1.0:
                # Not divided by its spread: a rare word is not to be fitted more freely than a common one.
                columns.append((column.codes == code) - share)
                plan.append((name, f"={word}", share, 1.0))


def _place(values: Floats, log: bool) -> Floats:
    result: Floats = np.log1p(np.maximum(values, 0.0)) if log else values
    return result


def _bends(values: Floats, known: Flags, weight: Floats) -> list[tuple[float, Floats, float, float]]:
    """Return knots, with the standardised distance of each customer beyond them, its mean and its spread."""
    own = values[known]
    found = []
    for knot in np.unique(np.quantile(own, BENDS, method="lower")):
        beyond = np.maximum(own - knot, 0.0)
        mean = float(np.average(beyond, weights=weight[known]))
        scale = float(np.sqrt(np.average((beyond - mean) ** 2, weights=weight[known])))
        if own.min() < knot < own.max() and scale > 1e-9:
            column = np.zeros(len(values))
            column[known] = (beyond - mean) / scale
            found.append((float(knot), column, mean, scale))
    return found


def _terms(
    features: Sequence[str], plan: Sequence[tuple[str, str, float, float]], weights: Floats, table: FeatureTable
) -> tuple[Term, ...]:
    terms: list[Term] = []
    for name in features:
        own = [
            (part, mean, scale, float(w))
            for (feature, part, mean, scale), w in zip(plan, weights, strict=True)
            if feature == name
        ]
        if not own:
            continue
        if name in table.categories:
            effects = {part[1:]: w for part, _, _, w in own}
            terms.append(CategoryTerm(name, effects, 0.0))
            continue
        slope = offset = missing = 0.0
        bends: list[tuple[float, float]] = []  # where, and by how much the slope changes
        for part, mean, scale, w in own:
            if part == "missing":
                missing = w / scale
                continue
            offset -= w * mean / scale
            if part == "value":
                slope = w / scale
            else:
                bends.append((float(part[1:]), w / scale))
        if not bends:
            terms.append(LinearTerm(name, BY_NAME[name].log, slope, offset, missing))
            continue
        met = _place(table.numbers[name], BY_NAME[name].log)
        knots = (float(np.nanmin(met)), *(knot for knot, _ in bends), float(np.nanmax(met)))
        heights = tuple(
            offset + slope * place + sum(change * max(place - knot, 0.0) for knot, change in bends) for place in knots
        )
        terms.append(CurveTerm(name, BY_NAME[name].log, knots, heights, 0.0, 0.0, missing))
    return tuple(terms)
