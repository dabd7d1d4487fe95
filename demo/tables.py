"""The nine raw tables as Arrow tables with their Olist headers, and fast writers for them."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from demo.catalogue import CATEGORIES, UNKNOWN, Catalogue
from demo.people import World
from demo.places import CITIES, UNITS, Places, draw_points, without_accents
from demo.process import START, Floats, Ints
from demo.records import STATUSES, Records
from demo.texts import Texts

FileFormat = Literal["csv", "parquet"]

ORDERS = "olist_orders_dataset"
ITEMS = "olist_order_items_dataset"
PAYMENTS = "olist_order_payments_dataset"
REVIEWS = "olist_order_reviews_dataset"
CUSTOMERS = "olist_customers_dataset"
GEOLOCATION = "olist_geolocation_dataset"
PRODUCTS = "olist_products_dataset"
SELLERS = "olist_sellers_dataset"
TRANSLATION = "product_category_name_translation"
TABLES = (ORDERS, ITEMS, PAYMENTS, REVIEWS, CUSTOMERS, GEOLOCATION, PRODUCTS, SELLERS, TRANSLATION)
# Tables whose text holds commas, quotes or line breaks; the writer refuses such text elsewhere.
QUOTED = (REVIEWS, SELLERS)

PAYMENT_TYPES = ("credit_card", "boleto", "voucher", "debit_card", "not_defined")
MONEY = pa.decimal128(12, 2)
# What people type into a seller form; {city} and {state} are filled in.
ODD_SELLER_CITIES = (
    "{city}/{state}",
    "{city} - {state}",
    "{city} / {city}",
    "{state} / {state}",
    "{zip}000",
    "{city}, {state}, brasil",
    "{city} \\{city}",
    "{city}  (centro)",
)


def _money(cents: Ints) -> pa.Array:
    words = np.empty((cents.size, 2), dtype=np.int64)
    words[:, 0] = cents
    words[:, 1] = cents >> 63
    return pa.Array.from_buffers(MONEY, cents.size, [None, pa.py_buffer(words)])


def _stamps(seconds: Floats) -> pa.Array:
    known = np.isfinite(seconds)
    whole = np.where(known, seconds, 0.0).astype(np.int64)
    stamps = np.datetime64(START, "s") + whole.astype("timedelta64[s]")
    stamps[~known] = np.datetime64("NaT", "s")
    return pa.array(stamps)


def _integers(values: Ints) -> pa.Array:
    """Make 32-bit integers; -1 means empty."""
    return pa.array(values.astype(np.int32), mask=values < 0)


def _choices(options: list[str], positions: Ints) -> pa.Array:
    """Look up text by position; -1 means empty."""
    return pa.array(options, pa.string()).take(pa.array(positions, mask=positions < 0))


def draw_ids(rng: np.random.Generator, size: int) -> pa.Array:
    """Draw identifiers of 32 hexadecimal digits."""
    digits = rng.bytes(16 * size).hex().encode("ascii")
    offsets = np.arange(size + 1, dtype=np.int32) * 32
    return pa.StringArray.from_buffers(size, pa.py_buffer(offsets), pa.py_buffer(digits))


class Names:
    """Identifiers and texts the chunks of one shop share."""

    def __init__(self, rng: np.random.Generator, world: World) -> None:
        """Draw the identifiers of products and sellers."""
        self.product_ids = draw_ids(rng, world.catalogue.shelf.size)
        self.seller_ids = draw_ids(rng, world.catalogue.seller_place.size)
        self.zip_prefixes = pa.array([f"{prefix:05d}" for prefix in world.places.zip_prefix.tolist()])
        self.texts = Texts()
        self._cities = [without_accents(row[1]) for row in CITIES]

    def customers(self, places: Places, place: Ints, order_ids: pa.Array, person_ids: pa.Array) -> pa.Table:
        """Make the customers table: one row per order."""
        return pa.table(
            {
                "customer_id": order_ids,
                "customer_unique_id": person_ids,
                "customer_zip_code_prefix": self.zip_prefixes.take(pa.array(place)),
                "customer_city": _choices(self._cities, places.city[place]),
                "customer_state": _choices([unit.state for unit in UNITS], places.state[place]),
            }
        )


def chunk_tables(
    world: World, names: Names, rng: np.random.Generator, records: Records, person_ids: pa.Array
) -> dict[str, pa.Table]:
    """Make the five tables that grow with the orders."""
    orders, items, payments, reviews = records.orders, records.items, records.payments, records.reviews
    size = orders.person.size
    order_ids, customer_ids = draw_ids(rng, size), draw_ids(rng, size)
    review_count = int(reviews.review.max()) + 1 if reviews.review.size else 0
    review_ids = draw_ids(rng, review_count)
    title, message = names.texts.draw(rng, reviews.score)
    return {
        ORDERS: pa.table(
            {
                "order_id": order_ids,
                "customer_id": customer_ids,
                "order_status": _choices(list(STATUSES), orders.status),
                "order_purchase_timestamp": _stamps(orders.purchased),
                "order_approved_at": _stamps(orders.approved),
                "order_delivered_carrier_date": _stamps(orders.carried),
                "order_delivered_customer_date": _stamps(orders.delivered),
                "order_estimated_delivery_date": _stamps(orders.promised),
            }
        ),
        ITEMS: pa.table(
            {
                "order_id": order_ids.take(pa.array(items.order)),
                "order_item_id": _integers(items.number),
                "product_id": names.product_ids.take(pa.array(items.product)),
                "seller_id": names.seller_ids.take(pa.array(items.seller)),
                "shipping_limit_date": _stamps(items.limit),
                "price": _money(items.price),
                "freight_value": _money(items.freight),
            }
        ),
        PAYMENTS: pa.table(
            {
                "order_id": order_ids.take(pa.array(payments.order)),
                "payment_sequential": _integers(payments.number),
                "payment_type": _choices(list(PAYMENT_TYPES), payments.kind),
                "payment_installments": _integers(payments.installments),
                "payment_value": _money(payments.value),
            }
        ),
        REVIEWS: pa.table(
            {
                "review_id": review_ids.take(pa.array(reviews.review)),
                "order_id": order_ids.take(pa.array(reviews.order)),
                "review_score": _integers(reviews.score),
                "review_comment_title": _choices(names.texts.titles, title),
                "review_comment_message": _choices(names.texts.messages, message),
                "review_creation_date": _stamps(reviews.created),
                "review_answer_timestamp": _stamps(reviews.answered),
            }
        ),
        CUSTOMERS: names.customers(world.places, orders.place, customer_ids, person_ids.take(pa.array(orders.person))),
    }


def reference_tables(world: World, names: Names, rng: np.random.Generator, points: int) -> dict[str, pa.Table]:
    """Make the four tables that do not grow with the orders."""
    return {
        GEOLOCATION: _geolocation(world.places, names, rng, points),
        PRODUCTS: _products(world.catalogue, names),
        SELLERS: _sellers(world, names, rng),
        TRANSLATION: pa.table(
            {
                "product_category_name": [category.name for category in CATEGORIES if category.english],
                "product_category_name_english": [category.english for category in CATEGORIES if category.english],
            }
        ),
    }


def _geolocation(places: Places, names: Names, rng: np.random.Generator, points: int) -> pa.Table:
    place, latitude, longitude, accented = draw_points(rng, places, points)
    spellings = [without_accents(row[1]) for row in CITIES] + [row[1].lower() for row in CITIES]
    return pa.table(
        {
            "geolocation_zip_code_prefix": names.zip_prefixes.take(pa.array(place)),
            "geolocation_lat": latitude,
            "geolocation_lng": longitude,
            "geolocation_city": _choices(spellings, places.city[place] + accented * len(CITIES)),
            "geolocation_state": _choices([unit.state for unit in UNITS], places.state[place]),
        }
    )


def _products(catalogue: Catalogue, names: Names) -> pa.Table:
    category = np.where(catalogue.category == UNKNOWN, -1, catalogue.category)
    return pa.table(
        {
            "product_id": names.product_ids,
            "product_category_name": _choices([category.name for category in CATEGORIES], category),
            "product_name_lenght": _integers(catalogue.name_length),
            "product_description_lenght": _integers(catalogue.description_length),
            "product_photos_qty": _integers(catalogue.photos),
            "product_weight_g": _integers(catalogue.weight),
            "product_length_cm": _integers(catalogue.length),
            "product_height_cm": _integers(catalogue.height),
            "product_width_cm": _integers(catalogue.width),
        }
    )


def _sellers(world: World, names: Names, rng: np.random.Generator) -> pa.Table:
    places, place = world.places, world.catalogue.seller_place
    cities = [without_accents(CITIES[number][1]) for number in places.city[place].tolist()]
    states = [UNITS[number].state for number in places.state[place].tolist()]
    zips = names.zip_prefixes.take(pa.array(place)).to_pylist()
    odd = rng.choice(len(cities), size=min(max(len(ODD_SELLER_CITIES), len(cities) // 110), len(cities)), replace=False)
    for number, row in enumerate(odd.tolist()):
        pattern = ODD_SELLER_CITIES[number % len(ODD_SELLER_CITIES)]
        cities[row] = pattern.format(city=cities[row], state=states[row].lower(), zip=zips[row])
    return pa.table(
        {
            "seller_id": names.seller_ids,
            "seller_zip_code_prefix": zips,
            "seller_city": cities,
            "seller_state": states,
        }
    )


def truth_table(person_ids: pa.Array, cutoff: dt.date, horizon: int, probability: Floats) -> pa.Table:
    """Make the rows of the true probabilities for one cut-off and horizon."""
    size = len(person_ids)
    return pa.table(
        {
            "customer_unique_id": person_ids,
            "cutoff_date": pa.repeat(pa.scalar(cutoff, pa.date32()), size),
            "horizon_days": pa.repeat(pa.scalar(horizon, pa.int32()), size),
            "probability": probability,
        }
    )


def encode_csv(name: str, table: pa.Table) -> pa.Buffer:
    """Encode rows as CSV without a header."""
    sink = pa.BufferOutputStream()
    quoting = "needed" if name in QUOTED else "none"
    pa_csv.write_csv(table, sink, pa_csv.WriteOptions(include_header=False, quoting_style=quoting))
    return sink.getvalue()


class Writer:
    """Appends tables to one file per name; use it in a ``with`` statement.

    Parameters
    ----------
    folder
        Where the files go.
    file_format
        ``csv`` or ``parquet``.
    """

    def __init__(self, folder: Path, file_format: FileFormat) -> None:
        """Open nothing yet."""
        self._folder = folder
        self._format = file_format
        self._open: dict[str, Any] = {}

    def __enter__(self) -> Writer:
        """Return the writer itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close all files."""
        for sink in self._open.values():
            sink.close()

    def prepare(self, name: str, table: pa.Table) -> Any:
        """Do the part of the work that needs no order: may run in any thread."""
        if self._format == "csv":
            return table.schema.names, encode_csv(name, table)
        # Microseconds are what every Parquet reader agrees on.
        schema = pa.schema(
            [pa.field(f.name, pa.timestamp("us") if pa.types.is_timestamp(f.type) else f.type) for f in table.schema]
        )
        return table.cast(schema)

    def append(self, name: str, prepared: Any) -> None:
        """Append what ``prepare`` returned."""
        if self._format == "csv":
            header, rows = prepared
            if name not in self._open:
                self._open[name] = (self._folder / f"{name}.csv").open("wb")
                self._open[name].write((",".join(header) + "\n").encode("utf-8"))
            self._open[name].write(rows)
        else:
            if name not in self._open:
                self._open[name] = pq.ParquetWriter(self._folder / f"{name}.parquet", prepared.schema)
            self._open[name].write_table(prepared)
