"""Small files in the shapes that shops have, of our own making, with what is in them known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

PRODUCTS = 60
FEES = ("POST", "M", "DOT")


def wholesaler(rows: int = 4_000, seed: int = 5) -> pd.DataFrame:
    """Lines of invoices as a wholesaler's system writes them.

    A quarter of the lines names no customer; invoices whose number begins with C take lines back, some of them of
    purchases from before the first day; postage and manual corrections stand among the products.
    """
    rng = np.random.default_rng(seed)
    invoices = np.sort(rng.integers(0, rows // 8, rows))
    customer = rng.integers(12_346, 12_346 + rows // 40, invoices.max() + 1)
    is_known = rng.random(invoices.max() + 1) > 0.25
    day = np.sort(rng.integers(0, 700 * 24 * 60, invoices.max() + 1))
    product = rng.integers(0, PRODUCTS, rows)
    lines = pd.DataFrame(
        {
            "InvoiceNo": (536_365 + invoices).astype(str),
            "StockCode": [f"{21_000 + code}{'A' if code % 7 == 0 else ''}" for code in product],
            "Description": [f"Lantern no. {code}, painted" for code in product],
            "Quantity": rng.integers(1, 25, rows),
            "InvoiceDate": (np.datetime64("2023-01-09T08:00") + day[invoices].astype("timedelta64[m]")),
            "UnitPrice": np.round(rng.gamma(2, 2, PRODUCTS) + 0.3, 2)[product],
            "CustomerID": [f"{customer[one]}.0" if is_known[one] else "" for one in invoices],
            "Country": np.where(customer[invoices] % 11 == 0, "France", "United Kingdom"),
        }
    )
    fee = rng.random(rows) < 0.02
    lines.loc[fee, "StockCode"] = rng.choice(FEES, int(fee.sum()))
    lines.loc[fee, "Quantity"] = 1
    back = lines[rng.random(rows) < 0.06].copy()
    back["InvoiceNo"] = "C" + (600_000 + back.InvoiceNo.astype(int)).astype(str)
    back["Quantity"] = -np.ceil(back.Quantity * rng.choice([0.5, 1.0], len(back))).astype(int)
    back["InvoiceDate"] += np.timedelta64(26, "h")
    # what was bought before the file begins
    early = back.iloc[:3].copy()
    early["CustomerID"], early["InvoiceDate"] = "99001.0", np.datetime64("2023-01-09T08:00")
    free = lines.iloc[:5].copy()
    free["UnitPrice"], free["InvoiceNo"], free["CustomerID"] = 0.0, "599999", ""
    return pd.concat([lines, back, early, free]).sort_values("InvoiceDate", kind="stable").reset_index(drop=True)


def write_wholesaler(folder: Path, lines: pd.DataFrame) -> Path:
    """Write the lines as they are exported: month first, points, commas between cells."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "online_retail.csv"
    lines.assign(InvoiceDate=lines.InvoiceDate.dt.strftime("%-m/%-d/%Y %-H:%M")).to_csv(file, index=False)
    (folder / "shop.yml").write_text(WHOLESALER)
    return file


WHOLESALER = """\
preset: transactions
currency: GBP
country: GB
time_zone: Europe/London
from: online_retail.csv
columns:
  customer: CustomerID
  order: InvoiceNo
  date: InvoiceDate
  amount: Quantity * UnitPrice
  quantity: Quantity
  product: StockCode
  name: Description
  country: Country
not_products: [POST, M, DOT]
"""
