"""Raw files to the typed landing that dbt reads: unchanged files are not read again, nothing is lost on the way."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import duckdb

from pipeline.base import paths
from pipeline.base.console import say, step
from pipeline.base.errors import InputError
from pipeline.base.files import read_record, write_record
from pipeline.base.locking import exclusive
from pipeline.base.resources import LEAST_TO_LOAD, refuse_tight_limit
from pipeline.base.settings import project_vars
from pipeline.base.sql import parquet
from pipeline.landing.campaigns import campaign_files, land_campaigns
from pipeline.landing.contract import raw_tables
from pipeline.landing.files import Piece, find_pieces
from pipeline.landing.parsing import card_file, lines_file, parsed, recalled, recipe, rejected_file, rows_file
from pipeline.landing.settle import REPORTS, Landed, Landing, Source, TableState, find_damage
from pipeline.mapping.mapping import Mapped, map_shop, settings_of_shop
from pipeline.runs import events

LANDING_VERSION = 5  # raise it when landing files must be written again from unchanged raw files


def load(variables: str | None = None) -> dict[str, Landed]:
    """Bring the landing folder up to date with ``RAW_DIR``.

    Parameters
    ----------
    variables : str, optional
        dbt variables as YAML; ``shop_time_zone`` and ``merge_person_spellings`` say how cells are read.

    Returns
    -------
    dict of str to Landed
        The books of each table.

    Raises
    ------
    pipeline.base.errors.InputError
        A table's file or column is missing, or a file cannot be used at all.
    """
    refuse_tight_limit(LEAST_TO_LOAD)
    landing = paths.landing_dir()
    settings = project_vars(settings_of_shop(variables))
    zone = settings["shop_time_zone"]
    with exclusive(paths.warehouse_dir()):
        landing.mkdir(exist_ok=True)
        manifest = Manifest(landing)
        mapped = map_shop(landing)
        if mapped is None:
            pieces = find_pieces(paths.raw_dir(), quiet=False)
            _refuse_vanished(pieces, manifest)
        else:
            pieces = _pieces_of(mapped)
        work = landing / ".work"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        try:
            sources = {name: _read(name, pieces[name], manifest, landing, zone) for name in raw_tables()}
            merges = bool(settings["merge_person_spellings"])
            wanted = _resolved_from(sources, land_campaigns(landing), merges_spellings=merges)
            damaged = find_damage(landing, manifest.states)
            if damaged:
                say(
                    f"  {len(damaged)} files of the landing are lost, damaged or not its own ({damaged[0]}): made again"
                )
            if manifest.resolved_from != wanted or damaged or damaged is None:
                with step("land") as this:
                    settled = Landing(landing, work, manifest.states, merges_spellings=merges)
                    manifest.states = settled.settle(sources)
                    manifest.resolved_from = wanted
                    this.result = _told(manifest.books())
                for warning in settled.warnings:
                    _warn(warning)
            manifest.write()
            _forget(landing, sources)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    return manifest.books()


def _pieces_of(mapped: Mapped) -> dict[str, list[Piece]]:
    """List the tables that a shop's files were mapped to, under the names of those files."""
    return {
        name: [
            Piece(piece.table, piece.path, mapped.files[name], is_mapped=True, keeps_zips=mapped.keeps_zips)
            for piece in found
        ]
        for name, found in find_pieces(mapped.folder, quiet=False).items()
    }


def landed_files() -> dict[tuple[str, str], list[Path]]:
    """Return the files of each landed table, by its schema and name as dbt's sources call it."""
    landing = paths.landing_dir()
    states = Manifest(landing).states
    tables = {("olist", name): [landing / name / file for file in state.files] for name, state in states.items()}
    reports = {("load", report): [landing / report / f"{name}.parquet" for name in states] for report in REPORTS}
    return {**tables, **reports, **campaign_files(landing)}


def show_landing(connection: duckdb.DuckDBPyConnection) -> None:
    """Give a connection the landed tables as views, file by file, under the names dbt's sources have."""
    files_of = landed_files()
    for schema in sorted({schema for schema, _ in files_of}):
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
    for (schema, table), files in files_of.items():
        connection.execute(f"CREATE OR REPLACE VIEW {schema}.{table} AS FROM {parquet(files)}")


def _refuse_vanished(pieces: dict[str, list[Piece]], manifest: Manifest) -> None:
    """Stop when an optional table that was there is gone: a forgotten file must not empty a part of the warehouse.

    Raises
    ------
    InputError
        Names the table and the cure.
    """
    for name, table in raw_tables().items():
        before = manifest.states.get(name)
        if not pieces[name] and before is not None and before.books.raw_rows:
            raise InputError(
                f"{paths.raw_dir()} no longer has {table.stem}; the last load read {before.books.raw_rows:,} rows of "
                "it. Put it back; if the shop has none any more, leave a file with the line of column names alone."
            )


