r"""The process behind repeat purchases, and the exact probabilities that follow from it.

Time is counted in whole days; cut-offs are midnights. Only *valid* orders drive the process. Canceled and unavailable
ones are pure chance: some people's first attempt fails, and any valid order may be followed by a failed one some weeks
later, whatever happens otherwise. They tell nothing about valid orders to come, so they appear in no equation.

**Rate.** After a valid order placed on day :math:`s`, the next valid order comes on day :math:`s + j`,
:math:`j = 1, 2, ...`, as soon as the integrated rate exceeds an exponential draw with mean one. The rate of that day is

.. math:: \theta \; m_{delay}(j) \; m_{score}(j) \; \lambda(j) \; w(s + j)

- :math:`\lambda(j) = \Lambda(j) - \Lambda(j-1)` with :math:`\Lambda(j) = \kappa (1 - (1 + j/\tau)^{-p})`: the longer
  ago the last order, the lower the rate. The total is finite, so many never return.
- :math:`w`: the calendar everyone shares (weekdays, November).
- :math:`\theta`: factors known with the last valid order itself: how many valid orders it makes, its main category,
  the region of the state it went to.
- :math:`m_{delay}`: 1 until the day after the delivery stamp, then the factor of the delay against the promised date;
  :math:`m_{score}`: 1 until the day after the review is answered, then the factor of its score. A fact has no effect
  before the shop can see it. An order that is never delivered or never reviewed keeps the factor 1.

Nothing about a person is hidden: two people with the same visible history have the same chances.

**Probability.** Let :math:`C_s(j) = \sum_{i \le j} \lambda(i) w(s+i)`. For a cut-off on day :math:`T = s + u`, days
:math:`T, ..., T + H - 1` are :math:`j = u, ..., u + H - 1`. Once the last order's review is answered nothing can change
any more and

.. math:: P = 1 - \exp(-\theta \, m_{delay} \, m_{score} \, (C_s(u + H - 1) - C_s(u - 1)))

exactly: surviving up to :math:`T` needs no correction, because the exponential has no memory and because the rate
before a stamp does not depend on what the stamp will say. While a stamp is still to come, :math:`P` is the expectation
of the same expression over the generator's own distributions of what is to come, given the stamps so far: payment takes
a log-normal time to be approved, the parcel a log-normal time to reach the carrier (or never does) and another, growing
with distance, to arrive (or never does), the review a log-normal time to be answered (or never is); its score follows a
distribution given the delay. Scores and the "never"s are summed over exactly, weighted by Bayes' rule with the time
already waited; the waiting times are integrated with a low-discrepancy sequence of ``NODES`` points through their
conditional quantile functions (a hand-over still to come counts as made at two in the afternoon). This concerns about
one person in 25, whose :math:`P` is right to some 0.4 % of itself. Order statuses are not used: as of the cut-off they
say no more than the stamps.

Windows may reach past the end of the calendar: the process goes on, only the files stop. The dirt added later leaves
these facts alone, or touches them only where their factor is 1.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

START = dt.date(2023, 1, 1)
END = dt.date(2025, 9, 1)  # first day without orders; later stamps are not in the files yet
DAYS = (END - START).days
LONGEST_HORIZON = 180
DAY = 86_400.0
NEVER = np.inf
NODES = 64
BLOCK = 2_000  # orders integrated at once: their nodes fit the processor's cache
TWO_PM = 14 * 3600.0

# log-normal waiting times: median and standard deviation of the logarithm
APPROVAL_HOURS, APPROVAL_SPREAD = 0.35, 0.8
SLIP_APPROVAL_HOURS, SLIP_APPROVAL_SPREAD = 30.0, 0.5  # bank slips are paid a day or two later
HANDLING_DAYS, HANDLING_SPREAD = 1.7, 0.75
TRANSIT_DAYS, TRANSIT_DAYS_PER_1000_KM, TRANSIT_SPREAD = 3.2, 8.0, 0.5
ANSWER_DAYS, ANSWER_SPREAD = 2.4, 0.9
SHARE_STUCK = 0.004  # never handed to the carrier
SHARE_LOST = 0.008  # handed to the carrier, never delivered
SHARE_SILENT = 0.008  # delivered, never reviewed
SHARE_SILENT_UNDELIVERED = 0.15
FESTIVE_SLOWDOWN = 1.3  # transit of orders placed between Black Friday and Christmas

# P(score = 1..5), by what happened to the parcel
ON_TIME, LATE, VERY_LATE, UNDELIVERED = range(4)
VERY_LATE_DAYS = 7
SCORES = np.array(
    [
        [0.070, 0.025, 0.080, 0.205, 0.620],
        [0.320, 0.090, 0.160, 0.180, 0.250],
        [0.670, 0.100, 0.090, 0.060, 0.080],
        [0.750, 0.100, 0.060, 0.040, 0.050],
    ]
)


@dataclass(frozen=True)
class Process:
    """Parameters of the return process; factors equal to one have no effect.

    Attributes
    ----------
    kappa, tau, power
        The decaying baseline: total, days, exponent.
    constant_rate
        A rate per day that never decays, added to the baseline.
    by_count, by_region, by_score, by_delay
        Factors for 1, 2, ... valid orders (the last also for more), the regions in the order of ``REGIONS``, scores
        1 to 5, and the classes of ``parcel_class``.
    uses_category
        Whether the categories' own factors count.
    failed_first, failed_later
        Share of people whose first attempt fails, and of valid orders followed by a failed one.
    orders_per_person
        About how many orders to expect of a person, to simulate neither too few people nor far too many.
    pair
        Factor where number of orders and category go together: a first order from a category that few come back for, a
        later one from one that many do. Elsewhere its inverse, so that neither feature tells it alone.
    """

    kappa: float
    tau: float
    power: float
    constant_rate: float
    by_count: tuple[float, ...]
    by_region: tuple[float, ...]
    by_score: tuple[float, ...]
    by_delay: tuple[float, ...]
    uses_category: bool
    failed_first: float
    failed_later: float
    orders_per_person: float
    pair: float = 1.0

    def baseline(self) -> Floats:
        """Integrated baseline rate at 0, 1, ... days after an order."""
        day = np.arange(DAYS + LONGEST_HORIZON + 1, dtype=np.float64)
        decaying = self.kappa * (1.0 - (1.0 + day / self.tau) ** -self.power)
        return np.asarray(decaying + self.constant_rate * day)


# in the order of places.REGIONS
REGION_FACTORS = (0.70, 0.75, 0.95, 1.10, 1.05)
SCORE_FACTORS = (0.45, 0.55, 0.80, 1.00, 1.15)
DELAY_FACTORS = (1.00, 0.65, 0.40, 1.00)
ONE_TIME_BUYERS = Process(
    kappa=0.13,
    tau=400.0,
    power=1.0,
    constant_rate=0.0,
    by_count=(1.0, 2.2, 3.0, 3.5),
    by_region=REGION_FACTORS,
    by_score=SCORE_FACTORS,
    by_delay=DELAY_FACTORS,
    uses_category=True,
    failed_first=0.009,
    failed_later=0.002,
    orders_per_person=1.075,
)
LOYAL_BUYERS = replace(
    ONE_TIME_BUYERS,
    kappa=1.5,
    tau=150.0,
    by_count=(1.0, 1.5, 1.9, 2.2, 2.4),
    failed_first=0.006,
    failed_later=0.009,
    orders_per_person=3.6,
)


def _without_signal(process: Process, constant_rate: float, orders_per_person: float) -> Process:
    """Give everyone the same constant rate."""
    return replace(
        process,
        kappa=0.0,
        constant_rate=constant_rate,
        by_count=(1.0,),
        by_region=(1.0,) * len(REGION_FACTORS),
        by_score=(1.0,) * len(SCORE_FACTORS),
        by_delay=(1.0,) * len(DELAY_FACTORS),
        uses_category=False,
        orders_per_person=orders_per_person,
    )


PAIR = 2.0  # of shops with pairs

PROCESSES: dict[tuple[str, bool], Process] = {
    ("default", True): ONE_TIME_BUYERS,
    ("loyal", True): LOYAL_BUYERS,
    ("default", False): _without_signal(ONE_TIME_BUYERS, 0.00012, 1.06),
    ("loyal", False): _without_signal(LOYAL_BUYERS, 0.0035, 2.45),
}


@dataclass(frozen=True)
class Stories:
    """What happened to valid orders, one value per order.

    Times are in seconds since ``START``, ``NEVER`` where nothing comes; ``day`` and ``promised_day`` count days since
    ``START``; ``score`` is 0 without a review; ``log_transit`` is the mean of the logarithm of the days in transit.
    """

    day: Ints
    purchased: Floats
    is_slip: Bools
    log_transit: Floats
    promised_day: Ints
    approved: Floats
    carried: Floats
    delivered: Floats
    created: Floats
    answered: Floats
    score: Ints

    def take(self, rows: npt.NDArray[np.int64] | Bools) -> Stories:
        """Select orders."""
        return Stories(**{name: column[rows] for name, column in vars(self).items()})


def concat_stories(parts: list[Stories]) -> Stories:
    """Put the orders of several rounds into one table."""
    return Stories(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in vars(parts[0])})


def calendar() -> tuple[Ints, Ints, Ints]:
    """Month, day of the month and weekday (0 = Monday) of every day up to the end of the longest horizon."""
    dates = [START + dt.timedelta(days=day) for day in range(DAYS + LONGEST_HORIZON + 1)]
    return (
        np.array([date.month for date in dates]),
        np.array([date.day for date in dates]),
        np.array([date.weekday() for date in dates]),
    )


def _is_black_friday(month: Ints, day: Ints, weekday: Ints) -> Bools:
    """Mark the fourth Friday of November."""
    return np.asarray((month == 11) & (weekday == 4) & (day >= 22) & (day <= 28))


WEEKDAY_WEIGHTS = np.array([1.14, 1.13, 1.09, 1.04, 0.99, 0.78, 0.83])


HOUR_WEIGHTS = np.array(
    [24.0, 12, 5, 3, 2, 2, 5, 12, 30, 48, 62, 66, 60, 65, 66, 65, 67, 62, 58, 60, 62, 62, 58, 41]  # from midnight
)


def arrival_weights() -> Floats:
    """Relative number of first orders on each day: growth, season, weekdays and Black Friday."""
    month, day_of_month, weekday = (column[:DAYS] for column in calendar())
    growth = 0.25 + 1.0 / (1.0 + np.exp(-(np.arange(DAYS) - 330) / 160.0))
    season = np.array([0.96, 0.90, 1.00, 0.97, 1.08, 1.00, 0.98, 1.03, 1.00, 1.02, 1.35, 1.10])[month - 1]
    friday = _is_black_friday(month, day_of_month, weekday)
    rush = 1.0 + 3.0 * friday + 0.9 * (np.roll(friday, 1) | np.roll(friday, -1)) + 0.5 * np.roll(friday, 3)
    christmas = np.where((month == 12) & (day_of_month >= 24), 0.55, 1.0)
    return np.asarray(growth * season * WEEKDAY_WEIGHTS[weekday] * rush * christmas)


def calendar_weights() -> Floats:
    """Weight of each day for people who return; one on average over ordinary weeks."""
    month, day_of_month, weekday = calendar()
    friday = _is_black_friday(month, day_of_month, weekday)
    return np.asarray(WEEKDAY_WEIGHTS[weekday] * np.where(month == 11, 1.15, 1.0) * (1.0 + 0.8 * friday))


class Clock:
    """Integrated rate of return after an order on each day of the calendar.

    Attributes
    ----------
    integrated : array of shape (DAYS, DAYS + LONGEST_HORIZON + 1)
        :math:`C_s(j)` in row ``s``, column ``j``; constant past the last known day.
    """

    def __init__(self, process: Process) -> None:
        """Tabulate the rate of one process."""
        self.process = process
        width = DAYS + LONGEST_HORIZON + 1
        step = np.diff(process.baseline())
        weights = np.concatenate([calendar_weights(), np.zeros(width)])
        self.integrated = np.zeros((DAYS, width))
        for day in range(DAYS):
            self.integrated[day, 1:] = np.cumsum(step * weights[day + 1 : day + width])
        # Rows are searched together: each is lifted above all earlier ones.
        self._lift = float(self.integrated.max()) + 1.0
        self._lifted = (self.integrated + self._lift * np.arange(DAYS)[:, None]).ravel()

    def until(self, day: Ints, offset: Ints | Floats) -> Floats:
        """Look up :math:`C_s(j)`; offsets outside the table count as its ends."""
        column = np.clip(offset, 0, self.integrated.shape[1] - 1).astype(np.int64)
        return np.asarray(self.integrated[day, column])

    def first_reaching(self, day: Ints, target: Floats) -> Ints:
        """Find the smallest :math:`j` with :math:`C_s(j)` at least ``target``; past the table where there is none."""
        width = self.integrated.shape[1]
        reachable = target <= self.integrated[day, -1]
        wanted = np.where(reachable, target, 0.0) + self._lift * day
        offset = np.searchsorted(self._lifted, wanted, side="left") - day * width
        return np.where(reachable, np.maximum(offset, 1), width + DAYS)


def rate_factor(process: Process, count: Ints, region: Ints, loyalty: Floats) -> Floats:
    r"""Give :math:`\theta` of orders from the number of valid orders so far, region and category factor."""
    by_pair = np.where((count > 1) == (loyalty > 1.0), process.pair, 1.0 / process.pair)
    by_count = np.array(process.by_count)[np.minimum(count, len(process.by_count)) - 1]
    by_category = loyalty if process.uses_category else np.ones_like(loyalty)
    return np.asarray(by_count * np.array(process.by_region)[region] * by_category * by_pair)


def parcel_class(delivered: Floats, promised_day: Ints) -> Ints:
    """Tell on time, late, very late and undelivered apart."""
    known = np.isfinite(delivered)
    delay = np.floor(np.where(known, delivered, 0.0) / DAY) - promised_day
    late = np.where(delay > VERY_LATE_DAYS, VERY_LATE, np.where(delay > 0, LATE, ON_TIME))
    return np.where(known, late, UNDELIVERED)


def day_after(stamp: Floats) -> Floats:
    """First day on which a stamp is visible."""
    return np.floor(stamp / DAY) + 1.0


def draw_time_of_day(rng: np.random.Generator, size: int, working: bool) -> Floats:
    """Draw seconds since midnight, in office hours or in a shop's rhythm."""
    if working:
        return np.asarray(np.floor(3600.0 * (8.0 + 12.0 * rng.beta(2.0, 2.0, size))))
    edges = np.cumsum(HOUR_WEIGHTS) / HOUR_WEIGHTS.sum()
    hour = np.searchsorted(edges, rng.random(size), side="right").clip(max=23)
    return np.asarray(hour * 3600.0 + np.floor(3600.0 * rng.random(size)))


