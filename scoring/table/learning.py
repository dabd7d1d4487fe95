"""Nested, grouped cross-validation: what is chosen in the inner folds is judged on an outer fold it has not seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score

from scoring.calibration import Calibration, calibrate
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
        Folds that keep copies together.
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
    leaking: Judged | None
    rule: Judged
    rule_feature: str
    picks: Mapping[str, int]


def learn(
    table: Table,
    is_positive: Flags,
    groups: Rows,
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
    least_precision : float
        That the threshold must reach.
    random_state : int
    spellings : mapping
        What was merged in the table.
    progress : callable
        Told of what is done.
    """
    return _Learning(table, is_positive, groups, least_precision, random_state, progress).run(spellings)


@dataclass(frozen=True)
class _Learning:
    table: Table
    is_positive: Flags
    groups: Rows
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
        chosen = self._choose(rows, self.groups)
        self.progress(f"all rows: {chosen.candidate.name}")
        codings = learn_codings(self.table, spellings)
        codes = code_matrix(codings, self.table)
        return Learned(
            chosen,
            codings,
            codes,
            chosen.candidate.fit(codings, codes, self.is_positive, chosen.length),
            self._judged(probability, is_chosen),
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
        chosen = self._choose(train, self.groups)
        return chosen, self._scored(chosen, train, test)

    def _scored(self, chosen: Chosen, train: Rows, test: Rows) -> Floats:
        codings = learn_codings(self.table.take(train))
        codes, unseen = code_matrix(codings, self.table.take(train)), code_matrix(codings, self.table.take(test))
        fitted = chosen.candidate.fit(codings, codes, self.is_positive[train], chosen.length)
        score: Floats = fitted.score(unseen)
        return score

    def _choose(self, rows: Rows, groups: Rows) -> Chosen:
        """Compare the candidates in inner folds, calibrate the best and choose its threshold there."""
        labels = self.is_positive[rows]
        fold = make_folds(groups[rows], labels, INNER, self.random_state + 1)
        scores: dict[int, Floats] = {}
        lengths: dict[int, int | None] = {}
        known = candidates(self.random_state, len(rows))
        parts = []
        for number in range(INNER):
            train, test = rows[fold != number], rows[fold == number]
            codings = learn_codings(self.table.take(train))
            parts.append(
                (
                    codings,
                    code_matrix(codings, self.table.take(train)),
                    self.is_positive[train],
                    code_matrix(codings, self.table.take(test)),
                )
            )
        for place, candidate in enumerate(known):
            stages: Floats | None = None
            for number, (codings, codes, own, unseen) in enumerate(parts):
                fitted = candidate.fit(codings, codes, own, None)
                found = np.array(fitted.stages(unseen)[9::10]) if candidate.is_staged else fitted.score(unseen)[None, :]
                stages = np.zeros((len(found), len(rows))) if stages is None else stages
                stages[:, fold == number] = found
            assert stages is not None
            losses = np.logaddexp(0.0, np.where(labels, -stages, stages)).mean(axis=1)
            best = int(losses.argmin())
            scores[place] = stages[best]
            lengths[place] = 10 * (best + 1) if candidate.is_staged else None
        pairs = [place for place, candidate in enumerate(known) if candidate.rank == known[-1].rank]
        scores[len(known)] = np.mean([scores[place] for place in pairs], axis=0)
        lengths[len(known)] = None
        known.append(mean_of([(known[place], lengths[place]) for place in pairs]))
        best_place = _earned(known, scores, labels, groups[rows])
        score = scores[best_place]
        calibration = calibrate(score, labels)
        probability = np.round(calibration.probability(score), PROBABILITY_DIGITS)
        threshold, is_met = choose_threshold(probability, labels, self.least_precision)
        return Chosen(
            known[best_place],
            lengths[best_place],
            calibration,
            threshold,
            is_met,
            {
                f"{candidate.name}, {candidate.settings}": float(_losses(scores[place], labels).mean())
                for place, candidate in enumerate(known)
            },
        )

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

    def _leaking(self, chosen: Chosen) -> Judged:
        """Judge the chosen model in folds that tear copies apart, as is done by those who did not look for them."""
        rows = np.arange(self.table.rows)
        fold = make_folds(rows, self.is_positive, OUTER, self.random_state)
        score = np.zeros(len(rows))
        for number in range(OUTER):
            train, test = rows[fold != number], rows[fold == number]
            score[test] = self._scored(chosen, train, test)
        probability = calibrate(score, self.is_positive).probability(score)
        threshold, _ = choose_threshold(probability, self.is_positive, self.least_precision)
        return self._judged(probability, probability >= threshold)


def _losses(score: Floats, labels: Flags) -> Floats:
    result: Floats = np.logaddexp(0.0, np.where(labels, -score, score))
    return result


def _earned(known: Sequence[Candidate], scores: Mapping[int, Floats], labels: Flags, groups: Rows) -> int:
    """Return the candidate to take: a more complex kind must beat the simpler one by two standard errors.

    The difference in log loss is summed by group before its error is taken: copies are no further evidence.
    """
    losses = {place: _losses(score, labels) for place, score in scores.items()}
    _, member = np.unique(groups, return_inverse=True)
    best = 0
    for place in sorted(scores, key=lambda one: known[one].rank):
        if place == best:
            continue
        gain = np.bincount(member.reshape(-1), weights=losses[best] - losses[place])
        is_same_kind = known[place].rank == known[best].rank
        error = 0.0 if is_same_kind else STANDARD_ERRORS * float(gain.std() * np.sqrt(len(gain)))
        if float(gain.sum()) > error:
            best = place
    return best
