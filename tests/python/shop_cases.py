"""The shops that the tests build by hand: corners, all cells, a day to look back from, one order, none."""

from __future__ import annotations

from collections import Counter
from itertools import product

from shops import Shop

# Twelve months of units whose coefficient of variation is exactly 0.5, and exactly 1.
UNITS_AT_X_LIMIT = (14, 9, 13, 6, 12, 3, 13, 26, 19, 9, 11, 9)
UNITS_AT_Y_LIMIT = (21, 0, 16, 0, 10, 1, 4, 30, 34, 9, 19, 0)
MONTHS = [f"2017-{month:02}" for month in range(3, 13)] + ["2018-01", "2018-02"]
ORDERS_PER_MONTH, ORDERS_IN_LAST_COMPLETE_MONTH = 40, 4

ORDERS_OF_FREQUENCY_SCORE = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6}

LOOK_BACK_DAY = "2017-12-15"


def empty_shop() -> Shop:
    """Headers only."""
    return Shop()


def one_order_shop() -> Shop:
    """One order in the middle of a month: no month is complete, one item is the whole revenue."""
    shop = Shop()
    shop.order("only", "2018-01-10 12:00:00", items=[("thing", "seller", 80.0)], delivered="2018-01-15 10:00:00")
    return shop


def cells_shop() -> Shop:
    """One customer for each (R, F, M) cell, named after it."""
    shop = Shop()
    for recency, frequency, monetary in product(range(1, 6), repeat=3):
        count = ORDERS_OF_FREQUENCY_SCORE[frequency]
        for number in range(count):
            shop.order(
                f"{recency}{frequency}{monetary}",
                # The last order's month decides; the earlier ones came before everyone's last, each on its own day.
                f"2018-{recency:02}-10 10:00:00" if number == 0 else f"2017-12-{number:02} 10:00:00",
                payments=[("credit_card", 600.0 * monetary / count)],
            )
    return shop


def corner_shop() -> Shop:
    """Ties, empty cells, dominating items and values exactly on a limit, padded to even months.

    March 2018 holds 2 orders, under a tenth of the median month's 40; February holds 4, exactly a tenth.
    """
    shop = Shop()
    _customers_on_limits(shop)
    _odd_orders(shop)
    _odd_reviews(shop)
    _odd_deliveries(shop)
    _products_on_limits(shop)
    shop.order("last-second", "2018-02-28 23:59:59")
    shop.order("first-second", "2018-03-01 00:00:00")
    shop.order("late", "2018-03-20 10:00:00", items=[("new", "seller", 10.0)])
    shop.order("latest", "2018-04-02 10:00:00", items=[("new", "seller", 10.0)])
    _pad(shop)
    _sellers_on_limits(shop)
    return shop


def _customers_on_limits(shop: Shop) -> None:
    for person, amounts in {
        "x-at-limit": (90, 100, 110),
        "y-at-limit": (75, 100, 125),
        "x-beyond": (89.99, 100, 110.01),
        "y-beyond": (74.99, 100, 125.01),
        "unchanging": (40, 40, 40),
        "free": (0, 0, 0),
        "twice": (40, 40),
        "four": (10, 20, 30, 40),
        "five": (10, 20, 30, 40, 50),
        "six": (10, 20, 30, 40, 50, 60),
        "seven": (10, 20, 30, 40, 50, 60, 70),
    }.items():
        for number, amount in enumerate(amounts):
            shop.order(person, f"{MONTHS[number]}-05 12:00:00", payments=[("credit_card", amount)])
    # Three orders of one person in the same second: only the order id tells which came first. One occasion.
    for order_id, state in (("twin-b", "RJ"), ("twin-c", "BA"), ("twin-a", "SP")):
        shop.order("twin", "2017-05-07 07:07:07", order_id=order_id, state=state)
    shop.order("canceled-only", "2017-06-01 10:00:00", status="canceled")
    shop.order("unavailable-first", "2017-06-01 10:00:00", status="unavailable", state="AM")
    shop.order("unavailable-first", "2017-08-01 10:00:00", state="PA")
    shop.order("canceled-last", "2017-06-01 10:00:00", state="AM")
    shop.order("canceled-last", "2017-09-01 10:00:00", status="canceled", state="PA")
    shop.order("nowhere", "2017-06-02 10:00:00", state="XX")


