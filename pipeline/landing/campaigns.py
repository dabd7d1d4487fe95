"""Launches and exports as tables of the landing: what was assigned enters every build again."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.base import campaigns
from pipeline.base.errors import InputError
from pipeline.base.files import digest_of, is_as_written, read_record, write_record, write_whole

# Table as dbt's sources call it, to the kind of files that it is made of.
TABLES = {"campaign_members": "launches", "campaign_exports": "exports"}


def land_campaigns(landing: Path) -> str:
    """Bring the campaign tables of the landing up to date with the campaigns' folder.

    Parameters
    ----------
    landing : Path
        The landing folder; one folder per table is made in it.

    Returns
    -------
    str
        Digest of what was landed: it changes when a launch or an export joins.

    Raises
    ------
    InputError
        A file is not as it was written, or an arm does not follow from its salt.
    """
    digest = hashlib.sha256()
    for table, kind in TABLES.items():
        states = [state for state in campaigns.states() if state.startswith(f"{kind}/")]
        digest.update(f"{states}\n".encode())
        folder = landing / table
        folder.mkdir(exist_ok=True)
        # beside the folder: Spark reads everything within it
        file, card = folder / f"{kind}.parquet", landing / f"{table}.json"
        known = read_record(card) or {}
        if known.get("made_from") == states and is_as_written(file, known["written"]):
            continue
        rows = campaigns.read_all(kind)
        if kind == "launches":
            _refuse_foreign_draws(rows)
        sink = pa.BufferOutputStream()
        pq.write_table(rows, sink)
        write_whole(file, sink.getvalue().to_pybytes())
        write_record(card, {"made_from": states, "written": digest_of(file)})
    return digest.hexdigest()


def campaign_files(landing: Path) -> dict[tuple[str, str], list[Path]]:
    """Return the files of the campaign tables, by schema and name as dbt's sources call them."""
    return {("campaigns", table): [landing / table / f"{kind}.parquet"] for table, kind in TABLES.items()}


def _refuse_foreign_draws(rows: pa.Table) -> None:
    """Stop where a person's number is not the one that salt and person give.

    Raises
    ------
    InputError
        Names the launch.
    """
    for launch in pc.unique(rows["launch_id"]).to_pylist():
        of = rows.filter(pc.equal(rows["launch_id"], launch))
        (salt,) = {*of["salt"].to_pylist()} if len(pc.unique(of["salt"])) == 1 else (None,)
        drawn = zip(of["customer_id"].to_pylist(), of["draw"].to_pylist(), strict=True)
        if salt is None or any(campaigns.draw(salt, person) != number for person, number in drawn):
            raise InputError(
                f"campaigns/launches: the arms of {launch} do not follow from its salt: somebody changed one of them. "
                "Put the file back from a backup; a campaign whose arms were moved measures nothing."
            )
