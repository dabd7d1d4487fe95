"""A fictional table of customers with a label, with the traps of a well-known public one: ``python -m demo.labelled``.

The label comes from a known probability with effects of single features and of pairs. Three traps can be switched: the
table repeated with a constant added to its numbers, exact copies, and twins that differ in a cell or two.
"""

from __future__ import annotations

import argparse
import csv
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.base import paths
from pipeline.base.outcome import exit_code_of, run_until_stopped

Column = npt.NDArray[Any]  # numbers, or words as objects
Floats = npt.NDArray[np.float64]

DEVICES = ("Mobile Phone", "Computer", "Phone")
PAYMENTS = ("Debit Card", "Credit Card", "E wallet", "UPI", "Cash on Delivery", "COD", "CC")
CATEGORIES = ("Laptop & Accessory", "Mobile Phone", "Fashion", "Mobile", "Grocery", "Others")
MARITAL = ("Married", "Single", "Divorced")
# what the second half of the table says for a word of the first, in some of its rows
OTHER_SPELLINGS = {"Mobile Phone": "Phone", "Credit Card": "CC", "Cash on Delivery": "COD"}
SHIFTED = (
    "Tenure",
    "WarehouseToHome",
    "HourSpendOnApp",
    "NumberOfDeviceRegistered",
    "NumberOfAddress",
    "OrderAmountHikeFromlastYear",
    "CouponUsed",
    "OrderCount",
    "DaySinceLastOrder",
)
SHIFT = 1.0
CASHBACK_SHIFT = 25.0
BLANK_COLUMNS = ("Tenure", "WarehouseToHome", "HourSpendOnApp", "CouponUsed", "OrderCount", "DaySinceLastOrder")
BLANK_SHARE = 0.045
ELEVEN = (
    "Tenure",
    "WarehouseToHome",
    "NumberOfDeviceRegistered",
    "PreferedOrderCat",
    "SatisfactionScore",
    "MaritalStatus",
    "NumberOfAddress",
    "Complain",
    "DaySinceLastOrder",
    "CashbackAmount",
    "OrderCount",
)


@dataclass(frozen=True)
class Labelled:
    """The table, and what is true of it.

    Parameters
    ----------
    columns : dict of str to array
        As they are written, NaN and None for blanks; CustomerID and Churn among them.
    probability : array, shape (rows,)
        True probability of the label, known from the features before any cell was blanked.
    family : array of int, shape (rows,)
        Equal for rows that come from one and the same customer.
    """

    columns: dict[str, Column]
    probability: Floats
    family: npt.NDArray[np.int64]

    def write(self, file: Path) -> Path:
        """Write the table as CSV."""
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("w", newline="") as handle:
            writer = csv.writer(handle, lineterminator="\n")
            writer.writerow(self.columns)
            for row in zip(*self.columns.values(), strict=True):
                writer.writerow([_cell(value) for value in row])
        return file


