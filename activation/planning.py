"""What an audience of today can show: before anybody is written to."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pyarrow.compute as pc

from activation.people import Selection, Today
from hypotheses import experiments


@dataclass(frozen=True)
class Plan:
    """A test of an audience, as it would be.

    Attributes
    ----------
    people
        Both arms together, the global control left aside.
    treated, control
        People in each arm, about.
    expected_rate
        Share expected to come back within the audience's days without treatment; None without a forecast.
    smallest_difference
        Rise of that share that such a size shows four times in five; None where none.
    people_needed
        Both arms together for the smallest uplift that would be worth it; None where no size would do.
    months
        Until so many have been in the audience, at the pace at which new people come; None where that is unknown.
    """

    people: int
    treated: int
    control: int
    expected_rate: float | None
    smallest_difference: float | None
    people_needed: int | None
    months: float | None

    @property
    def smallest_uplift(self) -> float | None:
        """The same as a share of the expected rate."""
        if self.smallest_difference is None or not self.expected_rate:
            return None
        return self.smallest_difference / self.expected_rate


def plan_for(selection: Selection, today: Today, global_share: float, sizes: tuple[int, int] | None = None) -> Plan:
    """Work out what a launch of an audience could show.

    Parameters
    ----------
    selection
        Who it is today.
    today
        The warehouse it was found in.
    global_share
        Share of people who are in no campaign.
    sizes
        Treated and control where they have been drawn.
    """
    audience = selection.audience
    if sizes is None:
        people = round(selection.people.num_rows * (1 - global_share))
        control = round(people * audience.control_share)
        sizes = people - control, control
    treated, control = sizes
    rate = expected_rate(selection)
    difference: float | None = None
    if rate is not None and 0 < rate < 1 and treated and control:
        found = float(experiments.detectable_difference(rate, treated, control))
        difference = found if math.isfinite(found) else None
    needed = experiments.people_needed(rate, audience.smallest_uplift, audience.control_share) if rate else None
    months = None
    if needed is not None:
        missing = needed - treated - control
        arriving = today.new_people_per_month * selection.matching / today.people if today.people else 0.0
        if missing <= 0:
            months = 0.0
        elif arriving > 0:
            months = missing / arriving
    return Plan(treated + control, treated, control, rate, difference, needed, months)


def expected_rate(selection: Selection) -> float | None:
    """Give the mean forecast of coming back within the audience's days; None where nobody was scored.

    The forecast is for its own horizon; for other days the chance of staying away is taken to the same power a day.
    """
    people = selection.people
    scored = people.filter(pc.is_valid(people["churn_probability"]))
    if not scored.num_rows:
        return None
    horizon = scored["churn_horizon_days"][0].as_py()
    staying_away = pc.power(scored["churn_probability"], selection.audience.days / horizon)
    return 1 - float(pc.mean(staying_away).as_py())


def told(selection: Selection, plan: Plan, reasons: dict[str, str]) -> list[str]:
    """Say in words what was found and planned."""
    audience = selection.audience
    lines = [f"{audience.name}: {audience.about}", f"  meet the condition    {selection.matching:>12,}"]
    lines += [f"  left out              {count:>12,}  {reasons[name]}" for name, count in selection.left_out.items()]
    remaining = selection.matching - sum(selection.left_out.values())
    if remaining > selection.people.num_rows:
        lines.append(
            f"  over the size         {remaining - selection.people.num_rows:>12,}  the last by {audience.sort}"
        )
    lines.append(
        f"  in the test           {plan.people:>12,}  about {plan.treated:,} treated, {plan.control:,} control"
    )
    if plan.expected_rate is None:
        return [*lines, "  expected to come back: unknown, nobody is scored (make score)"]
    lines.append(f"  expected to come back {plan.expected_rate:>12.2%}  within {audience.days} days, without a message")
    if plan.smallest_uplift is None:
        lines.append("  can show                    nothing: too few people, whatever happens")
    else:
        lines.append(
            f"  can show              {plan.smallest_uplift:>+12.0%}  or more of that rate "
            f"({plan.smallest_difference:.2%} of people), four times in five"
        )
    if plan.people_needed is None:
        return lines
    text = f"  to show {audience.smallest_uplift:+.0%} it takes {plan.people_needed:,} people"
    if plan.months == 0:
        return [*lines, f"{text}: there are enough"]
    if plan.months is None:
        return [*lines, f"{text}; nobody new has come, so waiting does not help"]
    wait = f"{plan.months:,.0f} months" if plan.months < 24 else f"{plan.months / 12:,.0f} years"
    return [*lines, f"{text}; at the pace at which new people come, about {wait} more"]
