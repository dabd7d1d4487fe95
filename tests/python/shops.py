"""Small shops made by hand: nine CSV files from a few orders, for the cases that real data holds rarely or never."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
from recompute.raw import HEADERS, Raw, write_raw


@dataclass
class Shop:
    """Collects orders and writes them as raw files; whatever a test does not care about has a plain default."""

    rows: dict[str, list[dict[str, object]]] = field(default_factory=lambda: {name: [] for name in HEADERS})
    sellers: dict[str, str] = field(default_factory=dict)
    products: dict[str, str | None] = field(default_factory=dict)

    def order(
        self,
        person: str,
        bought: str,
        *,
        items: Sequence[tuple[str, str, float]] = (("product", "seller", 100.0),),
        payments: Sequence[tuple[str, float]] | None = None,
        reviews: Sequence[tuple[str, int, str | None, str | None]] = (),
        status: str = "delivered",
        approved: str | None = None,
        shipped: str | None = None,
        delivered: str | None = None,
        estimated: str = "2030-01-01 00:00:00",
        state: str = "SP",
        order_id: str | None = None,
    ) -> str:
        """Add an order.

        Parameters
        ----------
        person
            Who buys: `customer_unique_id`.
        bought
            Stamp of the purchase.
        items
            Product, seller and price of each line; freight is nothing.
        payments
            Type and amount of each payment; by default one card payment of the items' worth.
        reviews
            Review id, score, creation and answer stamp of each review.
        status, approved, shipped, delivered, estimated, state, order_id
            Cells of the order; a missing id is made from the order's number.
        """
        order_id = order_id or f"order-{len(self.rows['orders']) + 1:05}"
        self.rows["orders"].append(
            dict(
                zip(
                    HEADERS["orders"],
                    (order_id, f"of-{order_id}", status, bought, approved, shipped, delivered, estimated),
                    strict=True,
                )
            )
        )
        self.rows["customers"].append(
            dict(zip(HEADERS["customers"], (f"of-{order_id}", person, "01001", "sao paulo", state), strict=True))
        )
        for number, (product, seller, price) in enumerate(items, start=1):
            self.products.setdefault(product, "perfumaria")
            self.sellers.setdefault(seller, "SP")
            line = (order_id, number, product, seller, bought, f"{price:.2f}", "0.00")
            self.rows["items"].append(dict(zip(HEADERS["items"], line, strict=True)))
        if payments is None:
            payments = (("credit_card", sum(price for *_, price in items)),)
        for number, (kind, amount) in enumerate(payments, start=1):
            payment = (order_id, number, kind, 1, f"{amount:.2f}")
            self.rows["payments"].append(dict(zip(HEADERS["payments"], payment, strict=True)))
        for review_id, score, created, answered in reviews:
            review = (review_id, order_id, score, None, None, created, answered)
            self.rows["reviews"].append(dict(zip(HEADERS["reviews"], review, strict=True)))
        return order_id

    def raw(self) -> Raw:
        """Return the nine tables."""
        rows: dict[str, list[dict[str, object]]] = {
            **self.rows,
            "products": [
                dict(zip(HEADERS["products"], (name, category, 40, 500, 1, 300, 20, 10, 15), strict=True))
                for name, category in self.products.items()
            ],
            "sellers": [
                dict(zip(HEADERS["sellers"], (name, "01002", "sao paulo", state), strict=True))
                for name, state in self.sellers.items()
            ],
            "geolocation": [
                dict(zip(HEADERS["geolocation"], (zip_code, -23.55, -46.63, "sao paulo", "SP"), strict=True))
                for zip_code in ("01001", "01002")
            ]
            if self.rows["orders"]
            else [],
            "translation": [{"product_category_name": "perfumaria", "product_category_name_english": "perfumery"}]
            if self.rows["orders"]
            else [],
        }
        return Raw(**{name: pd.DataFrame(rows[name], columns=columns) for name, columns in HEADERS.items()})

    def write(self, folder: Path) -> Path:
        """Write the nine raw files into a folder and return it."""
        return write_raw(self.raw(), folder)