def log_transit_days(day: Ints, kilometres: Floats) -> Floats:
    """Mean logarithm of the days in transit of orders placed on a day, over a distance."""
    month, day_of_month, _ = calendar()
    festive = ((month == 11) & (day_of_month >= 21)) | ((month == 12) & (day_of_month <= 22))
    slow = np.where(festive, FESTIVE_SLOWDOWN, 1.0)[day]
    return np.asarray(np.log((TRANSIT_DAYS + TRANSIT_DAYS_PER_1000_KM * kilometres / 1000.0) * slow))


def draw_stories(rng: np.random.Generator, purchased: Floats, is_slip: Bools, kilometres: Floats) -> Stories:
    """Draw approval, hand-over, delivery and review of valid orders."""
    size = purchased.size
    day = np.floor(purchased / DAY).astype(np.int64)
    log_transit = log_transit_days(day, kilometres)
    # The promise leaves room for all but the slowest tenth, and does not know about the festive season.
    plain_transit = TRANSIT_DAYS + TRANSIT_DAYS_PER_1000_KM * kilometres / 1000.0
    promised_day = day + np.ceil(4.5 + 1.9 * plain_transit + rng.integers(-3, 5, size)).astype(np.int64)

    hours, spread = _approval(is_slip)
    approved = np.floor(purchased + 3600.0 * np.exp(np.log(hours) + spread * rng.standard_normal(size)))
    handed = approved + DAY * HANDLING_DAYS * np.exp(HANDLING_SPREAD * rng.standard_normal(size))
    carried = np.floor(handed / DAY) * DAY + draw_time_of_day(rng, size, working=True)
    arrival = carried + DAY * np.exp(log_transit + TRANSIT_SPREAD * rng.standard_normal(size))
    midnight = np.floor(arrival / DAY) * DAY
    at_door = midnight + draw_time_of_day(rng, size, working=True)
    delivered = np.where(at_door <= carried, np.minimum(carried + 1800.0, midnight + DAY - 1.0), at_door)
    fate = rng.random(size)
    carried = np.where(fate < SHARE_STUCK, NEVER, carried)
    delivered = np.where(fate < SHARE_STUCK + SHARE_LOST, NEVER, delivered)

    kind = parcel_class(delivered, promised_day)
    silent = rng.random(size) < np.where(kind == UNDELIVERED, SHARE_SILENT_UNDELIVERED, SHARE_SILENT)
    created = np.where(kind == UNDELIVERED, (promised_day + 2) * DAY, day_after(delivered) * DAY)
    answered = np.floor(created + DAY * ANSWER_DAYS * np.exp(ANSWER_SPREAD * rng.standard_normal(size)))
    score = 1 + (rng.random(size)[:, None] > np.cumsum(SCORES, axis=1)[kind][:, :4]).sum(axis=1)
    return Stories(
        day=day,
        purchased=purchased,
        is_slip=is_slip,
        log_transit=log_transit,
        promised_day=promised_day,
        approved=approved,
        carried=carried,
        delivered=delivered,
        created=np.where(silent, NEVER, created),
        answered=np.where(silent, NEVER, answered),
        score=np.where(silent, 0, score),
    )


