"""People and their orders: who arrives when, what they put in the basket, and when they come back.

A chunk is a group of people simulated together until they have placed an exact number of orders. Chunks draw from
their own random streams, so they can be made in any order, on any number of workers, with the same result.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from demo.catalogue import (
    CATEGORIES,
    UNKNOWN,
    Catalogue,
    category_loyalty,
    category_rank,
    category_shares,
)
from demo.places import Places, distance_km
from demo.process import (
    DAY,
    DAYS,
    SCORES,
    UNDELIVERED,
    Bools,
    Clock,
    Floats,
    Ints,
    Process,
    Stories,
    arrival_weights,
    concat_stories,
    draw_next_day,
    draw_stories,
    draw_time_of_day,
    rate_factor,
)

CARD, SLIP, VOUCHER, DEBIT, UNDEFINED = range(5)
PAYMENT_SHARES = (0.745, 0.190, 0.045, 0.020)
BASKET_SHARES = (0.9000, 0.0760, 0.0135, 0.0050, 0.0025, 0.0018, 0.0005)  # 1, 2, ... items; the rest has more
LARGEST_BASKET = 21
SHARE_MOVING = 0.06  # of returning orders: sent to another address
SHARE_MOVING_FAR = 0.3  # of those: anywhere in the country
SHARE_RETRYING = 0.25  # of people whose first attempt failed
SHARE_UNAVAILABLE = 0.48  # of failed orders; the others are canceled


@dataclass(frozen=True)
class World:
    """Everything the chunks of one shop share."""

    places: Places
    catalogue: Catalogue
    process: Process
    clock: Clock


@dataclass(frozen=True)
class Baskets:
    """One row per item line; ``order`` is the position of its order. Money in cents, distance in kilometres."""

    order: Ints
    number: Ints
    product: Ints
    seller: Ints
    price: Ints
    freight: Ints


@dataclass(frozen=True)
class ValidOrders:
    """Valid orders of a chunk by person and number, with what the process knows about them."""

    person: Ints
    number: Ints
    place: Ints
    shelf: Ints
    payment: Ints
    theta: Floats
    stories: Stories


@dataclass(frozen=True)
class FailedOrders:
    """Canceled and unavailable orders of a chunk; times in seconds since the start, ``inf`` where nothing came."""

    person: Ints
    place: Ints
    payment: Ints
    is_unavailable: Bools
    has_items: Bools
    purchased: Floats
    promised_day: Ints
    approved: Floats
    carried: Floats
    created: Floats
    answered: Floats
    score: Ints


@dataclass(frozen=True)
class Chunk:
    """A group of people with all their orders."""

    people: int
    valid: ValidOrders
    valid_baskets: Baskets
    failed: FailedOrders
    failed_baskets: Baskets


def draw_baskets(rng: np.random.Generator, world: World, shelf: Ints, place: Ints) -> tuple[Baskets, Ints, Floats]:
    """Fill one basket per order.

    Returns
    -------
    tuple
        The lines; the main category of each order (largest value, ties by the name a report shows); and the distance
        from the first seller.
    """
    catalogue = world.catalogue
    size = shelf.size
    count = 1 + np.searchsorted(np.cumsum(BASKET_SHARES), rng.random(size), side="right")
    large = count > len(BASKET_SHARES)
    count[large] = np.minimum(len(BASKET_SHARES) + rng.geometric(0.35, int(large.sum())), LARGEST_BASKET)
    order = np.repeat(np.arange(size), count)
    first_line = np.cumsum(count) - count
    number = np.arange(order.size) - first_line[order] + 1

    product = catalogue.draw_products(rng, shelf)[order]
    others = np.flatnonzero((number > 1) & (rng.random(order.size) < 0.28))
    other_shelf = shelf[order[others]]
    # Only baskets of two mix shelves: the main category is then the same by largest line and by largest total.
    stray = (count[order[others]] == 2) & (rng.random(others.size) < 0.3)
    other_shelf[stray] = rng.choice(len(CATEGORIES), size=int(stray.sum()), p=category_shares())
    product[others] = catalogue.draw_products(rng, other_shelf)
    use_second = (rng.random(size) < 0.3)[order]
    seller = np.where(use_second, catalogue.second_seller[product], catalogue.seller[product])

    discount = np.where(rng.random(size) < 0.12, rng.choice(np.array([0.8, 0.85, 0.9, 0.95]), size=size), 1.0)
    price = np.maximum(np.round(catalogue.price[product] * discount[order]).astype(np.int64), 85)
    seller_place = catalogue.seller_place[seller]
    line_km = distance_km(world.places, seller_place, place[order])
    kilos = np.maximum(catalogue.weight[product], 100) / 1000.0
    noise = np.exp(0.18 * rng.standard_normal(size)) * (rng.random(size) >= 0.003)
    freight = np.round(100.0 * (8.6 + 0.0064 * line_km + 1.9 * kilos**0.8) * noise[order]).astype(np.int64)

    main = catalogue.category[product[first_line]]
    lines = np.flatnonzero(count[order] > 1)
    if lines.size:
        # Sum the value by order and category, then keep the largest.
        category = catalogue.category[product[lines]]
        shown = np.where(category == UNKNOWN, len(CATEGORIES), category)
        groups, position = np.unique(order[lines] * (len(CATEGORIES) + 1) + shown, return_inverse=True)
        total = np.bincount(position, price[lines])
        group_order, group_category = np.divmod(groups, len(CATEGORIES) + 1)
        best = np.lexsort((-category_rank()[group_category], total, group_order))
        main[group_order[best]] = group_category[best]  # the last of each order wins
        main[main == len(CATEGORIES)] = UNKNOWN
    return Baskets(order, number, product, seller, price, freight), main, line_km[first_line]


def _draw_shelves(rng: np.random.Generator, previous: Ints) -> Ints:
    """Draw the shelf each order starts from; half of returning orders go back to the last one."""
    edges = np.cumsum(category_shares())
    shelf = np.searchsorted(edges, rng.random(previous.size), side="right").clip(max=len(CATEGORIES) - 1)
    return np.where((previous >= 0) & (rng.random(previous.size) < 0.5), previous, shelf)


def _draw_payments(rng: np.random.Generator, size: int) -> Ints:
    return np.searchsorted(np.cumsum(PAYMENT_SHARES)[:-1], rng.random(size), side="right")


def _move(rng: np.random.Generator, world: World, place: Ints) -> Ints:
    """Give some returning people another address."""
    moves = rng.random(place.size)
    near = np.flatnonzero(moves < SHARE_MOVING)
    far = np.flatnonzero(moves < SHARE_MOVING * SHARE_MOVING_FAR)
    moved = place.copy()
    moved[near] = world.places.draw_in_state(rng, world.places.state[place[near]])
    moved[far] = world.places.draw(rng, far.size)
    return moved


def _simulate_group(rng: np.random.Generator, world: World, people: int) -> Chunk:
    """Simulate people from their first attempt to the end of the calendar."""
    process = world.process
    arrivals = np.cumsum(arrival_weights())
    arrivals /= arrivals[-1]
    entry = np.searchsorted(arrivals, rng.random(people), side="right").clip(max=DAYS - 1)
    home = world.places.draw(rng, people)
    fails = rng.random(people) < process.failed_first
    retries = rng.random(people) < SHARE_RETRYING
    retry_day = entry + 1 + np.floor(rng.exponential(6.0, people)).astype(np.int64)
    day = np.where(fails, np.where(retries, retry_day, DAYS), entry)

    failed_person, failed_day, failed_place = [np.flatnonzero(fails)], [entry[fails]], [home[fails]]
    rounds: list[ValidOrders] = []
    baskets: list[Baskets] = []
    person = np.flatnonzero(day < DAYS)
    day, place = day[person], home[person]
    previous = np.full(person.size, -1)
    number, placed = 1, 0
    loyalty = category_loyalty()
    while person.size or not rounds:
        purchased = day * DAY + draw_time_of_day(rng, person.size, working=False)
        shelf = _draw_shelves(rng, previous)
        basket, main, kilometres = draw_baskets(rng, world, shelf, place)
        payment = _draw_payments(rng, person.size)
        stories = draw_stories(rng, purchased, payment == SLIP, kilometres)
        theta = rate_factor(process, np.full(person.size, number), world.places.region[place], loyalty[main])
        rounds.append(ValidOrders(person, np.full(person.size, number), place, shelf, payment, theta, stories))
        baskets.append(
            Baskets(basket.order + placed, basket.number, basket.product, basket.seller, basket.price, basket.freight)
        )
        placed += person.size

        later = np.flatnonzero(rng.random(person.size) < process.failed_later)
        later_day = day[later] + 1 + np.floor(rng.exponential(40.0, later.size)).astype(np.int64)
        later = later[later_day < DAYS]
        failed_person.append(person[later])
        failed_day.append(later_day[later_day < DAYS])
        failed_place.append(place[later])

        day = draw_next_day(rng, world.clock, stories, theta)
        returns = np.flatnonzero(day < DAYS)
        person, day, previous = person[returns], day[returns], shelf[returns]
        place = _move(rng, world, place[returns])
        number += 1

    failed, failed_baskets = _draw_failed(
        rng, world, np.concatenate(failed_person), np.concatenate(failed_day), np.concatenate(failed_place)
    )
    valid = ValidOrders(
        **{
            name: np.concatenate([getattr(part, name) for part in rounds])
            for name in ("person", "number", "place", "shelf", "payment", "theta")
        },
        stories=concat_stories([part.stories for part in rounds]),
    )
    return Chunk(people, valid, _concat_baskets(baskets), failed, failed_baskets)


def _draw_failed(
    rng: np.random.Generator, world: World, person: Ints, day: Ints, place: Ints
) -> tuple[FailedOrders, Baskets]:
    """Draw orders that are canceled, or whose goods turn out to be unavailable."""
    size = person.size
    purchased = day * DAY + draw_time_of_day(rng, size, working=False)
    basket, _, kilometres = draw_baskets(rng, world, _draw_shelves(rng, np.full(size, -1)), place)
    is_unavailable = rng.random(size) < SHARE_UNAVAILABLE
    fate = rng.random(size)
    approved = np.floor(purchased + 3600.0 * np.exp(0.3 + 1.2 * rng.standard_normal(size)))
    approved = np.where(~is_unavailable & (fate < 0.22), np.inf, approved)
    carried = np.floor(approved + DAY * np.exp(0.9 + 0.6 * rng.standard_normal(size)))
    carried = np.where(is_unavailable | (fate < 0.88), np.inf, carried)
    promised_day = day + np.ceil(9.0 + 0.011 * kilometres).astype(np.int64) + rng.integers(0, 8, size)
    created = (promised_day + 2) * DAY
    silent = rng.random(size) < 0.05
    answered = np.floor(created + DAY * np.exp(0.9 + 0.9 * rng.standard_normal(size)))
    score = 1 + np.searchsorted(np.cumsum(SCORES[UNDELIVERED])[:4], rng.random(size), side="right")
    failed = FailedOrders(
        person=person,
        place=place,
        payment=_draw_payments(rng, size),
        is_unavailable=is_unavailable,
        has_items=rng.random(size) < np.where(is_unavailable, 0.01, 0.74),
        purchased=purchased,
        promised_day=promised_day,
        approved=approved,
        carried=carried,
        created=np.where(silent, np.inf, created),
        answered=np.where(silent, np.inf, answered),
        score=np.where(silent, 0, score),
    )
    return failed, basket


def _concat_baskets(parts: list[Baskets]) -> Baskets:
    return Baskets(*(np.concatenate([getattr(part, name) for part in parts]) for name in Baskets.__annotations__))


def _keep(chunk: Chunk, kept: Ints) -> Chunk:
    """Keep some people (ascending numbers), renumber them, and put their valid orders in the order of their lives."""
    new_number = np.full(chunk.people, -1)
    new_number[kept] = np.arange(kept.size)

    def keep_baskets(baskets: Baskets, rows: Ints, size: int) -> Baskets:
        position = np.full(size, -1)
        position[rows] = np.arange(rows.size)
        lines = np.flatnonzero(position[baskets.order] >= 0)
        lines = lines[np.argsort(position[baskets.order[lines]], kind="stable")]
        columns = {name: column[lines] for name, column in vars(baskets).items()}
        columns["order"] = position[columns["order"]]
        return Baskets(**columns)

    valid, failed = chunk.valid, chunk.failed
    rows = np.flatnonzero(new_number[valid.person] >= 0)
    rows = rows[np.lexsort((valid.number[rows], valid.person[rows]))]
    failed_rows = np.flatnonzero(new_number[failed.person] >= 0)
    kept_valid = ValidOrders(
        person=new_number[valid.person[rows]],
        number=valid.number[rows],
        place=valid.place[rows],
        shelf=valid.shelf[rows],
        payment=valid.payment[rows],
        theta=valid.theta[rows],
        stories=valid.stories.take(rows),
    )
    failed_columns = {name: column[failed_rows] for name, column in vars(failed).items()}
    failed_columns["person"] = new_number[failed_columns["person"]]
    return Chunk(
        kept.size,
        kept_valid,
        keep_baskets(chunk.valid_baskets, rows, valid.person.size),
        FailedOrders(**failed_columns),
        keep_baskets(chunk.failed_baskets, failed_rows, failed.person.size),
    )


def simulate_chunk(rng: np.random.Generator, world: World, budget: int) -> Chunk:
    """Simulate whole lives of people until they have placed exactly ``budget`` orders.

    People come in random order; the last few are taken only if their orders fit what is left. Nobody's history is
    cut short, so the probabilities hold for everyone.
    """
    people = int(budget / world.process.orders_per_person * 1.04) + 60
    while True:
        group = _simulate_group(rng, world, people)
        counts = np.bincount(group.valid.person, minlength=people) + np.bincount(group.failed.person, minlength=people)
        counts[counts == 0] = budget + 1  # an attempt past the calendar: not a customer
        kept = _fill(counts, budget)
        if kept is not None:
            return _keep(group, kept)
        people = int(people * 1.1) + 60


def _fill(counts: Ints, budget: int) -> Ints | None:
    """Choose the first people whose orders add up to the budget; nothing if there are too few."""
    fits = np.flatnonzero(counts <= budget)
    total = np.cumsum(counts[fits])
    whole = int(np.searchsorted(total, budget, side="right"))
    left = budget - (int(total[whole - 1]) if whole else 0)
    chosen = [fits[:whole]]
    for candidate in fits[whole:]:
        if left == 0:
            break
        if counts[candidate] <= left:
            chosen.append(np.array([candidate]))
            left -= int(counts[candidate])
    return np.concatenate(chosen) if left == 0 else None
