"""Whether a published build is what was published: its description carries the digest of every file beside it.

Needs nothing but the standard library, so that whoever serves a build can ask too; a file is read once per process, and
only looked at after that, until it changes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline.base.files import digest_of, is_as_written, read_record, write_record

DESCRIPTION = "build.json"


def describe(folder: Path, description: dict[str, Any]) -> None:
    """Write the description of a build, with the digests of all files that lie in its folder."""
    files = {file.name: digest_of(file) for file in sorted(folder.iterdir())}
    write_record(folder / DESCRIPTION, {**description, "files": files})


def read_description(folder: Path) -> dict[str, Any] | None:
    """Return the description of a build; None where it is absent, cut off or changed."""
    return read_record(folder / DESCRIPTION, may_be_older=True)


def find_damage(folder: Path) -> str | None:
    """Compare a published build with its description.

    Parameters
    ----------
    folder : Path
        Folder of the build, or the link ``current``.

    Returns
    -------
    str or None
        What is lost or not as it was published, in a few words; None when all is well.
    """
    if not folder.exists():
        return f"{folder.name} is gone"
    description = read_description(folder)
    if description is None:
        return f"{DESCRIPTION} is gone or damaged"
    for name, digest in description.get("files", {}).items():
        if not (folder / name).exists():
            return f"{name} is gone"
        if not is_as_written(folder / name, digest):
            return f"{name} is not what was published"
    return None