def _approval(is_slip: Bools) -> tuple[Floats, Floats]:
    hours = np.where(is_slip, SLIP_APPROVAL_HOURS, APPROVAL_HOURS)
    return hours, np.where(is_slip, SLIP_APPROVAL_SPREAD, APPROVAL_SPREAD)


def draw_next_day(rng: np.random.Generator, clock: Clock, stories: Stories, theta: Floats) -> Ints:
    """Draw the day of each person's next valid order; days past the calendar mean it is not in the files."""
    process = clock.process
    delay = np.array(process.by_delay)[parcel_class(stories.delivered, stories.promised_day)]
    score = np.concatenate([[1.0], process.by_score])[stories.score]
    first = clock.until(stories.day, day_after(stories.delivered) - 1.0 - stories.day)
    second = clock.until(stories.day, day_after(stories.answered) - 1.0 - stories.day)
    # A review of an undelivered order has no delivery before it.
    first = np.minimum(first, second)
    draw = rng.standard_exponential(theta.size)
    spent_first = theta * first
    spent_second = spent_first + theta * delay * (second - first)
    target = np.where(
        draw <= spent_first,
        draw / theta,
        np.where(
            draw <= spent_second,
            first + (draw - spent_first) / (theta * delay),
            second + (draw - spent_second) / (theta * delay * score),
        ),
    )
    return stories.day + clock.first_reaching(stories.day, target)


