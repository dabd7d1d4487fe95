"""Settings that this shop's own data suggest, to be read by a person and pasted where settings are kept."""

from __future__ import annotations

import duckdb

from pipeline.base import paths
from pipeline.base.errors import PipelineError

# A score that more of the customers have tells them apart no longer.
CROWDED_SHARE = 0.6
# Windows people plan by. The shortest that sees this share of all returns is proposed, of those that fit several times
# into the shop's history: a model learns from windows that have closed.
HORIZONS = (30, 60, 90, 120, 180, 270, 365)
SEEN_SHARE = 0.8
LEAST_WINDOWS = 4
SCORES = 5


def propose() -> list[str]:
    """Hold the declared thresholds against the published warehouse.

    Returns
    -------
    list of str
        What was found, and one line of settings where others would tell customers apart better.

    Raises
    ------
    PipelineError
        Nothing is published yet.
    """
    file = paths.current_link() / "warehouse.duckdb"
    if not file.exists():
        raise PipelineError("Nothing is published yet, so there is nothing to propose from: run `make warehouse`.")
    with duckdb.connect(str(file.resolve()), read_only=True) as connection:
        people = connection.execute(
            "SELECT frequency, frequency_score, count(*) FROM marts.customer_rfm GROUP BY ALL ORDER BY ALL"
        ).fetchall()
        gaps = [
            int(days)
            for (days,) in connection.execute(
                """SELECT date_diff('day', lag(order_date) OVER person, order_date) AS days FROM (
                    SELECT DISTINCT customer_id, order_date FROM marts.fct_orders
                    WHERE is_valid_order AND customer_id IS NOT NULL)
                WINDOW person AS (PARTITION BY customer_id ORDER BY order_date)
                QUALIFY days IS NOT NULL ORDER BY days"""
            ).fetchall()
        ]
        (history,) = connection.execute(
            """SELECT date_diff('day', min(order_date), (SELECT as_of_date FROM marts.build_info))
            FROM marts.fct_orders"""
        ).fetchall()[0]
        (now,) = connection.execute("SELECT value FROM marts.parameters WHERE name = 'churn_horizon_days'").fetchall()[
            0
        ]
    counts = {int(frequency): int(number) for frequency, _, number in people}
    if not counts:
        return ["no customer has a valid order: nothing to propose from"]
    lines: list[str] = []
    settings: dict[str, object] = {}
    by_score = {score: sum(number for _, one, number in people if one == score) for score in range(1, SCORES + 1)}
    score, crowd = max(by_score.items(), key=lambda one: one[1])
    share = crowd / sum(by_score.values())
    lines.append(f"frequency  {share:.0%} of {sum(by_score.values()):,} customers have frequency score {score}")
    # most people with one order are a fact about the shop; most people in another score are one about the thresholds
    if share > CROWDED_SHARE and score > 1:
        settings["frequency_score_thresholds"] = frequency_thresholds(counts)
    if gaps:
        days = horizon_days(gaps, history)
        seen = sum(gap <= int(now) for gap in gaps) / len(gaps)
        lines.append(f"horizon    {now} days see {seen:.0%} of {len(gaps):,} returns; {days} are proposed")
        if days != int(now):
            settings["churn_horizon_days"] = days
    else:
        lines.append("horizon    nobody has come back yet: any horizon is a guess")
    if settings:
        told = ", ".join(f"{name}: {value}" for name, value in settings.items())
        lines.append("paste      into the vars of dbt_project.yml, or once:")
        lines.append(f"           python -m pipeline warehouse --vars '{{{told}}}'")
    else:
        lines.append("nothing    to change: the settings fit this shop")
    return lines


def frequency_thresholds(customers: dict[int, int]) -> list[int]:
    """Return the fewest occasions of each frequency score: one, and the fifths of the people who came back.

    Parameters
    ----------
    customers : dict of int to int
        Number of occasions to the people who have so many.

    Returns
    -------
    list of int
        Five, each larger than the one before.
    """
    returned = sorted((occasions, people) for occasions, people in customers.items() if occasions > 1)
    total = sum(people for _, people in returned)
    thresholds = [1]
    for part in range(SCORES - 1):
        at_least, passed = thresholds[-1] + 1, 0
        for occasions, people in returned:
            if passed >= total * part / (SCORES - 1):
                at_least = max(at_least, occasions)
                break
            passed += people
        thresholds.append(at_least)
    return thresholds


def horizon_days(gaps: list[int], history: int) -> int:
    """Return the shortest usual window within which most returns fall; the longest where none is long enough.

    Parameters
    ----------
    gaps : list of int
        Days from one occasion of a person to the next.
    history : int
        Days since the shop's first order.
    """
    possible = [days for days in HORIZONS if days * LEAST_WINDOWS <= history] or [HORIZONS[0]]
    for days in possible:
        if sum(gap <= days for gap in gaps) >= SEEN_SHARE * len(gaps):
            return days
    return possible[-1]
