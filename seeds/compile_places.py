# /// script
# requires-python = ">=3.11"
# dependencies = ["babel==2.19.0", "pycountry==26.2.16"]
# ///
"""Writes the seeds of currencies, countries and their subdivisions: `uv run seeds/compile_places.py`.

Codes and names are those of ISO 3166-1, 3166-2 and 4217 as Debian's iso-codes keeps them (read through pycountry, LGPL
2.1); symbols and decimals are those of Unicode's CLDR (read through babel). Neither is needed by anything else here.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

import pycountry
from babel.numbers import get_currency_precision, get_currency_symbol

SEEDS = Path(__file__).parent


def write(name: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write one seed, sorted."""
    with (SEEDS / name).open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(sorted(rows))


write(
    "currencies.csv",
    ["currency", "currency_name", "symbol", "decimals"],
    (
        (one.alpha_3, one.name, get_currency_symbol(one.alpha_3, "en"), get_currency_precision(one.alpha_3))
        for one in pycountry.currencies
    ),
)
write(
    "countries.csv",
    ["country", "country_name"],
    ((one.alpha_2, getattr(one, "common_name", one.name)) for one in pycountry.countries),
)
write(
    "subdivisions.csv",
    ["country", "state", "iso_code", "state_name"],
    (
        (one.country_code, one.code.partition("-")[2], one.code, one.name.replace(" [", "[").split("[")[0])
        for one in pycountry.subdivisions
    ),
)