def probability_of_order(clock: Clock, stories: Stories, theta: Floats, cutoff: int, horizon: int) -> Floats:
    r"""Give the probability of a valid order in ``[cutoff, cutoff + horizon)``.

    Parameters
    ----------
    clock
        The process.
    stories
        Each person's last valid order before the cut-off.
    theta
        Its :math:`\theta`.
    cutoff
        Days from ``START`` to the cut-off, at midnight.
    horizon
        Days, at most ``LONGEST_HORIZON``.
    """
    process = clock.process
    waited = cutoff - stories.day
    mass = clock.until(stories.day, waited + horizon - 1) - clock.until(stories.day, waited - 1)
    is_closed = stories.answered < cutoff * DAY
    seen = np.where(stories.delivered < cutoff * DAY, stories.delivered, NEVER)
    delay = np.array(process.by_delay)[parcel_class(seen, stories.promised_day)]
    score = np.concatenate([[1.0], process.by_score])[np.where(is_closed, stories.score, 0)]
    result = np.asarray(-np.expm1(-theta * delay * score * mass))
    open_rows = np.flatnonzero(~is_closed)
    for start in range(0, open_rows.size, BLOCK):
        rows = open_rows[start : start + BLOCK]
        result[rows] = 1.0 - _survival_while_open(clock, stories.take(rows), theta[rows], cutoff, horizon)
    # Equal chances must stay equal after different arithmetic.
    return np.round(result, 12)