def _odd_orders(shop: Shop) -> None:
    shop.order("no-items", "2017-07-01 10:00:00", items=[], payments=[("boleto", 30)])
    shop.order("no-payment", "2017-07-01 11:00:00", payments=[])
    shop.order("nothing", "2017-07-01 12:00:00", items=[], payments=[])
    shop.order("equal-payments", "2017-07-02 10:00:00", payments=[("voucher", 50), ("boleto", 50)])
    shop.order("larger-second", "2017-07-02 11:00:00", payments=[("voucher", 49.99), ("boleto", 50.01)])
    shop.products |= {"untranslated": "sem_traducao", "uncategorised": None, "art": "artes", "gift": "perfumaria"}
    shop.order("equal-categories", "2017-07-03 10:00:00", items=[("art", "seller", 50), ("gift", "seller", 50)])
    shop.order(
        "sum-of-category",
        "2017-07-03 11:00:00",
        items=[("art", "seller", 60), ("gift", "seller", 40), ("gift", "seller", 40)],
    )
    shop.order("untranslated", "2017-07-03 12:00:00", items=[("untranslated", "seller", 50)])
    shop.order("uncategorised", "2017-07-03 13:00:00", items=[("uncategorised", "seller", 50)])
    shop.order("two-sellers", "2017-07-04 10:00:00", items=[("art", "seller", 50), ("art", "other", 50)])
    shop.order("free-item", "2017-07-04 11:00:00", items=[("free-item", "free-seller", 0.0)])
    shop.products["never-sold"] = "perfumaria"
    shop.sellers["never-sells"] = "SP"
    shop.order("canceled-item", "2017-07-04 12:00:00", items=[("canceled-item", "seller", 99)], status="canceled")


def _odd_reviews(shop: Shop) -> None:
    day, later = "2017-08-02 00:00:00", "2017-08-05 10:00:00"
    cases: dict[str, list[tuple[str, int, str | None, str | None]]] = {
        "latest-answer": [("review-1", 1, day, "2017-08-03 10:00:00"), ("review-0", 5, day, later)],
        "tied-answers": [("review-2", 2, day, later), ("review-3", 3, day, later)],
        "one-unanswered": [("review-5", 4, day, "2017-08-03 10:00:00"), ("review-4", 1, later, None)],
        "all-unanswered": [("review-6", 2, day, None), ("review-7", 3, day, None)],
        "no-stamps": [("review-8", 2, None, None)],
        "shared-review": [("review-0", 1, day, later)],
    }
    for person, reviews in cases.items():
        shop.order(person, "2017-08-01 10:00:00", reviews=reviews)


def _odd_deliveries(shop: Shop) -> None:
    bought, estimated = "2017-09-01 23:59:59", "2017-09-10 00:00:00"
    for person, delivered in {
        "over-midnight": "2017-09-02 00:00:01",
        "on-the-last-second": "2017-09-10 23:59:59",
        "a-second-later": "2017-09-11 00:00:00",
        "undated": None,
    }.items():
        shop.order(person, bought, estimated=estimated, delivered=delivered)
    shop.order("canceled-delivered", bought, estimated=estimated, delivered="2017-09-20 10:00:00", status="canceled")
    shop.order("shipped-delivered", bought, estimated=estimated, delivered="2017-09-20 10:00:00", status="shipped")


def _products_on_limits(shop: Shop) -> None:
    units = {
        "x-at-limit": UNITS_AT_X_LIMIT,
        "y-at-limit": UNITS_AT_Y_LIMIT,
        "hundred-units": [9] * 4 + [8] * 8,
        "units-short": [9] * 3 + [8] * 9,
        "months-short": [0] + [12] * 11,
    }
    # Each in a category of its own, so that the limits are met on both levels.
    shop.products |= {name: f"categoria-{name}" for name in units}
    for number, month in enumerate(MONTHS):
        lines = [(name, f"{name}-seller", 1.0) for name, monthly in units.items() for _ in range(monthly[number])]
        shop.order(f"stockist-{month}", f"{month}-15 10:00:00", items=lines)


