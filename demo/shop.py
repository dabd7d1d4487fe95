"""Generation of a whole shop: chunks simulated side by side, written in order, put in place at once."""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from demo.catalogue import build_catalogue
from demo.dirt import SMALLEST_DIRTY_SHOP, Soiler
from demo.extras import EXTRAS, EXTRAS_TRUTH_FILE
from demo.further import CONTACTS_FILE, EFFECTS_FILE, SUFFIX
from demo.people import Chunk, World, simulate_chunk
from demo.places import build_places
from demo.process import DAY, PAIR, PROCESSES, START, Clock, Process, probability_of_order
from demo.records import build_records
from demo.tables import (
    TABLES,
    FileFormat,
    Names,
    Writer,
    chunk_tables,
    draw_ids,
    reference_tables,
    truth_table,
)
from pipeline.base.console import say, step
from pipeline.base.errors import PipelineError

GENERATOR_VERSION = "1"
MOST_ORDERS = 30_000_000
CHUNK_ORDERS = 50_000
MOST_WORKERS = 4  # more would only wait for the writer, each with a chunk in memory
HORIZONS = (90, 180)
TRUTH_FILE = "true_probabilities.parquet"
SHOP_FILE = "shop.json"
# Random streams; each has one job, so a change in one leaves the others as they were.
PLACES_STREAM, CATALOGUE_STREAM, NAMES_STREAM, REFERENCE_STREAM = range(4)
PEOPLE_STREAM, RECORDS_STREAM, DIRT_STREAM, PERSON_STREAM, ROWS_STREAM = range(5)

Shop = Literal["default", "loyal"]


class DemoError(PipelineError, ValueError):
    """The demo shop cannot be generated as asked: nothing was changed."""

    exit_code = 2


def cutoffs(as_of: int) -> list[int]:
    """Return the days, latest first, whose true probabilities are written: `as_of`, and the last month ends judged.

    Of each horizon the first day of the last month whose window has closed by `as_of`.
    """
    found = [as_of]
    for horizon in HORIZONS:
        day = START + dt.timedelta(days=as_of - horizon)
        found.append((day.replace(day=1) - START).days)
    return found