def _survival_while_open(clock: Clock, stories: Stories, theta: Floats, cutoff: int, horizon: int) -> Floats:
    """Integrate the chance of no order over the stamps still to come."""
    now = cutoff * DAY
    nodes = _nodes()
    is_delivered = stories.delivered < now
    is_carried = stories.carried < now
    is_approved = stories.approved < now

    hours, spread = _approval(stories.is_slip)
    waited_approval = np.where(is_approved, 0.0, (now - stories.purchased) / 3600.0)
    paid = stories.purchased[:, None] + 3600.0 * _wait(nodes[0], np.log(hours), spread, waited_approval)
    approved = np.where(is_approved[:, None], stories.approved[:, None], paid)
    handling_spread = np.full(theta.size, HANDLING_SPREAD)
    handling_log = np.full(theta.size, np.log(HANDLING_DAYS))
    waited_handling = np.where(is_approved & ~is_carried, (now - stories.approved) / DAY, 0.0)
    handed = approved + DAY * _wait(nodes[1], handling_log, handling_spread, waited_handling)
    carried = np.where(is_carried[:, None], stories.carried[:, None], np.floor(handed / DAY) * DAY + TWO_PM)
    transit_spread = np.full(theta.size, TRANSIT_SPREAD)
    waited_transit = np.where(is_carried & ~is_delivered, (now - stories.carried) / DAY, 0.0)
    arrival = carried + DAY * _wait(nodes[2], stories.log_transit, transit_spread, waited_transit)
    delivered = np.where(is_delivered[:, None], stories.delivered[:, None], arrival)

    # What the silence so far says: probability of each fate, by Bayes' rule.
    handling_left = _left(handling_log, handling_spread, waited_handling)
    transit_left = _left(stories.log_transit, transit_spread, waited_transit)
    answer_log = np.full(theta.size, np.log(ANSWER_DAYS))
    answer_spread = np.full(theta.size, ANSWER_SPREAD)
    created_lost = (stories.promised_day + 2.0) * DAY
    waited_lost = np.maximum((now - created_lost) / DAY, 0.0)
    talks_lost = (1.0 - SHARE_SILENT_UNDELIVERED) * _left(answer_log, answer_spread, waited_lost)
    unheard_lost = SHARE_SILENT_UNDELIVERED + talks_lost
    stuck = np.where(is_carried, 0.0, SHARE_STUCK) * unheard_lost
    lost = np.where(is_delivered, 0.0, SHARE_LOST * np.where(is_carried, 1.0, handling_left)) * unheard_lost
    arrives = (1.0 - SHARE_STUCK - SHARE_LOST) * np.where(is_carried, transit_left, handling_left)
    arrives = np.where(is_delivered, 1.0, arrives)
    asked = day_after(np.where(is_delivered, stories.delivered, now)) * DAY
    waited_answer = np.maximum((now - asked) / DAY, 0.0)
    talks = (1.0 - SHARE_SILENT) * _left(answer_log, answer_spread, waited_answer)
    share_arrives = arrives / (arrives + stuck + lost)
    share_talks = talks / (talks + SHARE_SILENT)
    share_talks_lost = talks_lost / unheard_lost

    answered = day_after(delivered) * DAY + DAY * _wait(nodes[3], answer_log, answer_spread, waited_answer)
    answered_lost = created_lost[:, None] + DAY * _wait(nodes[3], answer_log, answer_spread, waited_lost)
    kind = parcel_class(delivered, stories.promised_day[:, None])
    window = _Window(clock, stories.day, theta, cutoff, horizon)
    if_arrives = window.mean_survival(delivered, answered, kind, share_talks)
    nowhere = np.full(answered_lost.shape, NEVER)
    undelivered = np.full(answered_lost.shape, UNDELIVERED)
    if_lost = window.mean_survival(nowhere, answered_lost, undelivered, share_talks_lost)
    return np.asarray(share_arrives * if_arrives + (1.0 - share_arrives) * if_lost)


