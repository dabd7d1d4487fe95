"""Nested, grouped cross-validation: what is chosen in the inner folds is judged on an outer fold it has not seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score

from scoring.calibration import Calibration, calibrate, logistic_line, logit
from scoring.table.candidates import Candidate, candidates, mean_of
from scoring.table.coding import Coding, code_matrix, learn_codings
from scoring.table.columns import Codes, Flags, Floats, Rows, Table
from scoring.table.figures import Figure, choose_threshold, judge
from scoring.table.folds import make_folds
from scoring.table.leakage import rates_by_code
from scoring.table.model import PROBABILITY_DIGITS

OUTER, INNER = 5, 3
MOST_ROWS = 60_000  # that are learned from: more change no figure and cost an hour
STANDARD_ERRORS = 2.0

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Chosen:
    """What the inner folds decided.

    Parameters
    ----------
    candidate : Candidate
    length : int or None
        Trees.
    calibration : Calibration
    threshold : float
    is_met : bool
        Whether the precision that was asked for was reached in the inner folds.
    losses : mapping of str to float
        Mean log loss of every candidate there.
    """

    candidate: Candidate
    length: int | None
    calibration: Calibration
    threshold: float
    is_met: bool
    losses: Mapping[str, float]


@dataclass(frozen=True)
class Judged:
    """Forecasts for rows their model had not seen, and their figures."""

    probability: Floats
    is_chosen: Flags
    figures: Mapping[str, Figure]


@dataclass(frozen=True)
class Learned:
    """The outcome of learning.

    Parameters
    ----------
    chosen : Chosen
        On all rows.
    codings : sequence of Coding
    codes : array, shape (rows, features)
    fitted : Any
        The chosen candidate, fitted on all rows.
    grouped : Judged
        Folds that keep copies and twins together.
    by_customer : Judged or None
        Folds that keep copies together and let twins be, where there are twins: customers like those that are known.
    leaking : Judged or None
        Folds that do not, where there are copies: what would be claimed without looking.
    rule : Judged
        The best single feature.
    rule_feature : str
    picks : mapping of str to int
        How often each kind was chosen in the outer folds.
    """

    chosen: Chosen
    codings: Sequence[Coding]
    codes: Codes
    fitted: Any
    grouped: Judged
    by_customer: Judged | None
    leaking: Judged | None
    rule: Judged
    rule_feature: str
    picks: Mapping[str, int]


def learn(
    table: Table,
    is_positive: Flags,
    groups: Rows,
    customers: Rows,
    *,
    least_precision: float,
    random_state: int,
    spellings: Mapping[str, Mapping[str, str]],
    progress: Progress,
) -> Learned:
    """Learn and judge.

    Parameters
    ----------
    table : Table
        The features.
    is_positive : array of bool, shape (rows,)
    groups : array of int, shape (rows,)
        Rows that stay together.
    customers : array of int, shape (rows,)
        Rows of one customer: the same, or finer.
    least_precision : float
        That the threshold must reach.
    random_state : int
    spellings : mapping
        What was merged in the table.
    progress : callable
        Told of what is done.
    """
    return _Learning(table, is_positive, groups, customers, least_precision, random_state, progress).run(spellings)


@dataclass(frozen=True)
class _Learning:
    table: Table
    is_positive: Flags
    groups: Rows
    customers: Rows
    least_precision: float
    random_state: int
    progress: Progress

    def run(self, spellings: Mapping[str, Mapping[str, str]]) -> Learned:
        rows = np.arange(self.table.rows)
        outer = make_folds(self.groups, self.is_positive, OUTER, self.random_state)
        probability = np.zeros(len(rows))
        is_chosen = np.zeros(len(rows), dtype=bool)
        by_rule, is_ruled = np.zeros(len(rows)), np.zeros(len(rows), dtype=bool)
        picks: dict[str, int] = {}
        for number in range(OUTER):
            train, test = rows[outer != number], rows[outer == number]
            chosen, score = self._forecast(train, test)
            probability[test] = np.round(chosen.calibration.probability(score), PROBABILITY_DIGITS)
            is_chosen[test] = probability[test] >= chosen.threshold
            picks[chosen.candidate.name] = picks.get(chosen.candidate.name, 0) + 1
            by_rule[test], is_ruled[test], _ = self._rule(train, test)
            self.progress(f"fold {number + 1} of {OUTER}: {chosen.candidate.name}")
        chosen = self._choose(rows)
        self.progress(f"all rows: {chosen.candidate.name}")
        codings = learn_codings(self.table, spellings)
        codes = code_matrix(codings, self.table)
        return Learned(
            chosen,
            codings,
            codes,
            chosen.candidate.fit(codings, codes, self.is_positive, chosen.length),
            self._judged(probability, is_chosen),
            self._by_customer(chosen) if self.has_twins else None,
            self._leaking(chosen) if len(np.unique(self.groups)) < len(rows) else None,
            self._judged(by_rule, is_ruled),
            self._rule(rows, rows)[2],
            picks,
        )

    def _judged(self, probability: Floats, is_chosen: Flags) -> Judged:
        return Judged(
            probability,
            is_chosen,
            judge(probability, is_chosen, self.is_positive, self.groups, self.random_state),
        )

    def _forecast(self, train: Rows, test: Rows) -> tuple[Chosen, Floats]:
        """Choose on the training rows, and score the test rows with what was chosen."""
        chosen = self._choose(train)
        return chosen, self._scored(chosen, train, test)

    def _scored(self, chosen: Chosen, train: Rows, test: Rows) -> Floats:
        codings = learn_codings(self.table.take(train))
        codes, unseen = code_matrix(codings, self.table.take(train)), code_matrix(codings, self.table.take(test))
        fitted = chosen.candidate.fit(codings, codes, self.is_positive[train], chosen.length)
        score: Floats = fitted.score(unseen)
        return score

    @property
    def has_twins(self) -> bool:
        """Tell whether different customers were found that resemble each other."""
        return len(np.unique(self.groups)) < len(np.unique(self.customers))

    def _choose(self, rows: Rows) -> Chosen:
        """Compare the candidates in inner folds, calibrate the best and choose its threshold there.

        Where there are twins, folds that keep them together, which stand for strangers, count as much as folds that do
        not, which stand for customers like those that are known: a shop will meet both. Calibration and threshold are
        those of strangers.
        """
        labels = self.is_positive[rows]
        known = candidates(self.random_state, len(rows))
        views = [self.groups, self.customers] if self.has_twins else [self.groups]
        staged = [self._stages(known, rows, groups[rows]) for groups in views]
        lengths: list[int | None] = []
        scores: list[list[Floats]] = [[] for _ in views]
        for place, candidate in enumerate(known):
            best = _best_stage([view[place] for view in staged], labels)
            lengths.append(10 * (best + 1) if candidate.is_staged else None)
            for found, view in zip(scores, staged, strict=True):
                found.append(view[place][best])
        boosted = [place for place, candidate in enumerate(known) if candidate.is_staged]
        for found in scores:
            found.append(np.mean([found[place] for place in boosted], axis=0))
        known.append(mean_of([(known[place], lengths[place]) for place in boosted]))
        lengths.append(None)
        # what would ship is compared: with its calibration
        people = len(np.unique(self.groups[rows][labels]))
        calibrations = [calibrate(score, labels, people) for score in scores[0]]
        by_row = [
            np.mean([_losses(logit(calibration.probability(found[place])), labels) for found in scores], axis=0)
            for place, calibration in enumerate(calibrations)
        ]
        best_place = _earned(known, by_row, self.groups[rows])
        calibration = calibrations[best_place]
        probability = np.round(calibration.probability(scores[0][best_place]), PROBABILITY_DIGITS)
        threshold, is_met = choose_threshold(probability, labels, self.least_precision)
        return Chosen(
            known[best_place],
            lengths[best_place],
            calibration,
            threshold,
            is_met,
            {
                f"{candidate.name}, {candidate.settings}": float(losses.mean())
                for candidate, losses in zip(known, by_row, strict=True)
            },
        )

    def _stages(self, known: Sequence[Candidate], rows: Rows, groups: Rows) -> list[Floats]:
        """Return each candidate's scores of rows it has not seen, shape (stages, rows): a stage is ten trees more."""
        fold = make_folds(groups, self.is_positive[rows], INNER, self.random_state + 1)
        parts = []
        for number in range(INNER):
            train, test = rows[fold != number], rows[fold == number]
            codings = learn_codings(self.table.take(train))
            codes, unseen = (code_matrix(codings, self.table.take(part)) for part in (train, test))
            parts.append((codings, codes, self.is_positive[train], unseen, fold == number))
        staged = []
        for candidate in known:
            found: Floats | None = None
            for codings, codes, own, unseen, is_tested in parts:
                fitted = candidate.fit(codings, codes, own, None)
                part = np.array(fitted.stages(unseen)[9::10]) if candidate.is_staged else fitted.score(unseen)[None, :]
                found = np.zeros((len(part), len(rows))) if found is None else found
                found[:, is_tested] = part
            assert found is not None
            staged.append(found)
        return staged

    def _rule(self, train: Rows, test: Rows) -> tuple[Floats, Flags, str]:
        """Forecast by the one feature that does best alone in the training rows."""
        codings = learn_codings(self.table.take(train))
        codes, unseen = code_matrix(codings, self.table.take(train)), code_matrix(codings, self.table.take(test))
        labels = self.is_positive[train]
        best: tuple[float, Floats, Flags, str] | None = None
        for place, coding in enumerate(codings):
            rates = rates_by_code(codes[:, place], labels, coding.size)
            auc = float(roc_auc_score(labels, rates[codes[:, place]]))
            if best is None or auc > best[0]:
                threshold, _ = choose_threshold(rates[codes[:, place]], labels, self.least_precision)
                ahead = rates[unseen[:, place]]
                best = auc, ahead, ahead >= threshold, coding.feature
        assert best is not None
        return best[1:]

    def _by_customer(self, chosen: Chosen) -> Judged:
        """Judge the chosen model, as it ships, in folds that let twins be."""
        probability = np.round(
            chosen.calibration.probability(self._refitted(chosen, self.customers)), PROBABILITY_DIGITS
        )
        return self._judged(probability, probability >= chosen.threshold)

    def _leaking(self, chosen: Chosen) -> Judged:
        """Judge the chosen model in folds that tear copies apart, as is done by those who did not look for them."""
        score = self._refitted(chosen, np.arange(self.table.rows))
        probability = calibrate(score, self.is_positive).probability(score)
        threshold, _ = choose_threshold(probability, self.is_positive, self.least_precision)
        return self._judged(probability, probability >= threshold)

    def _refitted(self, chosen: Chosen, groups: Rows) -> Floats:
        """Return the scores that the chosen model gives rows it has not seen, in other folds."""
        rows = np.arange(self.table.rows)
        fold = make_folds(groups, self.is_positive, OUTER, self.random_state)
        score = np.zeros(len(rows))
        for number in range(OUTER):
            train, test = rows[fold != number], rows[fold == number]
            score[test] = self._scored(chosen, train, test)
        return score


