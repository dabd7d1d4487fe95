"""Which cut-offs a model may learn from, be chosen on and be judged on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

# Windows apart that a model is chosen on; older ones are of another shop, and each costs a fit of every model.
VALIDATIONS = 4
# The last closed windows, one a month, that the forecast is held against beside those it was judged on: a fit of the
# model that ships for each.
WATCHED = 3
# Fewer known month ends than these teach a model that is not the one of today.
MIN_KNOWN = 3


@dataclass(frozen=True)
class Origin:
    """A day to predict from, and the earlier cut-offs whose outcome was known on that day.

    Parameters
    ----------
    cutoff : date
        The day.
    known : tuple of date
        Cut-offs whose windows had closed, oldest first.
    """

    cutoff: date
    known: tuple[date, ...]


@dataclass(frozen=True)
class Plan:
    """The origins of one run.

    Parameters
    ----------
    final : Origin or None
        as_of_date; None when no window has closed yet, so that nothing can be learned.
    test : Origin or None
        The last cut-off whose window has closed, when something was known on that day.
    validations : tuple of Origin
        Earlier ones whose windows had closed by the test cut-off and do not overlap, oldest first: the model is chosen
        on all of them together.
    watched : tuple of Origin
        The last month ends whose windows have closed, those among the others included, oldest first: where the model
        that ships is held against what happened.
    """

    final: Origin | None
    test: Origin | None
    validations: tuple[Origin, ...]
    watched: tuple[Origin, ...] = ()

    @property
    def judged(self) -> tuple[tuple[str, Origin], ...]:
        """Every origin that is evaluated, with its role, oldest first."""
        named = [("validation", origin) for origin in self.validations]
        return (*named, ("test", self.test)) if self.test else tuple(named)


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


def apart(cutoffs: Sequence[date], horizon_days: int) -> list[date]:
    """Return the latest cut-off, and going back from it those whose windows do not overlap, oldest first."""
    found: list[date] = []
    for cutoff in sorted(cutoffs, reverse=True):
        if not found or cutoff + timedelta(days=horizon_days) <= found[-1]:
            found.append(cutoff)
    return found[::-1]


def make_plan(cutoffs: Sequence[date], as_of: date, horizon_days: int) -> Plan:
    """Lay out a run so that no origin learns from a window that had not closed on its day.

    Parameters
    ----------
    cutoffs : sequence of date
        All cut-offs with features.
    as_of : date
        Day the warehouse looks from.
    horizon_days : int
        Length of the outcome window.

    Returns
    -------
    Plan
    """
    window = timedelta(days=horizon_days)
    closed = sorted(cutoff for cutoff in cutoffs if cutoff < as_of and cutoff + window <= as_of)

    def known_on(day: date) -> tuple[date, ...]:
        return tuple(cutoff for cutoff in closed if cutoff + window <= day)

    if not closed:
        return Plan(None, None, ())
    final = Origin(as_of, tuple(closed))
    known = known_on(closed[-1])
    if not known:
        return Plan(final, None, ())
    origins = [Origin(cutoff, known_on(cutoff)) for cutoff in apart(known, horizon_days)[-VALIDATIONS:]]
    taught = [origin for origin in origins if len(origin.known) >= MIN_KNOWN]
    watched = [Origin(cutoff, known_on(cutoff)) for cutoff in closed[-WATCHED:]]
    return Plan(
        final,
        Origin(closed[-1], known),
        tuple(taught or [one for one in origins if one.known]),
        tuple(origin for origin in watched if len(origin.known) >= MIN_KNOWN),
    )
