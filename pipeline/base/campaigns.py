"""The files of campaigns: one per launch and one per export, written whole, never changed, read by every build.

A build starts from an empty file and an assignment must outlive it, so campaigns lie in a folder of their own
(:func:`pipeline.base.paths.campaigns_dir`). Each file is Parquet with the digest of its rows in its footer.
"""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.base import paths
from pipeline.base.errors import InputError
from pipeline.base.files import write_whole

TREATED, CONTROL, GLOBAL_CONTROL = "treated", "control", "global_control"
ARMS = (TREATED, CONTROL, GLOBAL_CONTROL)

# One row per person of a launch. What all of it has in common stands in each of its rows: Parquet writes it once.
LAUNCH = pa.schema(
    [
        pa.field("launch_id", pa.string(), nullable=False),
        pa.field("audience", pa.string(), nullable=False),
        pa.field("channel", pa.string(), nullable=False),
        pa.field("launched_at", pa.timestamp("us"), nullable=False),
        pa.field("starts_on", pa.date32(), nullable=False),
        pa.field("ends_on", pa.date32(), nullable=False),
        pa.field("condition", pa.string(), nullable=False),
        pa.field("salt", pa.string(), nullable=False),
        pa.field("control_share", pa.float64(), nullable=False),
        pa.field("stratified_by", pa.string()),
        pa.field("contact_cost", pa.float64(), nullable=False),
        pa.field("expected_return_rate", pa.float64()),
        pa.field("planned_difference", pa.float64()),
        pa.field("customer_id", pa.string(), nullable=False),
        pa.field("stratum", pa.string()),
        pa.field("draw", pa.float64(), nullable=False),
        pa.field("arm", pa.string(), nullable=False),
    ]
)
# One row per person whose address was written into a list.
EXPORT = pa.schema(
    [
        pa.field("launch_id", pa.string(), nullable=False),
        pa.field("exported_at", pa.timestamp("us"), nullable=False),
        pa.field("format", pa.string(), nullable=False),
        pa.field("customer_id", pa.string(), nullable=False),
    ]
)
KINDS = {"launches": LAUNCH, "exports": EXPORT}
_SEAL = b"digest"
# 13 digits of the hash are 52 bits, which a double holds exactly: SQL and Python get the same number.
_HASH_DIGITS = 13


def draw(salt: str, person: str) -> float:
    """Give a person a number in [0, 1) that depends on nothing but salt and person.

    Parameters
    ----------
    salt : str
        Names the draw: another salt, another and independent number.
    person : str

    Returns
    -------
    float
        The first 52 bits of SHA-256 of ``salt|person``, over 2 to the 52.
    """
    digest = hashlib.sha256(f"{salt}|{person}".encode()).hexdigest()
    return float(int(digest[:_HASH_DIGITS], 16) / 16**_HASH_DIGITS)


def draw_sql(salt: str, person: str) -> str:
    """Write :func:`draw` as SQL for DuckDB; salt and person are SQL expressions."""
    digits = f"substr(sha256({salt} || '|' || {person}), 1, {_HASH_DIGITS})"
    return f"(cast(('0x' || {digits}) as bigint) / cast({16**_HASH_DIGITS} as double))"


def write(kind: str, name: str, rows: pa.Table) -> Path:
    """Write one launch or export: whoever reads finds all of it or nothing, and an existing one is never replaced.

    Parameters
    ----------
    kind : str
        ``launches`` or ``exports``.
    name : str
        File name without ending.
    rows : pyarrow.Table
        Columns of :data:`KINDS`.

    Raises
    ------
    InputError
        There is one of that name.
    """
    folder = paths.campaigns_dir() / kind
    paths.make_private(paths.campaigns_dir())
    folder.mkdir(mode=0o700, exist_ok=True)
    file = folder / f"{name}.parquet"
    if file.exists():
        raise InputError(f"{file.name} is there already, and what was launched or exported is never written again.")
    rows = rows.select(KINDS[kind].names).cast(KINDS[kind])
    sink = io.BytesIO()
    pq.write_table(rows.replace_schema_metadata({_SEAL: _digest(rows).encode()}), sink)
    write_whole(file, sink.getvalue())
    return file


def read(file: Path) -> pa.Table:
    """Read one launch or export as it was written.

    Raises
    ------
    InputError
        It is cut off, was changed since, or is no file of a campaign.
    """
    cure = (
        "Put it back from a backup (make restore, or the file alone). Without it the campaign is lost: "
        "nothing else knows who was in which arm."
    )
    try:
        rows = pq.read_table(file, partitioning=None)
    except (pa.ArrowInvalid, pa.ArrowException, OSError) as error:
        raise InputError(f"{file} is cut off or damaged. {cure}") from error
    schema = KINDS[file.parent.name]
    seal = (rows.schema.metadata or {}).get(_SEAL)
    if rows.schema.names != schema.names or not rows.num_rows:
        raise InputError(f"{file} is not a file of {file.parent.name} that this program wrote. Move it elsewhere.")
    rows = rows.cast(schema)
    if seal is None or seal.decode() != _digest(rows):
        raise InputError(
            f"{file} was changed since it was written: its arms are no longer those that were drawn. {cure}"
        )
    return rows


def files(kind: str) -> list[Path]:
    """List the files of all launches, or of all exports, by name."""
    folder = paths.campaigns_dir() / kind
    return sorted(folder.glob("*.parquet")) if folder.is_dir() else []


def read_all(kind: str) -> pa.Table:
    """Read all launches, or all exports, as one table; none is an empty table."""
    schema = KINDS[kind]
    return pa.concat_tables([schema.empty_table(), *(read(file) for file in files(kind))])


def states() -> list[str]:
    """Identify the state of all files without reading them: name, size and time of change."""
    listed = []
    for kind in KINDS:
        for file in files(kind):
            found = file.stat()
            listed.append(f"{kind}/{file.name}={found.st_size}:{found.st_mtime_ns}")
    return listed


def _digest(rows: pa.Table) -> str:
    """Digest the values of a table, however they lie in memory."""
    digest = hashlib.sha256()
    for column in rows.combine_chunks().columns:
        for value in column.to_pylist():
            digest.update(f"{value!r}\n".encode())
    return digest.hexdigest()