def _best_stage(views: Sequence[Floats], labels: Flags) -> int:
    """Return the stage with the smallest mean loss over views of shape (stages, rows), steepened as calibration would.

    Many trees are too sure of themselves before they are calibrated: without it too few would be taken.
    """
    outcome = labels.astype(np.float64)
    losses = []
    for stage in range(len(views[0])):
        level, slope, _ = logistic_line(views[0][stage], outcome)
        # the slope of scores that are all equal is not known
        steepened = [level + np.nan_to_num(slope) * view[stage] for view in views]
        losses.append(np.mean([_losses(one, labels).mean() for one in steepened]))
    return int(np.argmin(losses))


def _losses(score: Floats, labels: Flags) -> Floats:
    result: Floats = np.logaddexp(0.0, np.where(labels, -score, score))
    return result


def _earned(known: Sequence[Candidate], losses: Sequence[Floats], groups: Rows) -> int:
    """Return the candidate to take: what is more complex to read must beat the simpler by two standard errors.

    The difference in log loss is summed by group before its error is taken: copies are no further evidence. Among
    candidates that read alike, the smallest loss decides.
    """
    _, member = np.unique(groups, return_inverse=True)
    best = 0
    for rank in sorted({candidate.rank for candidate in known}):
        places = [place for place, candidate in enumerate(known) if candidate.rank == rank]
        place = min(places, key=lambda one: float(losses[one].mean()))
        gain = np.bincount(member.reshape(-1), weights=losses[best] - losses[place])
        if float(gain.sum()) > STANDARD_ERRORS * float(gain.std() * np.sqrt(len(gain))):
            best = place
    return best
