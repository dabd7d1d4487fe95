"""A dry run of ``shop.yml``: what each column was taken for, and whether every row is accounted for."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from pipeline.base import paths
from pipeline.base.errors import InputError
from pipeline.base.sql import name_of, parquet
from pipeline.landing.contract import raw_tables
from pipeline.landing.files import Piece
from pipeline.landing.parsing import parsed, rows_file
from pipeline.landing.settle import Landing, Source
from pipeline.mapping.ledger import Outcome
from pipeline.mapping.mapping import Mapped, map_into
from pipeline.mapping.shopfile import SHOP_FILE, Shop, read_shop, shop_file

SHOWN = 3


def check_shop() -> tuple[list[str], bool]:
    """Map the shop's files and judge every row, and leave nothing behind.

    Returns
    -------
    tuple
        Lines for a person to read, and whether a load would go through.

    Raises
    ------
    InputError
        There is no ``shop.yml``, or it cannot be read at all.
    """
    file = shop_file()
    if file is None:
        raise InputError(
            f"{paths.raw_dir()} holds no {SHOP_FILE}. `python -m pipeline map --suggest FILE` writes a first one from "
            "a file of the shop's; docs/your-shop.md says what may stand in it."
        )
    shop = read_shop(file)
    with workshop() as work:
        mapped, (outcome, faults) = map_into(shop, work, is_dry=True)
        lines = [f"{file}", *_told_files(mapped, outcome), *_told_fields(shop, outcome)]
        lines += [f"note: {note}" for note in mapped.notes]
        told, refused = _judged(shop, mapped, work)
    faults = [fault.removeprefix(f"{file}: ") for fault in faults] + refused
    lines += told
    if faults:
        lines += ["", "To be changed before anything can be loaded:", *(f"  {fault}" for fault in faults)]
    else:
        lines += ["", "Every row is accounted for. `make up` loads it."]
    return lines, not faults


@contextmanager
def workshop() -> Iterator[Path]:
    """Lend a folder beside the warehouse, where there is room for a copy of the files."""
    parent = paths.warehouse_dir().parent
    parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".map-{os.getpid()}-", dir=parent))
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _told_files(mapped: Mapped, outcome: Outcome) -> list[str]:
    lines = ["", "Files"]
    lines += [f"  {name:<40} {rows:>12,} rows" for name, rows in mapped.rows.items()]
    lines += [f"    {rows:>12,} {what}" for what, rows in outcome.lines.items() if rows]
    lines += [f"    {rows:>12,} of them left out: {why}" for why, rows in mapped.left_out.items()]
    return lines


def _told_fields(shop: Shop, outcome: Outcome) -> list[str]:
    if not outcome.read:
        return []
    lines = ["", f"  {'what':<10} {'your column':<32} {'filled':>7} {'read':>7}  not read, for example"]
    for name, (rows, present, read, examples) in outcome.read.items():
        spelt = " or ".join(shop.columns[name])
        shown = ", ".join(repr(example[:30]) for example in examples)
        lines.append(f"  {name:<10} {spelt:<32.32} {_share(present, rows):>7} {_share(read, present):>7}  {shown}")
    return lines


def _share(part: int, whole: int) -> str:
    if not whole:
        return "-"
    share = f"{part / whole:.1%}"
    # the last few are what a person looks for
    return "99.9%" if share == "100.0%" and part < whole else share


def _judged(shop: Shop, mapped: Mapped, work: Path) -> tuple[list[str], list[str]]:
    """Let the landing judge the mapped tables."""
    zone = shop.time_zone or None
    sources: dict[str, list[Source]] = {name: [] for name in raw_tables()}
    refused = []
    landing, scratch = work / "landing", work / "scratch"
    landing.mkdir()
    scratch.mkdir()
    for name, files in mapped.files.items():
        table = raw_tables()[name]
        file = mapped.folder / f"{table.stem}.parquet"
        piece = Piece(table, file, files, is_mapped=True, keeps_zips=mapped.keeps_zips)
        try:
            stem, outcome = parsed(piece, landing / ".files", scratch, zone)
        except InputError as error:
            refused.append(str(error).replace(str(file), f"{name} of {files}"))
            continue
        sources[name] = [Source(piece, landing / ".files" / name / stem, outcome)]
    if refused or any(not sources[name] for name in raw_tables() if not raw_tables()[name].is_optional):
        return [], refused
    states = Landing(landing, scratch, {}).settle(sources)
    lines = [
        "",
        f"  {'table':<16} {'rows in':>10} = {'landed':>10} + {'quarantine':>10} + {'repeated':>9} + superseded",
    ]
    for name, state in states.items():
        books = state.books
        if books.raw_rows:
            lines.append(
                f"  {name:<16} {books.raw_rows:>10,} = {books.landed_rows:>10,} + {books.quarantined_rows:>10,} + "
                f"{books.repeated_rows:>9,} + {books.superseded_rows:,}"
            )
    lines += _told_columns(mapped, sources)
    lines += _told_quarantine(landing)
    return lines, refused


def _told_columns(mapped: Mapped, sources: dict[str, list[Source]]) -> list[str]:
    """Say how much of each column of the raw tables is filled, and which of them stay empty."""
    lines = ["", f"  {'column of the warehouse':<42} {'filled':>7} {'read':>7}"]
    with duckdb.connect() as connection:
        for name, of in sources.items():
            for source in of:
                read = parquet(source.piece.path)
                columns = [one[0] for one in connection.execute(f"DESCRIBE FROM {read}").fetchall()]
                wanted = [column for column in raw_tables()[name].fields if column in columns]
                counts = ", ".join(f"count({name_of(column)})" for column in wanted)
                rows, *filled = connection.execute(
                    f"SELECT count(*), {counts} FROM {read} WHERE _fault IS NULL"
                ).fetchall()[0]
                kept = connection.execute(f"SELECT {counts} FROM {parquet(rows_file(source.stem))}").fetchall()[0]
                lines += [
                    f"  {name + '.' + column:<42} {_share(count, rows):>7} {_share(good, count):>7}"
                    for column, count, good in zip(wanted, filled, kept, strict=True)
                ]
    empty = [name for name, table in raw_tables().items() if name not in mapped.files and not table.is_extra]
    return [*lines, f"  not there: {', '.join(empty)}"] if empty else lines


def _told_quarantine(landing: Path) -> list[str]:
    files = sorted((landing / "quarantine").glob("*.parquet"))
    with duckdb.connect() as connection:
        rows = connection.execute(
            f"""SELECT problem, count(*), list((source_file || ' line ' || line || ': ' || reason) ORDER BY line)
            FROM {parquet(files)} GROUP BY 1 ORDER BY 2 DESC, 1"""
        ).fetchall()
    lines = ["", "Quarantine"] if rows else []
    for problem, count, examples in rows:
        lines.append(f"  {count:,} rows: {problem}")
        lines += [f"    {example}" for example in examples[:SHOWN]]
    return lines