def _pad(shop: Shop) -> None:
    """Fill each month up with orders that are all alike."""
    counts = Counter(str(row["order_purchase_timestamp"])[:7] for row in shop.rows["orders"])
    for month in MONTHS:
        wanted = ORDERS_IN_LAST_COMPLETE_MONTH if month == MONTHS[-1] else ORDERS_PER_MONTH
        assert counts[month] <= wanted, f"{month} holds {counts[month]} orders already"
        for number in range(wanted - counts[month]):
            shop.order(f"alike-{month}-{number:02}", f"{month}-20 20:00:00")


def _sellers_on_limits(shop: Shop) -> None:
    """Add sellers whose cumulative share before them is exactly 80 % and exactly 95 %.

    They sell inside existing orders' months, so the orders per month stay; the invalid orders' items do not count.
    """
    invalid = {row["order_id"] for row in shop.rows["orders"] if row["order_status"] in ("canceled", "unavailable")}
    sold = sum(round(float(str(row["price"])) * 100) for row in shop.rows["items"] if row["order_id"] not in invalid)
    others = sum(
        round(float(str(row["price"])) * 100)
        for row in shop.rows["items"]
        if row["order_id"] not in invalid and row["seller_id"] != "seller"
    )
    # The main seller is to have 80 parts, "at-80" 15, and "at-95", the largest of the rest, with all others 5.
    part = sold + others
    lines = {"seller": 80 * part - (sold - others), "at-80": 15 * part, "at-95": 5 * part - others}
    order_id = shop.rows["orders"][-1]["order_id"]
    for number, (seller, amount) in enumerate(lines.items(), start=2):
        shop.sellers.setdefault(seller, "SP")
        shop.products.setdefault(f"of-{seller}", "perfumaria")
        shop.rows["items"].append(
            {
                "order_id": order_id,
                "order_item_id": number,
                "product_id": f"of-{seller}",
                "seller_id": seller,
                "shipping_limit_date": "2018-04-05 00:00:00",
                "price": f"{amount / 100:.2f}",
                "freight_value": "0.00",
            }
        )


def look_back_shop() -> Shop:
    """Orders with every mix of stamps before, at and after the day to look back from."""
    shop = Shop()
    before, at, after = "2017-12-14 23:59:59", f"{LOOK_BACK_DAY} 00:00:00", "2017-12-20 09:00:00"
    stamps = (None, before, at, after)
    mixes = [("delivered", mix) for mix in product(stamps, repeat=3)]
    mixes += [("shipped", (*mix, None)) for mix in product(stamps, repeat=2)]
    mixes += [
        (status, (approved, None, None))
        for status, approved in product(("approved", "invoiced", "processing", "created", "unavailable"), stamps)
    ]
    mixes += [("canceled", mix) for mix in ((before, at, after), (at, None, None), (before, before, before))]
    for number, (status, (approved, shipped, delivered)) in enumerate(mixes):
        shop.order(
            f"person-{number % 60}",
            f"2017-{10 + number % 3}-{1 + number % 12:02} 10:00:00",
            status=status,
            approved=approved,
            shipped=shipped,
            delivered=delivered,
            estimated="2017-12-18 00:00:00",
            payments=[("credit_card", 10.0 + number)],
            state=("SP", "RJ", "BA")[number % 3],
        )
    for number, (created, answered) in enumerate(product(stamps, repeat=2)):
        person, review = f"reviewer-{number}", f"review-{number}"
        shop.order(person, "2017-12-01 10:00:00", reviews=[(review, 1 + number % 5, created, answered)])
        # An answer that is known and one that is not: the known one is the order's score.
        known = (f"known-{number}", 3, before, before)
        shop.order(person, "2017-11-01 10:00:00", reviews=[(f"{review}-b", 5, created, answered), known])
    shop.order("last-seen", before)
    shop.order("first-hidden", at)
    shop.order("person-0", at, state="AM")
    shop.order("person-1", after, state="AM", reviews=[("early-answer", 1, before, before)])
    shop.order("hidden-later", "2018-02-01 10:00:00", items=[("hidden-product", "hidden-seller", 500.0)])
    return shop
