"""Which files of RAW_DIR belong to which table, and in which order the later replaces the earlier."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from pipeline.base.console import say
from pipeline.base.errors import InputError
from pipeline.base.paths import is_utf8
from pipeline.landing.contract import AMOUNTS, RawTable, raw_tables

ENDINGS = (".csv", ".csv.gz", ".parquet")


@dataclass(frozen=True)
class Piece:
    """One raw file of a table.

    Attributes
    ----------
    table : RawTable
        The table it belongs to.
    path : Path
        Where it is.
    name : str
        Its path inside RAW_DIR, as messages and the quarantine give it.
    is_mapped : bool
        Whether its rows come from the shop's own files, of which ``name`` tells; each row knows its file and line.
    keeps_zips : bool
        Whether its zip codes are taken as they are written: they are those of a country without five digits.
    """

    table: RawTable
    path: Path
    name: str
    is_mapped: bool = False
    keeps_zips: bool = False

    @property
    def is_parquet(self) -> bool:
        """Whether the name says Parquet."""
        return self.path.name.lower().endswith(".parquet")

    def state(self) -> str:
        """Identify the file's state without reading it: place, size and time of change."""
        state = self.path.stat()
        return f"{self.path.resolve()}:{state.st_size}:{state.st_mtime_ns}"


def find_pieces(source: Path, *, quiet: bool = True) -> dict[str, list[Piece]]:
    """Find the files of every raw table, earlier ones first.

    A table is ``stem.csv``, any number of ``stem_<anything>.csv``, a folder ``stem/`` or ``stem.csv/`` of such files,
    or all of these; ``.csv.gz`` and ``.parquet`` do as well. The file of the bare name comes first, then the others in
    the natural order of what follows the stem (``2018-9`` before ``2018-10``).

    Parameters
    ----------
    source : Path
        Folder of the raw tables.
    quiet : bool
        False says which files are named like a table's and are none of its files, and which optional tables are not
        there.

    Returns
    -------
    dict of str to list of Piece
        Table name to its files; an optional table may have none.

    Raises
    ------
    InputError
        The folder or a required table is missing, or a file is there twice; the message lists what was found.
    """
    if not source.is_dir():
        raise InputError(
            f"There is no folder {source}. Set RAW_DIR to the folder of the nine raw tables, "
            "or run `make demo` for a generated shop."
        )
    present = sorted(entry.name for entry in source.iterdir() if not entry.name.startswith("."))
    stems = tuple(table.stem for table in raw_tables().values())
    for name in present:
        if name.startswith(stems) and not is_utf8(name):
            raise InputError(f"{source} holds a file whose name is not UTF-8, {name!a}. Rename it.")
    used: set[str] = set()
    found: dict[str, list[Piece]] = {}
    missing: list[RawTable] = []
    for table in raw_tables().values():
        pieces: dict[str, Piece] = {}
        for name in _names(source, table, present):
            used.add(name.split("/")[0])
            remainder = _remainder(table, name)
            if remainder in pieces:
                raise InputError(f"{source} holds {pieces[remainder].name} and {name}: keep one of them.")
            pieces[remainder] = Piece(table, source / name, name)
        found[table.name] = [pieces[remainder] for remainder in sorted(pieces, key=_natural)]
        if not pieces:
            missing.append(table)
    required = [table.stem for table in missing if not table.is_optional]
    if required:
        raise InputError(
            f"{source} lacks {', '.join(required)} (each as {', '.join(ENDINGS)}). "
            f"Found there: {', '.join(present) or 'nothing'}."
        )
    if not any(found[name] for name in AMOUNTS):
        either = " nor ".join(raw_tables()[name].stem for name in AMOUNTS)
        raise InputError(
            f"{source} holds neither {either}, so no order has an amount. Put one of them there. "
            f"Found there: {', '.join(present)}."
        )
    if not quiet:
        for table in (table for table in missing if not table.is_extra):
            say(f"  no {table.name}: {table.stays_empty_without} stay empty")
    unused = [name for name in present if name not in used and name.startswith(stems)]
    if unused and not quiet:
        say(f"  NOT USED, as no table's files are named so: {', '.join(unused)} (see docs/runbook.md)")
    return found


def _names(source: Path, table: RawTable, present: list[str]) -> list[str]:
    names = []
    for name in present:
        place = source / name
        # unpacked archives and other tools' exports are folders that are called like the file they hold
        if place.is_dir() and _without_ending(name) == table.stem:
            inside = sorted(entry.name for entry in place.iterdir() if entry.is_file())
            for strange in (entry for entry in inside if not is_utf8(entry)):
                raise InputError(f"{place} holds a file whose name is not UTF-8, {strange!a}. Rename it.")
            names += [f"{name}/{entry}" for entry in inside if _has_ending(entry) and not entry.startswith(".")]
        elif place.is_file() and _has_ending(name):
            bare = _without_ending(name)
            if bare == table.stem or bare.startswith(table.stem + "_"):
                names.append(name)
    return names


def _remainder(table: RawTable, name: str) -> str:
    """Return what tells the pieces of a table apart, whether they lie in its folder or beside it."""
    return _without_ending(name.rsplit("/", maxsplit=1)[-1]).removeprefix(table.stem).removeprefix("_")


def _has_ending(name: str) -> bool:
    return name.lower().endswith(ENDINGS)


def _without_ending(name: str) -> str:
    ending = next((ending for ending in ENDINGS if name.lower().endswith(ending)), "")
    return name[: len(name) - len(ending)]


def _natural(text: str) -> tuple[tuple[int, int, str], ...]:
    """Order names as a person would: runs of digits by their value. Texts that differ never compare equal."""
    parts = re.findall(r"[0-9]+|[^0-9]+", text)
    return (*((0, int(part), part) if part[0] in "0123456789" else (1, 0, part) for part in parts), (-1, 0, text))