@dataclass(frozen=True)
class _Window:
    """The days after a cut-off, for people whose last orders were placed on ``day``."""

    clock: Clock
    day: Ints
    theta: Floats
    cutoff: int
    horizon: int

    def mean_survival(self, delivered: Floats, answered: Floats, kind: Ints, share_talks: Floats) -> Floats:
        """Average the chance of no order over nodes and scores, for given times of delivery and answer."""
        clock, process = self.clock, self.clock.process
        day, theta = self.day[:, None], self.theta[:, None]
        waited = self.cutoff - day
        last = waited + self.horizon - 1
        begin, end = clock.until(day, waited - 1), clock.until(day, last)
        # A stamp acts from the day after it, so its own day still counts as before.
        first = clock.until(day, np.clip(day_after(delivered) - 1 - day, waited - 1, last))
        second = clock.until(day, np.clip(day_after(answered) - 1 - day, waited - 1, last))
        first = np.where(kind == UNDELIVERED, second, first)
        delay = np.array(process.by_delay)[kind]
        before = np.exp(-theta * ((first - begin) + delay * (second - first)))
        silent = np.exp(-theta * ((first - begin) + delay * (end - first)))
        spoken = np.zeros_like(before)
        for index, factor in enumerate(process.by_score):
            spoken += SCORES[kind, index] * before * np.exp(-theta * delay * factor * (end - second))
        share = share_talks[:, None]
        return np.asarray((share * spoken + (1.0 - share) * silent).mean(axis=1))


def _nodes() -> Floats:
    """Low-discrepancy points in four dimensions (additive recurrence on the root of x^5 = x + 1), shape (4, NODES)."""
    root = 1.1673039782614187
    steps = root ** -np.arange(1.0, 5.0)
    return np.asarray((0.5 + np.outer(steps, np.arange(1, NODES + 1))) % 1.0)


def _left(log_median: Floats, spread: Floats, waited: Floats) -> Floats:
    """Probability that a log-normal wait exceeds what was waited already."""
    with np.errstate(divide="ignore"):
        return np.asarray(ndtr(-(np.log(np.maximum(waited, 0.0)) - log_median) / spread))


def _wait(node: Floats, log_median: Floats, spread: Floats, waited: Floats) -> Floats:
    """Conditional quantiles of a log-normal wait known to exceed ``waited``; shape (orders, nodes)."""
    left = np.maximum(_left(log_median, spread, waited), 1e-300)[:, None]
    return np.asarray(np.exp(log_median[:, None] - spread[:, None] * ndtri(left * (1.0 - node[None, :]))))