def _warn(message: str) -> None:
    say(f"  WARNING: {message}")
    events.emit("warned", message=message)


class Manifest:
    """What the last complete load read and left: files and their outcome, tables and their books."""

    def __init__(self, landing: Path) -> None:
        self._file = landing / "manifest.json"
        self.files: dict[str, dict[str, Any]] = {}
        self.states: dict[str, TableState] = {}
        self.resolved_from = ""
        self._read_before = read_record(self._file)
        if self._read_before is None:
            if self._file.exists():
                say(f"  {self._file} is damaged, or was written by another version; every file is read again")
            return
        content = self._read_before
        if content.get("version") != [LANDING_VERSION, recipe(None)]:
            return
        self.files = content["files"]
        self.states = {
            name: TableState(**{**state, "books": Landed(**state["books"])})
            for name, state in content["tables"].items()
        }
        self.resolved_from = content["resolved_from"]

    def books(self) -> dict[str, Landed]:
        """Return the books of each table."""
        return {name: state.books for name, state in self.states.items()}

    def write(self) -> None:
        """Replace the manifest on disk, when anything in it changed."""
        content = {
            "version": [LANDING_VERSION, recipe(None)],
            "resolved_from": self.resolved_from,
            "files": self.files,
            "tables": {name: asdict(state) for name, state in self.states.items()},
        }
        if content != self._read_before:
            write_record(self._file, content)


def _read(table: str, pieces: list[Piece], manifest: Manifest, landing: Path, zone: str | None) -> list[Source]:
    """Read the files of a table that are new or changed, and recall the others."""
    folder, work = landing / ".files", landing / ".work"
    sources: list[Source] = []
    entries: dict[str, Any] = {}
    known: dict[str, Any] = {entry["state"]: entry for entry in manifest.files.get(table, {}).values()}
    for piece in pieces:
        state = piece.state()
        entry = known.get(state)
        if entry is not None and not entry["kept_as"].endswith(recipe(zone)):
            entry = None
        outcome = recalled(folder / table / entry["kept_as"]) if entry else None
        if entry is None or outcome is None:
            shown = f"{table} of {piece.name}" if piece.is_mapped else piece.name
            with step(f"read {shown}"[:60]) as this:
                kept_as, outcome = parsed(piece, folder, work, zone)
                this.result = _described(outcome.raw_rows, outcome.quarantined_rows, outcome.repeated_rows)
            if outcome.note:
                say(f"    {piece.name}: {outcome.note}")
            if outcome.warning:
                _warn(f"{piece.name}: {outcome.warning}")
        else:
            kept_as = entry["kept_as"]
        sources.append(Source(piece, folder / table / kept_as, outcome))
        entries[piece.name] = {"state": state, "kept_as": kept_as, **asdict(outcome)}
    manifest.files[table] = entries
    return sources


def _described(rows: int, quarantined: int, repeated: int) -> str:
    text = f"{rows:,} rows"
    if quarantined:
        text += f", {quarantined:,} to quarantine"
    return text + (f", {repeated:,} repeats" if repeated else "")


def _told(books: dict[str, Landed]) -> str:
    total = Landed(*(sum(getattr(book, name) for book in books.values()) for name in Landed.__dataclass_fields__))
    text = f"{total.landed_rows:,} rows"
    for count, what in (
        (total.quarantined_rows, "in quarantine"),
        (total.repeated_rows, "repeats"),
        (total.superseded_rows, "superseded"),
    ):
        text += f", {count:,} {what}" if count else ""
    return text


def _resolved_from(sources: dict[str, list[Source]], campaigns: str, *, merges_spellings: bool) -> str:
    """Name all that the landing depends on: names and bytes of the files, in their order, and how they are settled."""
    listed = {name: [[source.piece.name, source.stem.name] for source in of] for name, of in sources.items()}
    return json.dumps([listed, merges_spellings, campaigns], separators=(",", ":"))


def _forget(landing: Path, sources: dict[str, list[Source]]) -> None:
    """Remove what was read of files that are gone."""
    for name, of in sources.items():
        kept = {
            file.name
            for source in of
            for file in (
                rows_file(source.stem),
                rejected_file(source.stem),
                card_file(source.stem),
                lines_file(source.stem),
            )
        }
        folder = landing / ".files" / name
        for entry in folder.iterdir() if folder.is_dir() else ():
            if entry.name not in kept:
                entry.unlink()
