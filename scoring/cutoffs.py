"""Which cut-offs a model may learn from, be calibrated on, be chosen on and be judged on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

# A window that overlaps the calibration window must not be fitted on: a long horizon would cost most of the history.
MIN_TRAINING_CUTOFFS = 3


@dataclass(frozen=True)
class Origin:
    """A day to predict from, and the earlier cut-offs whose outcome was known on that day.

    Parameters
    ----------
    cutoff : date
        The day.
    training : tuple of date
        Cut-offs to fit on: their windows had closed before the calibration cut-off.
    calibration : tuple of date
        Cut-off to calibrate on: the latest whose window had closed. When that leaves too few to fit on, all that are
        known serve both, and a third of the people are kept for calibration.
    """

    cutoff: date
    training: tuple[date, ...]
    calibration: tuple[date, ...]

    @property
    def is_split_by_people(self) -> bool:
        """Whether fitting and calibration share their cut-offs and part by customer."""
        return self.training == self.calibration


@dataclass(frozen=True)
class Plan:
    """The origins of one run.

    Parameters
    ----------
    final : Origin or None
        as_of_date; None when no window has closed yet, so that nothing can be learned.
    test : Origin or None
        The last cut-off whose window has closed, when something was known on that day.
    validation : Origin or None
        The last one whose window had closed by the test cut-off: the model is chosen here.
    backtests : tuple of Origin
        Others among the last three closed cut-offs, for the record.
    """

    final: Origin | None
    test: Origin | None
    validation: Origin | None
    backtests: tuple[Origin, ...]

    @property
    def judged(self) -> tuple[tuple[str, Origin], ...]:
        """Every origin that is evaluated, with its role, oldest first."""
        named = [("backtest", origin) for origin in self.backtests]
        if self.validation:
            named.append(("validation", self.validation))
        if self.test:
            named.append(("test", self.test))
        return tuple(sorted(named, key=lambda pair: pair[1].cutoff))


def with_history(history_days: Mapping[date, int], as_of: date, horizon_days: int) -> list[date]:
    """Leave out cut-offs of a shop younger than the horizon: a few days of customers teach what no later day is like.

    Parameters
    ----------
    history_days : mapping of date to int
        Days from the shop's first order to each cut-off.
    as_of : date
    horizon_days : int

    Returns
    -------
    list of date
        Every cut-off when none whose window has closed would be left.
    """
    old_enough = [cutoff for cutoff, days in history_days.items() if days >= horizon_days]
    if any(cutoff + timedelta(days=horizon_days) <= as_of for cutoff in old_enough):
        return old_enough
    return list(history_days)


def make_plan(cutoffs: Sequence[date], as_of: date, horizon_days: int, judged: int = 3) -> Plan:
    """Lay out a run so that no origin learns from a window that had not closed on its day.

    Parameters
    ----------
    cutoffs : sequence of date
        All cut-offs with features.
    as_of : date
        Day the warehouse looks from.
    horizon_days : int
        Length of the outcome window.
    judged : int
        How many of the last closed cut-offs to evaluate.

    Returns
    -------
    Plan
    """
    window = timedelta(days=horizon_days)
    past = sorted(cutoff for cutoff in cutoffs if cutoff < as_of)

    def origin(day: date) -> Origin | None:
        known = [cutoff for cutoff in past if cutoff + window <= day]
        if not known:
            return None
        calibration = known[-1]
        training = tuple(cutoff for cutoff in known if cutoff + window <= calibration)
        if len(training) < MIN_TRAINING_CUTOFFS:
            return Origin(day, tuple(known), tuple(known))
        return Origin(day, training, (calibration,))

    closed = [cutoff for cutoff in past if cutoff + window <= as_of]
    final = origin(as_of)
    test = origin(closed[-1]) if closed else None
    validation = None
    if test:
        known_at_test = [cutoff for cutoff in closed if cutoff + window <= test.cutoff]
        validation = origin(known_at_test[-1]) if known_at_test else None
    taken = {chosen.cutoff for chosen in (test, validation) if chosen}
    backtests = tuple(
        found for cutoff in closed[-judged:] if cutoff not in taken and (found := origin(cutoff)) is not None
    )
    return Plan(final, test, validation, backtests)
