"""What is published, since when, and what went wrong last."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import duckdb

from pipeline.base import paths
from pipeline.base.errors import StoppedByHand
from pipeline.base.locking import holder
from pipeline.build.state import finished_build
from pipeline.publish.wholeness import find_damage, read_description
from pipeline.runs import events, history


def status() -> tuple[list[str], str | None]:
    """Describe the warehouse in a few lines.

    Returns
    -------
    tuple
        The lines, and what is wrong with the published build; None when nothing is.
    """
    folder = paths.warehouse_dir()
    lines = [f"warehouse   {folder}", f"raw files   {paths.raw_dir()}"]
    link = paths.current_link()
    damage = find_damage(link) if link.is_symlink() else None
    description = None if damage else read_description(link)
    if damage:
        lines.append(f"published   DAMAGED: {damage}")
    elif description is None:
        lines.append("published   nothing yet: run `make warehouse`")
    else:
        lines += _published(description)
    lines.append(f"build file  {'finished' if finished_build() else 'no finished build in it'}")
    other = holder(folder)
    lines.append(f"at work     {other or 'nobody'}")
    runs = history.runs()
    if runs:
        last = runs[-1]
        lines.append(f"last run    {last.step} {last.status}, {last.started_at} UTC, {last.seconds or 0:.0f} s")
    failed = [run for run in runs if run.status in ("failed", "killed") and run.exit_code != StoppedByHand.exit_code]
    if failed:
        first = (failed[-1].message or "").splitlines()
        lines.append(f"last fault  {failed[-1].started_at} UTC, {failed[-1].step}: {first[0] if first else ''}")
    unusual = [measure for run in runs[-1:] for measure in run.measures if measure["verdict"] == "unusual"]
    lines += [f"unusual     {found['measure']}: {found['value']}, was {found['usual_value']}" for found in unusual]
    if folder.exists() and folder.stat().st_mode & 0o077:
        lines.append(f"note        others on this machine may read {folder} (chmod 700 closes it)")
    lines.append(f"log         {events.log_file()}")
    cure = "`make refresh` publishes it again, from the raw files where it has to."
    return lines, f"The published build is damaged: {damage}. {cure}" if damage else None


def _published(description: dict[str, object]) -> list[str]:
    file = (paths.current_link() / "warehouse.duckdb").resolve()
    since = datetime.fromtimestamp(file.stat().st_mtime, UTC)
    hours = (datetime.now(UTC) - since).total_seconds() / 3600
    ago = f"{hours:,.1f} hours ago" if hours >= 0 else "in the future, by this machine's clock"
    with duckdb.connect(str(file), read_only=True) as connection:
        known = connection.execute("SELECT data_until, as_of_date, quarantined_rows FROM marts.build_info").fetchall()
    data_until, as_of, quarantined = known[0] if known else (None, None, 0)
    return [
        f"published   build {description['build_id']}, {since:%Y-%m-%d %H:%M} UTC ({ago}), {_megabytes(file)} MB",
        f"data        until {data_until}, as of {as_of}, {quarantined:,} raw rows in quarantine",
    ]


def _megabytes(file: Path) -> str:
    return f"{file.stat().st_size / 1e6:,.0f}"
