"""Everything recomputed for one raw folder, each part once."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import pandas as pd

from recompute import orders as rollup
from recompute import segmentation
from recompute.as_of import without_later_orders
from recompute.raw import Raw, read_raw, stamps

SEEDS = Path(__file__).resolve().parents[3] / "seeds"


class Recomputed:
    """The pandas side of a comparison.

    Parameters
    ----------
    folder
        Folder of the nine raw CSV files.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @cached_property
    def cells(self) -> pd.DataFrame:
        """The seed that names each (recency, frequency, monetary) cell; a shop may change it."""
        return pd.read_csv(SEEDS / "rfm_segments.csv", dtype={"rfm_cell": str})

    @cached_property
    def states(self) -> pd.DataFrame:
        """The seed of Brazil's states and their regions, by state."""
        return pd.read_csv(SEEDS / "brazilian_states.csv").set_index("state")

    @cached_property
    def raw(self) -> Raw:
        """The nine tables as text, without what belongs to orders after the day the data ends."""
        return without_later_orders(self.whole)

    @cached_property
    def whole(self) -> Raw:
        """The nine tables as the files hold them."""
        return read_raw(self.folder)

    @cached_property
    def orders(self) -> pd.DataFrame:
        """One row per order."""
        return rollup.orders(self.raw).assign(
            customer_region=lambda frame: frame["customer_state"].map(self.states["region"]).fillna("unknown")
        )

    @cached_property
    def valid_orders(self) -> pd.DataFrame:
        """One row per order that counts as a purchase."""
        return self.orders[self.orders["is_valid_order"]]

    @cached_property
    def calendar(self) -> rollup.Calendar:
        """The day the shop is seen from; the shop must have orders."""
        purchases = pd.DataFrame({"purchased_at": stamps(self.whole.orders, "order_purchase_timestamp")})
        calendar = rollup.calendar(purchases.assign(order_month=rollup.month_of(purchases["purchased_at"])))
        assert calendar is not None, "the shop has no orders"
        return calendar

    @cached_property
    def valid_lines(self) -> pd.DataFrame:
        """Order lines of valid orders, with the order's month."""
        months = self.valid_orders[["order_id", "order_month"]]
        return rollup.items(self.raw).merge(months, on="order_id")

    @cached_property
    def rfm(self) -> pd.DataFrame:
        """RFM of every person with a valid order."""
        return segmentation.rfm_scores(segmentation.rfm_values(self.orders, self.calendar.as_of), self.cells)