def _cell(value: object) -> object:
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return ""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def make_labelled(
    customers: int = 2_815, *, seed: int = 11, has_shifted_copies: bool = True, has_twins: bool = True
) -> Labelled:
    """Make the table.

    Parameters
    ----------
    customers : int
        Rows before the shifted copies, which double them.
    seed : int
    has_shifted_copies : bool
        Repeat the table with constants added to ten numbers.
    has_twins : bool
        Draw customers in families that differ in a cell or two, and repeat a tenth of the rows exactly.
    """
    generator = np.random.default_rng(seed)
    families = max(2, int(customers * 0.45)) if has_twins else customers
    columns = _draw(generator, families)
    probability = _probability(columns)
    label = (generator.random(families) < probability).astype(np.float64)
    family = np.arange(families)
    if has_twins:
        member = np.concatenate([family, generator.choice(families, customers - families)])
        columns = {name: values[member] for name, values in columns.items()}
        _change_cells(columns, families, generator)
        family = member
    columns["Churn"] = label[family]
    probability = probability[family]
    for name in BLANK_COLUMNS:
        blanked = np.array(columns[name], dtype=np.float64)
        blanked[generator.random(customers) < BLANK_SHARE] = np.nan
        columns[name] = blanked
    if has_twins:
        copied = generator.choice(customers, customers // 10, replace=False)
        onto = generator.permutation(np.setdiff1d(np.arange(customers), copied))[: len(copied)]
        for copies in columns.values():
            copies[onto] = copies[copied]
        family, probability = family.copy(), probability.copy()
        family[onto], probability[onto] = family[copied], probability[copied]
    if has_shifted_copies:
        columns, probability, family = _repeat_shifted(columns, probability, family, generator)
    order = ["CustomerID", "Churn", *[name for name in columns if name != "Churn"]]
    columns["CustomerID"] = 50_001.0 + np.arange(len(probability))
    return Labelled({name: columns[name] for name in order}, probability, family)


def _draw(generator: np.random.Generator, rows: int) -> dict[str, Column]:
    def words(choices: tuple[str, ...], shares: tuple[float, ...]) -> Column:
        return generator.choice(np.array(choices, dtype=object), rows, p=np.array(shares) / sum(shares))

    category = words(CATEGORIES, (36, 22, 15, 14, 7, 5))
    tenure = np.minimum(np.floor(generator.exponential(10.0, rows)), 31.0)
    base = {
        "Laptop & Accessory": 165,
        "Mobile Phone": 140,
        "Mobile": 140,
        "Fashion": 210,
        "Grocery": 265,
        "Others": 290,
    }
    cashback = np.array([base[str(word)] for word in category]) + generator.normal(0, 14, rows) + 0.8 * tenure
    orders = 1.0 + generator.geometric(0.42, rows).clip(1, 15)
    return {
        "Tenure": tenure,
        "PreferredLoginDevice": words(DEVICES, (49, 29, 22)),
        "CityTier": generator.choice([1.0, 2.0, 3.0], rows, p=[0.65, 0.05, 0.30]),
        "WarehouseToHome": np.clip(np.round(generator.gamma(3.2, 4.9, rows)), 5, 36),
        "PreferredPaymentMode": words(PAYMENTS, (41, 27, 11, 7, 3, 6, 5)),
        "Gender": words(("Male", "Female"), (60, 40)),
        "HourSpendOnApp": generator.choice([0.0, 1.0, 2.0, 3.0, 4.0], rows, p=[0.01, 0.02, 0.29, 0.56, 0.12]),
        "NumberOfDeviceRegistered": generator.choice(
            [1.0, 2, 3, 4, 5, 6], rows, p=[0.05, 0.06, 0.30, 0.42, 0.15, 0.02]
        ),
        "PreferedOrderCat": category,
        "SatisfactionScore": generator.choice([1.0, 2, 3, 4, 5], rows, p=[0.21, 0.10, 0.30, 0.19, 0.20]),
        "MaritalStatus": words(MARITAL, (53, 32, 15)),
        "NumberOfAddress": np.clip(generator.geometric(0.25, rows), 1, 20).astype(np.float64),
        "Complain": (generator.random(rows) < 0.28).astype(np.float64),
        "OrderAmountHikeFromlastYear": np.round(generator.uniform(11, 26, rows)),
        "CouponUsed": np.minimum(generator.geometric(0.42, rows) - 1.0, orders),
        "OrderCount": orders,
        "DaySinceLastOrder": np.clip(np.round(generator.gamma(1.6, 2.8, rows)), 0, 30),
        "CashbackAmount": np.round(cashback, 2),
    }


def _probability(columns: dict[str, Column]) -> Floats:
    """Return the true probability of churn: what two features say together is more than half of it."""
    number = {name: np.asarray(values, dtype=np.float64) for name, values in columns.items() if values.dtype != object}
    is_new, is_young = number["Tenure"] <= 1, number["Tenure"] <= 6
    complains = number["Complain"] == 1
    is_single = columns["MaritalStatus"] == "Single"
    is_phone = np.isin(columns["PreferedOrderCat"], ("Mobile", "Mobile Phone"))
    is_far = number["WarehouseToHome"] > 16
    is_quiet = number["DaySinceLastOrder"] <= 3
    many = number["NumberOfAddress"] >= 5
    strange = (number["CashbackAmount"] > 170) & (number["CashbackAmount"] < 190)
    happy = number["SatisfactionScore"] >= 4
    score = (
        -5.4
        + 3.0 * is_new
        + 1.2 * complains
        + 3.4 * (is_young & complains)
        + 3.0 * (is_new & is_phone)
        - 3.4 * (is_new & ~is_phone & ~complains)
        + 3.2 * (is_single & happy)
        - 1.2 * is_single
        + 3.4 * (many & is_quiet)
        + 2.6 * (is_far & complains)
        + 2.8 * (strange & is_young)
        - 2.4 * (~is_young & happy)
    )
    result: Floats = 1.0 / (1.0 + np.exp(-1.35 * score))
    return result


def _change_cells(columns: dict[str, Column], unchanged: int, generator: np.random.Generator) -> None:
    """Change a cell or two of every row behind the first `unchanged`, to what another row has there."""
    names = list(columns)
    for row in range(unchanged, len(columns["Tenure"])):
        for name in generator.choice(names, generator.integers(1, 3), replace=False):
            columns[name][row] = columns[name][generator.integers(unchanged)]


def _repeat_shifted(
    columns: dict[str, Column], probability: Floats, family: npt.NDArray[np.int64], generator: np.random.Generator
) -> tuple[dict[str, Column], Floats, npt.NDArray[np.int64]]:
    repeated = {}
    for name, values in columns.items():
        again = values.copy()
        if name in SHIFTED:
            again = np.asarray(values, dtype=np.float64) + SHIFT
        elif name == "CashbackAmount":
            again = np.round(np.asarray(values, dtype=np.float64) + CASHBACK_SHIFT, 2)
        elif name in ("PreferredLoginDevice", "PreferredPaymentMode"):
            is_kept = generator.random(len(values)) < 0.7
            again = np.array(
                [
                    word if kept else OTHER_SPELLINGS.get(str(word), word)
                    for word, kept in zip(values, is_kept, strict=True)
                ],
                dtype=object,
            )
        repeated[name] = np.concatenate([values, again])
    return repeated, np.concatenate([probability] * 2), np.concatenate([family] * 2)


def main(arguments: list[str] | None = None) -> int:
    """Write the table; returns an exit code."""
    parser = argparse.ArgumentParser(prog="python -m demo.labelled", description=__doc__)
    parser.add_argument("--customers", type=int, default=2_815, help="rows before the shifted copies")
    parser.add_argument("--seed", type=int, default=11, help="another seed, other customers")
    parser.add_argument("--no-copies", action="store_true", help="without the shifted copies")
    parser.add_argument("--no-twins", action="store_true", help="without exact copies and near twins")
    parser.add_argument("--out", type=Path, default=paths.PROJECT / "data/labelled/customers.csv", help="file")
    options = parser.parse_args(arguments)

    def write() -> None:
        made = make_labelled(
            options.customers,
            seed=options.seed,
            has_shifted_copies=not options.no_copies,
            has_twins=not options.no_twins,
        )
        made.write(options.out)

    return exit_code_of(lambda: run_until_stopped(write))


if __name__ == "__main__":
    sys.exit(main())