@dataclass(frozen=True)
class _Plan:
    """One shop to generate, and what its chunks share."""

    orders: int
    process_seed: int
    world: World
    names: Names

    @property
    def chunks(self) -> int:
        return -(-self.orders // CHUNK_ORDERS)

    def stream(self, chunk: int, job: int) -> np.random.Generator:
        return np.random.default_rng([self.process_seed, 1, chunk, job])

    def simulate(self, chunk: int) -> tuple[Chunk, pa.Array]:
        """Simulate one chunk; return it with the identifiers of its people."""
        budget = min(CHUNK_ORDERS, self.orders - chunk * CHUNK_ORDERS)
        people = simulate_chunk(self.stream(chunk, PEOPLE_STREAM), self.world, budget)
        return people, draw_ids(self.stream(chunk, PERSON_STREAM), people.people)

    def truth(self, chunk: Chunk, person_ids: pa.Array, as_of: int) -> list[pa.Table]:
        """Give the true probabilities of a chunk's people, one table per cut-off and horizon."""
        valid = chunk.valid
        tables = []
        for cutoff in cutoffs(as_of):
            past = np.flatnonzero(valid.stories.day < cutoff)
            last = past[np.flatnonzero(np.diff(valid.person[past], append=-1) != 0)]
            stories, theta = valid.stories.take(last), valid.theta[last]
            ids = person_ids.take(pa.array(valid.person[last]))
            for horizon in HORIZONS:
                probability = probability_of_order(self.world.clock, stories, theta, cutoff, horizon)
                tables.append(truth_table(ids, START + dt.timedelta(days=cutoff), horizon, probability))
        return tables


@dataclass(frozen=True)
class _Made:
    """One chunk, ready to be appended."""

    tables: dict[str, Any]
    truth: list[pa.Table]
    people: int
    last_day: int


def generate(
    out_dir: Path,
    orders: int,
    seed: int = 7,
    shop: Shop = "default",
    file_format: FileFormat = "csv",
    *,
    process_seed: int | None = None,
    signal: bool = True,
    pairs: bool = False,
    workers: int | None = None,
) -> None:
    """Generate a fictional shop: nine raw tables, the true probabilities of another order, and ``shop.json``.

    The same arguments give byte-identical files, whatever the number of workers.

    Parameters
    ----------
    out_dir
        Folder of the shop; an earlier shop in it is replaced, anything else is not touched and raises.
    orders
        Exact number of orders, 1 to 10,000,000.
    seed
        Seed of places, products and sellers, and of everything else unless ``process_seed`` says otherwise.
    shop
        ``default``: mostly one-time buyers; ``loyal``: more than half come back.
    file_format
        ``csv`` or ``parquet``.
    process_seed
        Seed of people, orders and returns: another history of the same shop.
    signal
        False: everyone returns at the same constant rate, so that no model can have skill.
    pairs
        True: number of orders and category act on the return together, which no sum over single features tells.
    workers
        Threads; by default one per core, at most four.

    Raises
    ------
    DemoError
        The number of orders is out of range, an option is unknown, or ``out_dir`` holds something that is not a
        generated shop.
    """
    if not 1 <= orders <= MOST_ORDERS:
        raise DemoError(f"orders must lie between 1 and {MOST_ORDERS:,}, not {orders:,}")
    if seed < 0 or (process_seed or 0) < 0:
        raise DemoError("seeds are not negative")
    if (shop, signal) not in PROCESSES:
        raise DemoError(f"unknown shop {shop!r}: default or loyal")
    if file_format not in ("csv", "parquet"):
        raise DemoError(f"unknown file format {file_format!r}: csv or parquet")
    out_dir = Path(out_dir).resolve()
    _check_replaceable(out_dir)
    partial = out_dir.with_name(f".{out_dir.name}.partial")
    with step("demo shop") as this:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        try:
            process = replace(PROCESSES[shop, signal], pair=PAIR if pairs else 1.0)
            plan = _make_plan(orders, seed, seed if process_seed is None else process_seed, process)
            people, as_of = _write(plan, seed, partial, file_format, workers or min(os.cpu_count() or 1, MOST_WORKERS))
            as_of_date = START + dt.timedelta(days=as_of)
            facts = {
                "generator_version": GENERATOR_VERSION,
                "orders": orders,
                "seed": seed,
                "shop": shop,
                "file_format": file_format,
                "process_seed": plan.process_seed,
                "signal": signal,
                **({"pairs": True} if pairs else {}),
                "people": people,
                "as_of_date": as_of_date.isoformat(),
                "cutoff_dates": [(START + dt.timedelta(days=cutoff)).isoformat() for cutoff in cutoffs(as_of)],
                "horizons_days": list(HORIZONS),
            }
            (partial / SHOP_FILE).write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
            _put_in_place(partial, out_dir)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        this.result = f"{orders:,} orders of {people:,} people up to {as_of_date - dt.timedelta(days=1)}"


def _make_plan(orders: int, seed: int, process_seed: int, process: Process) -> _Plan:
    def stream(job: int) -> np.random.Generator:
        return np.random.default_rng([seed, 0, job])

    places = build_places(stream(PLACES_STREAM))
    catalogue = build_catalogue(stream(CATALOGUE_STREAM), places, orders)
    world = World(places, catalogue, process, Clock(process))
    return _Plan(orders, process_seed, world, Names(stream(NAMES_STREAM), world))


def _write(plan: _Plan, seed: int, folder: Path, file_format: FileFormat, workers: int) -> tuple[int, int]:
    """Write all files but ``shop.json``; return the number of people and the day after the last purchase."""
    # Nearly every shop sells something on the calendar's last day; tiny ones find out and compute the truth again.
    expected = plan.world.clock.integrated.shape[0]
    people, last_day = 0, 0
    with Writer(folder, file_format) as writer, _TruthWriter(folder) as truth:

        def make(chunk: int) -> _Made:
            simulated, person_ids = plan.simulate(chunk)
            records = build_records(plan.stream(chunk, RECORDS_STREAM), simulated)
            Soiler(plan.stream(chunk, DIRT_STREAM), chunk == 0 and plan.orders >= SMALLEST_DIRTY_SHOP).soil(records)
            tables = chunk_tables(plan.world, plan.names, plan.stream(chunk, ROWS_STREAM), records, person_ids)
            return _Made(
                tables={name: writer.prepare(name, table) for name, table in tables.items()},
                truth=plan.truth(simulated, person_ids, expected),
                people=simulated.people,
                last_day=int(records.orders.purchased[-1] // DAY),
            )

        for made in _in_order(make, plan, workers):
            for name, prepared in made.tables.items():
                writer.append(name, prepared)
            truth.append(made.truth)
            people += made.people
            last_day = max(last_day, made.last_day)
        points = int(np.clip(plan.orders * 3 // 2, 12_000, 900_000))
        rng = np.random.default_rng([seed, 0, REFERENCE_STREAM])
        for name, table in reference_tables(plan.world, plan.names, rng, points).items():
            writer.append(name, writer.prepare(name, table))
    as_of = last_day + 1
    if as_of != expected:
        with _TruthWriter(folder) as truth:
            for chunk in range(plan.chunks):
                truth.append(plan.truth(*plan.simulate(chunk), as_of))
    return people, as_of


class _TruthWriter:
    """Writes the true probabilities, one row group per chunk."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / TRUTH_FILE
        self._writer: pq.ParquetWriter | None = None

    def __enter__(self) -> _TruthWriter:
        return self

    def __exit__(self, *_: object) -> None:
        if self._writer is not None:
            self._writer.close()

    def append(self, tables: list[pa.Table]) -> None:
        """Append the tables of one chunk."""
        rows = pa.concat_tables(tables)
        if self._writer is None:
            # Identifiers repeat within a row group only: a roomy dictionary stores each once.
            self._writer = pq.ParquetWriter(
                self._path,
                rows.schema,
                use_dictionary=["customer_unique_id", "cutoff_date", "horizon_days"],
                dictionary_pagesize_limit=16 * 1024 * 1024,
            )
        self._writer.write_table(rows, row_group_size=max(rows.num_rows, 1))


def _in_order(make: Any, plan: _Plan, workers: int) -> Iterator[_Made]:
    """Make chunks side by side, a few ahead of the one that is written, and report progress."""
    started = reported = time.monotonic()
    if plan.chunks == 1 or workers == 1:
        for chunk in range(plan.chunks):
            yield make(chunk)
            reported = _report(plan, chunk + 1, started, reported)
        return
    with ThreadPoolExecutor(workers) as pool:
        waiting: deque[Future[_Made]] = deque()
        following = 0
        for chunk in range(plan.chunks):
            while following < plan.chunks and len(waiting) <= workers:
                waiting.append(pool.submit(make, following))
                following += 1
            yield waiting.popleft().result()
            reported = _report(plan, chunk + 1, started, reported)


def _report(plan: _Plan, done: int, started: float, reported: float) -> float:
    now = time.monotonic()
    if now - reported < 5.0:
        return reported
    orders = min(done * CHUNK_ORDERS, plan.orders)
    say(f"  demo shop: {orders:,} of {plan.orders:,} orders after {now - started:.0f} s")
    return now


def _check_replaceable(out_dir: Path) -> None:
    """Refuse to replace a folder that holds anything but a generated shop."""
    if not out_dir.exists():
        return
    if not out_dir.is_dir():
        raise DemoError(f"{out_dir} is a file, not a folder")
    ours = {f"{name}.{ending}" for name in TABLES for ending in ("csv", "parquet")} | {TRUTH_FILE, SHOP_FILE}
    ours |= {CONTACTS_FILE, EFFECTS_FILE, EXTRAS_TRUTH_FILE, *(f"{name}.csv" for name in EXTRAS)}
    ours |= {*(f"{name}_{SUFFIX}.csv" for name in TABLES)}
    found = {path.name for path in out_dir.iterdir()}
    if found and (SHOP_FILE not in found or found - ours):
        strange = ", ".join(sorted(found - ours)[:5]) or "files without shop.json"
        raise DemoError(f"{out_dir} is not a generated shop (found {strange}); it was left alone")


def _put_in_place(partial: Path, out_dir: Path) -> None:
    """Swap the finished folder in: whenever a run is killed, what stands at ``out_dir`` is a whole shop or nothing."""
    old = out_dir.with_name(f".{out_dir.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if out_dir.exists():
        out_dir.rename(old)
    partial.rename(out_dir)
    shutil.rmtree(old, ignore_errors=True)
