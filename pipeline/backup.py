"""A copy of everything that cannot be built again from the raw files, or only slowly; and the way back.

The warehouse (landing, published builds, records of runs), the campaigns, and what people made in Superset go into one
file. Secrets go into another beside it, which only its owner can read: a copy of the first may be kept where the
second must never be.
"""

from __future__ import annotations

import os
import sqlite3
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from pipeline.base import paths
from pipeline.base.console import step
from pipeline.base.errors import PipelineError
from pipeline.base.files import part_of
from pipeline.base.locking import exclusive
from pipeline.landing.load import Manifest
from pipeline.landing.settle import find_damage as find_landing_damage
from pipeline.publish.wholeness import find_damage

# Of the warehouse folder; the build file is built again by the next run.
WAREHOUSE_ENTRIES = ("landing", "builds", "current", "history", "logs", "model_card.md")
METADATA = "metadata.db"
# Everything else in Superset's home is made again: caches, logs, the spill.
SECRET_WORDS = ("secret", "key", "password")


def places() -> dict[str, Path]:
    """Return the folders that a backup is of, by the name they have in it."""
    warehouse = paths.warehouse_dir().resolve()
    superset = warehouse.with_name(f"{warehouse.name}-superset")
    return {
        "warehouse": paths.warehouse_dir(),
        "campaigns": paths.campaigns_dir(),
        "superset": Path(os.environ.get("SUPERSET_HOME") or superset).expanduser().resolve(),
    }


def backup(folder: Path) -> Path:
    """Write a backup into a folder, under the time of now; no run is at work meanwhile, dashboards may be.

    Returns
    -------
    Path
        The file; its secrets are in a file of the same name ending in ``.secrets.tar``.

    Raises
    ------
    PipelineError
        There is nothing to copy, or what is published is damaged.
    """
    found = places()
    warehouse = found["warehouse"]
    with exclusive(warehouse), step("backup") as this:
        if not paths.current_link().is_symlink():
            raise PipelineError(f"There is nothing to back up in {warehouse}: nothing is published yet.")
        if damage := find_damage(paths.current_link()):
            raise PipelineError(f"The published build is damaged ({damage}): `make refresh` first.")
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = folder / f"{datetime.now(UTC).strftime('%Y%m%dT%H%M%SZ')}.tar"
        with tempfile.TemporaryDirectory() as work:
            entries = [(f"warehouse/{name}", warehouse / name) for name in WAREHOUSE_ENTRIES]
            entries.append(("campaigns", found["campaigns"]))
            if (found["superset"] / METADATA).exists():
                copy = Path(work) / METADATA
                # Superset may be writing: SQLite's own way to copy an open file
                with (
                    closing(sqlite3.connect(found["superset"] / METADATA)) as metadata,
                    closing(sqlite3.connect(copy)) as target,
                ):
                    metadata.backup(target)
                entries.append((f"superset/{METADATA}", copy))
            _write(file, entries)
        _write(_secrets_of(file), [(f"superset/{secret.name}", secret) for secret in _secrets_in(found["superset"])])
        this.result = f"{file.stat().st_size / 1e6:,.0f} MB in {file.name}"
    return file


def restore(file: Path) -> None:
    """Put a backup, and its secrets where they lie beside it, back into folders that hold nothing yet.

    Raises
    ------
    PipelineError
        The file is no backup, a folder is not empty, or what came out is not what went in.
    """
    found = places()
    taken = [folder for folder in found.values() if folder.is_dir() and any(folder.iterdir())]
    if taken:
        raise PipelineError(f"{taken[0]} is not empty: move it away, and restore again.")
    secrets = _secrets_of(file)
    with step("restore") as this:
        try:
            for archive in (file, *([secrets] if secrets.exists() else [])):
                _extract(archive, found)
        except (tarfile.TarError, OSError) as error:
            raise PipelineError(f"{archive} cannot be restored: {error}. Nothing of it is in use yet.") from error
        for build in _folders(paths.builds_dir()):
            for entry in build.iterdir():
                entry.chmod(0o444)
            build.chmod(0o555)
        damage = find_damage(paths.current_link())
        landing = find_landing_damage(paths.landing_dir(), Manifest(paths.landing_dir()).states)
        if damage or landing:
            raise PipelineError(f"What came out of {file} is not what went in: {damage or (landing or [''])[0]}.")
        this.result = f"build {paths.current_link().readlink().name}" + ("" if secrets.exists() else ", no secrets")


def _write(file: Path, entries: list[tuple[str, Path]]) -> None:
    part = part_of(file)
    part.unlink(missing_ok=True)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as stream, tarfile.open(fileobj=stream, mode="w") as archive:
        for name, entry in entries:
            if entry.is_symlink() or entry.exists():
                archive.add(entry, name)
    part.replace(file)


def _extract(file: Path, found: dict[str, Path]) -> None:
    with tarfile.open(file) as archive:
        for member in archive:
            room, _, inside = member.name.partition("/")
            if room not in found:
                raise tarfile.TarError(f"it holds {member.name}, which no backup does")
            paths.make_private(found[room])
            if inside:
                member.name = inside
                # the landing holds one file under two names
                member.linkname = member.linkname.removeprefix(f"{room}/") if member.islnk() else member.linkname
                archive.extract(member, found[room].resolve(), filter="data")


def _secrets_of(file: Path) -> Path:
    return file.with_suffix(".secrets.tar")


def _secrets_in(superset: Path) -> list[Path]:
    entries = sorted(superset.iterdir()) if superset.is_dir() else []
    return [entry for entry in entries if entry.is_file() and any(word in entry.name for word in SECRET_WORDS)]


def _folders(folder: Path) -> Iterator[Path]:
    return (entry for entry in folder.iterdir() if entry.is_dir()) if folder.is_dir() else iter(())
